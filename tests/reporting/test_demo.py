"""The page to type captions into, over a real connection."""

import base64
import io
import json
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import zipfile
from urllib.parse import quote, unquote, urlencode

import numpy as np
import pytest
import torch
from PIL import Image

from stackgan.config import PROJECT
from stackgan.errors import UserError
from stackgan.networks.build import build_generator
from stackgan.networks.text_to_image import TextToImage
from stackgan.reporting.demo import Demo, sample_captions
from stackgan.reporting.demo_server import open_server
from stackgan.reporting.generate import generate
from stackgan.reporting.grid import Column, draw_grid, save_grid
from stackgan.text.minilm import MiniLM, find_weights
from stackgan.training.bundle import GeneratorBundle, TextEncoderId
from support import script, slow

SCRIPT = PROJECT / "src" / "demo.py"
CAPTION = "a small red bird with black wings"


@pytest.fixture(scope="module")
def make_run(tmp_path_factory):
    """make_run(stage) -> a run's folder with a generator of 16 px, or 32 px at stage two."""
    try:
        find_weights()
    except UserError as error:
        pytest.skip(str(error))

    def make(stage):
        torch.manual_seed(0)
        settings = {"text_dim": 384, "base_channels": 8, "init": "scaled"}
        one = build_generator("one", image_size=16, **settings)
        two = build_generator("two", image_size=32, stage_one_size=16, **settings) if stage == "two" else None
        folder = tmp_path_factory.mktemp("runs") / "loss=wgan,optim=rmsprop-12ab"
        encoder = TextEncoderId("minilm", MiniLM().fingerprint(), 384)
        GeneratorBundle(TextToImage(one, two), encoder, "cafe", 7000).save(folder / "generator")
        return folder

    return make


@pytest.fixture(scope="module", params=["one", "two"])
def run(request, make_run):
    return make_run(request.param)


@pytest.fixture(scope="module")
def demo(run):
    return Demo(run, count=3)


