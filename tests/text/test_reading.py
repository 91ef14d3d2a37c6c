"""What of the captions an encoder does not read."""

import pytest

from stackgan.text import minilm_files
from stackgan.text.minilm import MiniLM
from stackgan.text.reading import unread_notes

pytest.importorskip(minilm_files.PACKAGE, reason="the packaged MiniLM weights are not installed")


@pytest.fixture(scope="module")
def encoder():
    return MiniLM()


@pytest.mark.parametrize(
    ("caption", "unknown"),
    [
        ("검은 날개를 가진 작은 빨간 새", "검은, 날개를, 가진, 작은, 빨간 and 1 more words"),
        ("一只红色的小鸟", "一只红色的小鸟"),
        ("黒い翼を持つ小さな赤い鳥", "黒い翼を持つ小さな赤い鳥"),
        ("пёс", "пёс"),
        ("طائر أحمر", "طائر, أحمر"),
        ("μικρό πουλί", "μικρό, πουλί"),
        ("लाल चिड़िया", "लाल, चिड़िया"),
        ("นกสีแดง", "นกสีแดง"),
        ("🐦🔴", "🐦🔴"),
        ("3 🐦", "🐦"),
        ("빨간 새 red bird", None),
    ],
)
def test_words_that_are_not_understood_are_named(encoder, caption, unknown):
    remarks = " ".join(encoder.remarks(caption))
    assert "does not know" in remarks
    if unknown is None:
        assert "none of the caption's words" not in remarks
    else:
        assert remarks == f"The text encoder does not know {unknown}: none of the caption's words counts."


@pytest.mark.parametrize(
    "caption",
    [
        "a bird, “red”… — and 3 km² of naïve café",
        "cafe\u0301",
        "größter weißer Vogel",
        "k\u0131rm\u0131z\u0131 ku\u015f",
        "mały ptak",
        "màu đỏ",
        "",
    ],
)
def test_accents_and_other_languages_in_latin_letters_are_not_remarked_on(encoder, caption):
    assert encoder.remarks(caption) == []


def test_the_rest_of_a_long_caption_is_remarked_on(encoder):
    (remark,) = encoder.remarks("small bird " * 200)
    assert "as far as “small bird small bird”" in remark


def test_a_data_set_has_one_note_of_each_kind_with_its_first_image(encoder, make_store):
    store = make_store(
        [["a red bird"], ["a bird 🐦", "빨간 새"], ["빨간 새", "bird " * 300]], ["a.png", "b.png", "c.png"]
    )
    unknown, cut = unread_notes(store, encoder)
    assert unknown.startswith(
        "3 of 5 captions hold words that text=minilm does not know, 2 of them no other words, such as '🐦' (first: b.png)"
    )
    assert "text=multilingual" in unknown
    assert cut.startswith("1 of 5 captions are longer than text=minilm reads") and "(first: c.png)" in cut
    assert unread_notes(make_store([["a red bird"]], ["d.png"]), encoder) == []


def test_the_count_is_kept_with_the_table(encoder, make_store, tmp_path, monkeypatch):
    store = make_store([["빨간 새"]])
    notes = unread_notes(store, encoder, tmp_path)
    monkeypatch.setattr("stackgan.text.reading._count", lambda *_: pytest.fail("counted again"))
    assert unread_notes(store, encoder, tmp_path) == notes != []


def test_captions_of_plain_english_are_not_tokenised_for_it(make_store):
    class Untouched:
        name, LIMIT = "minilm", 256

        def readings(self, captions):
            pytest.fail("tokenised")

    assert unread_notes(make_store([["a small bird, red and black. " * 8]]), Untouched()) == []
