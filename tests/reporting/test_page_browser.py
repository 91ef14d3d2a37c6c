"""The page in a browser: no error, no request, slider, hover, sorting and choices work, and nothing is wider than a phone."""

import html
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from page_study import VARIANTS, mixed_study, write_run, write_study
from PIL import Image
from test_page_numbers import embedded

from stackgan.reporting.grid import Column, draw_grid, save_grid
from stackgan.reporting.page import write_report

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium: apt-get install chromium")


class Browser:
    """Opens pages without a window."""

    def __init__(self, folder):
        self.folder, self.number = folder, 0

    def ask(self, page, script, width=1400, fragment="", dark=False):
        """What `script` (the body of an async function) returns in the page; fails if the console has anything to say."""
        self.number += 1
        copy = self.folder / f"page{self.number}.html"
        probe = """<script>(async () => {
            const out = document.createElement('pre');
            out.id = 'answer';
            out.textContent = JSON.stringify(await (async () => {%s})());
            top.document.body.append(out);
        })();</script>"""
        text = page.read_text().replace("</body>", probe % script + "</body>")
        if width < 500:  # windows are no narrower than that, frames are
            text = f'<iframe style="width:{width}px;height:1000px;border:0" srcdoc="{html.escape(text)}"></iframe>'
        copy.write_text(text)
        result = subprocess.run(
            [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", f"--window-size={width},1200",
             f"--blink-settings=preferredColorScheme={0 if dark else 1}", f"--user-data-dir={self.folder / 'profile'}",
             "--virtual-time-budget=10000", "--dump-dom", f"{copy.as_uri()}{fragment}"],
            capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        said = [line for line in result.stderr.splitlines() if "CONSOLE" in line]
        assert not said, said
        found = re.search(r'<pre id="answer">(.*?)</pre>', result.stdout, re.S)
        assert found, result.stdout[-2000:] + result.stderr[-2000:]
        return json.loads(html.unescape(found[1]))


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    return Browser(tmp_path_factory.mktemp("browser"))


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    study = tmp_path_factory.mktemp("outputs") / "six"
    write_study(study, mixed_study(study, points=3), [["variant=lr_x10", "stage=two", "seed=0"]])
    return write_report(study)[0]


HELPERS = """
const wait = () => new Promise((done) => setTimeout(done, 100));
const pictures = (row) => [...row.querySelectorAll('.cell')].map((cell) => cell.style.backgroundImage);
const cells = () => [...document.querySelectorAll('.board tbody tr')].map(pictures);
const names = () => [...document.querySelectorAll('.board tbody th a')].map((link) => link.textContent);
for (let i = 0; i < 50 && !document.querySelector('figure:not([hidden])'); i++) await wait();  // a busy machine draws late
await wait();
"""


def test_the_slider_changes_the_pictures_of_every_run_and_the_address_sets_it(browser, page):
    script = (
        HELPERS
        + """
    const slider = document.querySelector('#time'), output = document.querySelector('output');
    const first = cells(), said = output.textContent, rows = names();
    slider.value = slider.max; slider.dispatchEvent(new Event('input')); await wait();
    const last = cells(), link = document.querySelector('.board tbody th a').getAttribute('href');
    return {first, last, rows, said, now: output.textContent, max: slider.max, hash: location.hash, type: slider.type, tab: slider.tabIndex,
            when: [...document.querySelectorAll('.board .sub')].map((e) => e.textContent), link};
    """
    )
    answer = browser.ask(page, script, fragment="#t=0")
    gallery = embedded(page.read_text())["galleries"][0]
    assert answer["rows"] == list(VARIANTS) and answer["said"] == "20,000 images" and answer["now"] == "60,000 images"
    assert answer["max"] == str(len(gallery["positions"]) - 1) and answer["hash"] == "#stage=one&t=2"
    assert answer["type"] == "range" and answer["tab"] == 0
    real, *runs = zip(answer["first"], answer["last"], strict=True)
    assert real[0] == real[1] and all("blob:" in url for url in real[0])
    changed = [before != after for before, after in runs]
    assert changed == [row["frames"][0] != row["frames"][2] for row in gallery["runs"]] and sum(changed) == 4
    assert answer["when"].count("20k images, its last") == 2  # those that broke
    assert (page.parent / answer["link"]).exists()


def test_pointing_at_a_chart_tells_the_values_there_and_arrow_keys_do_too(browser, page):
    script = (
        HELPERS
        + """
    const figure = [...document.querySelectorAll('figure')].find((f) => f.textContent.startsWith('loss/d'));
    const svg = figure.querySelector('svg'), tip = figure.querySelector('.tip'), box = svg.getBoundingClientRect();
    const before = tip.hidden;
    svg.dispatchEvent(new PointerEvent('pointermove', {clientX: box.right - 11, clientY: box.top + 60, bubbles: true}));
    const pointed = [...tip.children].map((row) => row.textContent), strong = figure.querySelectorAll('.strong').length;
    const height = tip.offsetHeight, inside = tip.offsetLeft >= 0 && tip.offsetLeft + tip.offsetWidth <= figure.clientWidth;
    svg.dispatchEvent(new PointerEvent('pointerleave'));
    const left = tip.hidden;
    svg.focus();
    svg.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight'}));
    svg.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight'}));
    return {before, left, pointed, strong, height, inside, keyed: tip.firstChild.textContent,
            curves: figure.querySelectorAll('.curve').length,
            ends: figure.querySelectorAll('path.end').length};
    """
    )
    answer = browser.ask(page, script)
    data = embedded(page.read_text())
    (chart,) = [chart for chart in data["charts"] if chart["title"] == "loss/d" and chart["stage"] == "one"]
    values = {
        data["labels"][data["runs"][curve["run"]]["label"]]: curve["y"][-1]
        for curve in chart["curves"]
        if curve["x"][-1] == 60_000
    }
    assert (
        answer["before"] and answer["left"] and answer["strong"] == 1 and answer["curves"] == 6 and answer["ends"] == 2
    )
    assert answer["pointed"][0] == "60,000 images" and answer["height"] < 160 and answer["inside"]
    shown = {
        name: float(value)
        for name, value in (re.fullmatch(r" (\w+?)(\d\.\d+)", row).groups() for row in answer["pointed"][1:])
    }
    assert shown == {name: pytest.approx(value, rel=1e-3) for name, value in values.items()}
    times = sorted({images for curve in chart["curves"] for images in curve["x"]})
    assert answer["keyed"] == f"{times[1]:,} images"


def test_stage_settings_captions_and_sorting_can_be_chosen(browser, page):
    script = (
        HELPERS
        + """
    const click = (element) => { element.click(); };
    const positions = () => [...document.querySelectorAll('.board tbody tr:last-child .cell')].map((cell) => cell.style.backgroundPosition);
    const captions = document.querySelector('#galleries select');
    const all = positions();
    captions.value = '1'; captions.dispatchEvent(new Event('change')); await wait();
    const one = {positions: positions(), head: [...document.querySelectorAll('.board thead th')].map((e) => e.textContent)};
    captions.value = ''; captions.dispatchEvent(new Event('change'));
    click(document.querySelectorAll('#settings input')[0]); await wait();
    const fewer = names();
    click(document.querySelectorAll('#stages button')[1]); await wait();
    const second = names(), charts = [...document.querySelectorAll('figure')].filter((f) => f.offsetParent).length;
    const table = document.querySelector('table.sortable');
    const labels = () => [...table.tBodies[0].rows].map((row) => row.cells[0].textContent);
    const button = [...table.tHead.rows[0].cells].find((cell) => cell.textContent.startsWith('kid')).querySelector('button');
    click(button); const down = labels(), state = button.closest('th').getAttribute('aria-sort');
    click(button); const up = labels();
    click(table.tHead.rows[0].cells[0].querySelector('button')); const byName = labels();
    return {all, one, fewer, second, charts, down, up, state, byName};
    """
    )
    answer = browser.ask(page, script)
    assert [place.split()[1] for place in answer["all"]] == ["0%"] * 4 and len(set(answer["all"])) == 4
    assert answer["one"]["head"] == ["a grey bird with an orange crest", "noise 1", "noise 2", "noise 3"]
    assert (
        len({place.split()[0] for place in answer["one"]["positions"]}) == 1
        and len(set(answer["one"]["positions"])) == 3
    )
    assert (
        answer["fewer"] == list(VARIANTS[1:])
        and answer["second"] == ["bn_adam", "bn_adam_wgan_dropout"]
        and answer["charts"] > 8
    )
    objective = next(table["columns"][0] for table in embedded(page.read_text())["tables"] if table["stage"] == "one")
    scored = {key.rpartition("-")[0]: score["value"] for key, score in objective["scores"].items()}
    order = sorted(scored, key=scored.__getitem__)
    assert answer["up"][: len(order)] == order and answer["down"][: len(order)] == order[::-1]
    assert (
        set(answer["up"][len(order) :]) == {"nobn_adam", "lr_x10"} == set(answer["down"][len(order) :])
    )  # no score: last both ways
    assert answer["state"] == "descending" and answer["byName"] == sorted(VARIANTS)


def test_nothing_is_asked_of_the_network_and_dark_and_light_differ(browser, page):
    script = (
        HELPERS
        + """
    const body = getComputedStyle(document.body);
    return {urls: performance.getEntriesByType('resource').map((entry) => entry.name), ink: body.color, paper: body.backgroundColor};
    """
    )
    light, dark = browser.ask(page, script), browser.ask(page, script, dark=True)
    assert all(url.startswith(("blob:", "data:")) for url in light["urls"])
    assert light["paper"] != dark["paper"] and light["ink"] != dark["ink"]
    source = page.read_text().split('id="data"')[0]
    assert not re.search(r"""(src|href)=["'](https?:)?//|@import|url\((?!")""", source)


def test_on_a_phone_tables_alone_scroll_sideways(browser, page):
    script = (
        HELPERS
        + """
    document.querySelectorAll('details').forEach((details) => { details.open = true; });
    document.querySelectorAll('#stages button')[1].click(); await wait();
    const sideways = [...document.querySelectorAll('body *')].filter((e) =>
        e.scrollWidth > e.clientWidth + 1 && ['auto', 'scroll'].includes(getComputedStyle(e).overflowX));
    return sideways.map((e) => e.querySelector(':scope > table')?.className ?? e.tagName);
    """
    )
    assert set(browser.ask(page, script, width=390)) <= {
        "sortable",
        "",
    }  # the leaderboard, its seeds, and the differences


def test_what_was_chosen_is_in_sight_at_1280_pixels(browser, page):
    script = (
        HELPERS
        + """
    const heads = [...document.querySelector('table.sortable').tHead.rows[0].cells];
    const right = heads.map((cell) => [cell.querySelector('button').textContent.trim(), cell.getBoundingClientRect().right]);
    return Object.fromEntries(right.reverse());  // of two columns with one name the first
    """
    )
    right = browser.ask(page, script, width=1280)
    assert all(
        right[name] < 1280 - 28 for name in ("setting", "kid_efflite0 ↓", "norm", "optim", "loss", "dropout", "lr")
    )


@pytest.mark.parametrize("width", [390, 1280])
def test_the_answer_is_followed_by_the_pictures_of_each_setting(browser, page, width):
    script = (
        HELPERS
        + """
    const ranking = document.querySelector('.ranking');
    const rows = [...ranking.children].filter((row) => row.offsetParent).map((row) => ({
        name: row.querySelector('b')?.textContent ?? '', cells: pictures(row).filter((url) => url.startsWith('url("blob:')).length}));
    const sentence = document.querySelector('#answer .lead').getBoundingClientRect();
    return {rows, bottom: sentence.bottom, captions: [...ranking.querySelectorAll('.captions .strip span')].map((e) => e.textContent)};
    """
    )
    answer = browser.ask(page, script, width=width)
    names = [row["name"] for row in answer["rows"]]
    assert names[:3] == ["", "real pictures", "bn_adam_wgan_dropout"] and set(names[2:]) == set(VARIANTS)
    assert all(row["cells"] == 4 for row in answer["rows"][1:]) and answer["bottom"] < 700
    assert answer["captions"] == embedded(page.read_text())["galleries"][0]["captions"]


@pytest.mark.parametrize("width", [390, 1400])
def test_nothing_but_the_boxes_that_scroll_is_wider_than_the_window(browser, page, tmp_path, width):
    script = (
        HELPERS
        + """
    document.querySelectorAll('details').forEach((details) => { details.open = true; });
    await wait();
    const over = (e) => !e.closest('.scroll, pre, svg') && e.getBoundingClientRect().right > innerWidth + 1;
    const wide = [...document.querySelectorAll('body *')].filter(over);
    return {inner: innerWidth, page: document.documentElement.scrollWidth, wide: wide.map((e) => e.tagName + '.' + e.className)};
    """
    )
    answer = browser.ask(page, script, width=width)
    assert answer["inner"] == width and answer["page"] <= width and answer["wide"] == []


def test_hostile_captions_and_names_are_texts(browser, tmp_path):
    caption = '</script><img src=x onerror="window.broken=1"> a bird & "more" '
    run = write_run(tmp_path, points=1)
    path = next((run / "samples").glob("*.png"))
    save_grid(draw_grid([Column(caption, [np.zeros((64, 64, 3), np.uint8)] * 2)], ["real", "<b>1</b>"]), path)
    run.rename(run.with_name("<img src=x onerror='window.broken=1'>,a b-00000000"))
    script = (
        HELPERS
        + """
    return {broken: window.broken ?? null, head: document.querySelectorAll('.board thead th')[1].textContent, name: names()[0],
            images: document.images.length};
    """
    )
    answer = browser.ask(write_report(tmp_path)[0], script)
    assert answer == {"broken": None, "head": caption, "name": "<img src=x onerror='window.broken=1'>,a b", "images": 0}


def test_grids_shown_whole_and_an_empty_study_work_too(browser, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert browser.ask(write_report(empty)[0], HELPERS + "return names().length;") == 0
    study = tmp_path / "old"
    run = write_run(study, points=1)
    for path in (run / "samples").glob("*.png"):
        Image.open(path).convert("RGB").save(path)
    script = (
        HELPERS
        + "return [cells()[0].length, [...document.querySelectorAll('#galleries label')].filter((e) => e.offsetParent).length];"
    )
    assert browser.ask(write_report(study)[0], script) == [1, 1]