@pytest.fixture(scope="module")
def server(demo):
    with open_server(demo, port=0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def get(server, path):
    """Status, headers and body."""
    try:
        with urllib.request.urlopen(server.address + path, timeout=300) as response:
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def ask(server, path="pictures", **fields):
    return get(server, f"{path}?{urlencode(fields, doseq=True)}")


def drawn(server, **fields):
    status, _, body = ask(server, **fields)
    assert status == 200, body
    return json.loads(body)["drawn"]


def test_the_page_needs_nothing_from_elsewhere(server):
    status, headers, body = get(server, "")
    assert status == 200 and headers["Content-Type"].startswith("text/html")
    assert b"http:" not in body and b"https:" not in body and b"<textarea" in body
    assert "default-src 'none'" in headers["Content-Security-Policy"]


def test_the_page_is_told_what_draws(server, demo, run):
    about = json.loads(get(server, "about")[2])
    two = demo.bundle.sampler.stage_two is not None
    assert about["run"] == run.name and about["images"] == 7000 and about["count"] == 3
    assert (about["stage"], about["size"]) == (("Stage II", 32) if two else ("Stage I", 16))


def test_the_pictures_are_those_of_generate_to_the_byte(server, demo, run, tmp_path):
    captions = [CAPTION, 'a "blue" bird, with a long bill']
    generate(run, captions, count=3, seed=5, truncation=0.8, out=tmp_path)
    answer = drawn(server, caption=captions, count=3, seed=5, truncation=0.8)
    assert [part["caption"] for part in answer] == captions
    size = demo.bundle.sampler.image_size
    for j, part in enumerate(answer):
        for i, text in enumerate(part["pictures"]):
            png = base64.b64decode(text)
            assert Image.open(io.BytesIO(png)).size == (size, size)
            assert png == (tmp_path / f"{j:04d}-{i:02d}.png").read_bytes()


def test_a_grid_of_a_korean_caption_is_saved_under_its_words(server):
    status, headers, body = ask(server, "grid.png", caption="빨간 새", count=1)
    kind, _, name = headers["Content-Disposition"].partition("filename*=UTF-8''")
    assert (status, kind, unquote(name)) == (200, "attachment; ", "빨간-새-seed0.png") and body.startswith(b"\x89PNG")


def test_all_that_generate_writes_can_be_saved(server, run, tmp_path):
    generate(run, [CAPTION], count=2, seed=1, out=tmp_path)
    status, headers, body = ask(server, "pictures.zip", caption=CAPTION, count=2, seed=1)
    name = "a-small-red-bird-with-black-seed1"
    assert status == 200 and headers["Content-Disposition"] == f'attachment; filename="{name}.zip"'
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        saved = {path: archive.read(path) for path in archive.namelist()}
    expected = {f"{name}/{path.name}": path.read_bytes() for path in tmp_path.iterdir()}
    assert saved == expected and f"{name}/grid.png" in saved
    assert ask(server, "grid.png", caption=CAPTION, count=2, seed=1)[2] == expected[f"{name}/grid.png"]


def test_again_means_other_pictures_and_the_same_question_the_same_ones(server):
    first, other = (drawn(server, caption=CAPTION, count=2, seed=seed)[0]["pictures"] for seed in (0, 1))
    for seed in range(2, 12):  # so many that the first ones are no longer remembered
        drawn(server, caption=CAPTION, count=1, seed=seed)
    assert drawn(server, caption=CAPTION, count=2)[0]["pictures"] == first != other


def test_many_ask_at_once(server):
    alone = [drawn(server, caption=CAPTION, count=2, seed=seed) for seed in range(20, 26)]
    answers = [None] * 12

    def work(i):
        answers[i] = drawn(server, caption=CAPTION, count=2, seed=20 + i % 6)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == alone * 2


def test_what_does_not_count_of_a_caption_is_said(server):
    answer = drawn(server, caption=["a bird ☃", "long " * 300, CAPTION], count=1)
    remarks = [part["remarks"] for part in answer]
    assert "does not know ☃" in remarks[0][0] and "as far as" in remarks[1][0] and remarks[2] == []


def test_captions_come_back_as_data(server):
    status, headers, body = ask(server, caption="</script><script>alert(1)</script>", count=1)
    assert status == 200 and headers["Content-Type"] == "application/json"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert json.loads(body)["drawn"][0]["caption"] == "</script><script>alert(1)</script>"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "Type a caption"),
        ("caption=%20%0A", "Type a caption"),
        ("caption=a&count=0", "count is '0'"),
        ("caption=a&count=17", "from 1 to 16"),
        ("caption=a&count=many", "whole number"),
        ("caption=a&seed=-1", "seed is '-1'"),
        ("caption=a&seed=1.5", "whole number"),
        ("caption=a&truncation=nan", "truncation is 'nan'"),
        ("caption=" + "x" * 2001, "2,001 characters"),
        ("&".join(["caption=a"] * 9), "9 captions"),
        ("&".join(["caption=a"] * 5) + "&count=16", "80 pictures"),
        ("&".join(["caption=a"] * 40), "cannot be read"),
    ],
)
@pytest.mark.parametrize("path", ["pictures", "grid.png", "pictures.zip"])
def test_a_bad_question_is_answered_with_one_sentence(server, path, query, words):
    status, _, body = get(server, f"{path}?{query}")
    assert status == 400 and words in json.loads(body)["error"]


@pytest.mark.parametrize(
    "path",
    ["nowhere", "index.html", "../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "pictures/../about", "generator.json",
     "demo.html", "pictures.zip/x", "/["],
)  # fmt: skip
def test_no_other_address_leads_anywhere(server, path):
    connection = socket.create_connection(server.server_address[:2], timeout=30)
    with connection, connection.makefile("rb") as answer:  # a client library would tidy the path
        connection.sendall(f"GET /{path} HTTP/1.0\r\n\r\n".encode())
        assert b" 404 " in answer.readline()
        assert b"root:" not in answer.read()


def test_nothing_can_be_sent(server):
    request = urllib.request.Request(server.address, data=b"caption=a", method="POST")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=30)
    assert caught.value.code == 501


def test_a_browser_that_goes_away_disturbs_nobody(server, capfd):
    for text in (b"GET /pictures?caption=a&seed=99 HTTP/1.0\r\n\r\n", b"GET /ab", b"\x16\x03\x01\x02"):
        connection = socket.create_connection(server.server_address[:2], timeout=30)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # reset, not a polite end
        connection.sendall(text)
        connection.close()
    assert drawn(server, caption=CAPTION, count=1)
    assert "Traceback" not in capfd.readouterr().err


def test_a_failure_is_told_and_the_server_goes_on(server, demo, monkeypatch, capfd):
    def fail(*_):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(demo.encoder, "encode", fail)
    status, _, body = ask(server, caption="never drawn before")
    assert status == 500 and "terminal" in json.loads(body)["error"]
    assert "out of memory" in capfd.readouterr().err
    monkeypatch.undo()
    assert drawn(server, caption="never drawn before", count=1)


def test_examples_are_the_captions_of_the_last_sample_grid(tmp_path):
    assert sample_captions(tmp_path) == []
    (tmp_path / "samples").mkdir()
    picture = np.zeros((8, 8, 3), np.uint8)
    for images, captions in ((8, ["old"]), (16, ["a red bird", "a blue bird", "a red bird"])):
        page = draw_grid([Column(caption, [picture]) for caption in captions], ["1"])
        save_grid(page, tmp_path / "samples" / f"{images:09d}.png")
    (tmp_path / "samples" / "000000099.png").write_bytes(b"half written")
    assert sample_captions(tmp_path) == ["a red bird", "a blue bird"]


@pytest.mark.slow
def test_the_script_says_where_it_is_and_ends_with_ctrl_c(make_run):
    run = make_run("one")
    command = [sys.executable, str(SCRIPT), f"run={run}", "port=0", "device=cpu"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline()
        assert line.startswith("page: http://127.0.0.1:"), process.stderr.read()
        address = line.split()[1]
        query = urlencode({"caption": CAPTION, "count": 1})
        assert json.loads(urllib.request.urlopen(f"{address}pictures?{query}", timeout=300).read())["drawn"]
        port = int(address.rstrip("/").rpartition(":")[2])
        taken = script("demo.py", f"run={run}", f"port={port}")
        assert taken.returncode == 2 and taken.stderr.strip() == (
            f"port={port} is in use; give another one, or port=0 for any free one."
        )
        with socket.create_connection(("127.0.0.1", port)):  # a browser with an open connection does not hold it up
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=300)
        assert (process.returncode, out, err) == (0, "ended\n", "")
    finally:
        process.kill()


@pytest.mark.parametrize(("choices", "words"), [([], "run="), slow(["run=/nowhere"], "/nowhere"), (["prot=1"], "prot")])
def test_a_bad_command_is_one_sentence(choices, words):
    result = script("demo.py", *choices)
    assert result.returncode == 2 and len(result.stderr.strip().splitlines()) == 1 and words in result.stderr


def test_settings_that_cannot_be_are_refused(make_run):
    run = make_run("one")
    with pytest.raises(UserError, match="count=0"):
        Demo(run, count=0)
    for host, port, words in (
        ("127.0.0.1", 70000, "port=70000"),
        ("no.such.host.invalid", 0, "host=no.such.host.invalid"),
    ):
        with pytest.raises(UserError, match=words):
            open_server(Demo(run), host, port)


def test_a_generator_without_words_says_so(tmp_path):
    generator = build_generator("one", text_dim=312, image_size=16, base_channels=8)
    GeneratorBundle(TextToImage(generator), TextEncoderId("attributes", "x", 312)).save(tmp_path / "generator")
    with pytest.raises(UserError, match="text=attributes"):
        Demo(tmp_path)


def test_a_caption_may_hold_any_character(server):
    caption = "ein Rotkehlchen & 50% <Größe> +?#"
    status, _, body = get(server, f"pictures?caption={quote(caption)}&count=1")
    assert status == 200 and json.loads(body)["drawn"][0]["caption"] == caption
