import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackgan.data.text_files import check_encoding, clean, lines_of, read_text
from stackgan.errors import UserError

KOREAN = "file,caption\nep.png,검은 날개를 가진 작은 빨간 새\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_unicode_is_told_by_evidence(tmp_path, encoding):
    (tmp_path / "a.txt").write_bytes(KOREAN.encode(encoding))
    assert read_text(tmp_path / "a.txt") == KOREAN


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"ok\na gr\xfcn bird", r"a.txt line 2 is not UTF-8 \(byte 0xFC after 'a gr'\); .*data.encoding=cp1252"),
        ("새\r\n붉은 새".encode("cp949"), "a.txt line 1 is not UTF-8"),
        (b"one\rtwo\rth\xffree", "line 3 is not UTF-8"),
        (b"a\n\x00\x01", "line 2 holds a NUL"),
        (b"\xff\xfea\x00\x00", r"line 1 is not UTF-16"),
        (b"caf\xc3", "line 1 is not UTF-8"),
    ],
)
def test_what_cannot_be_told_is_refused_by_file_and_line(tmp_path, raw, words):
    (tmp_path / "a.txt").write_bytes(raw)
    with pytest.raises(UserError, match=words):
        read_text(tmp_path / "a.txt")


@pytest.mark.parametrize("encoding", ["cp949", "cp1252", "shift_jis", "iso2022_jp"])
def test_an_encoding_that_is_given_is_for_the_files_that_are_not_utf_8(tmp_path, encoding):
    text = {"cp949": "붉은 새", "cp1252": "grün", "shift_jis": "赤い鳥", "iso2022_jp": "赤い鳥"}[encoding]
    (tmp_path / "a.txt").write_bytes(text.encode(encoding))
    (tmp_path / "b.txt").write_bytes(text.encode())
    assert read_text(tmp_path / "a.txt", encoding) == read_text(tmp_path / "b.txt", encoding) == text


def test_an_encoding_that_does_not_exist_is_refused():
    check_encoding("cp949")
    for name in ("utf8-8", "zlib_codec", "base64", "a\0b"):
        with pytest.raises(UserError, match="is no encoding"):
            check_encoding(name)


def test_lines_end_where_an_editor_ends_them():
    assert lines_of("a\r\nb\rc\n\u2028d\x0be") == ["a", "b", "c", "\u2028d\x0be"]
    assert clean("\ufeffa  red\tbird\n\ufeff ") == "a red bird"


@settings(derandomize=True, deadline=None, max_examples=120)
@given(st.binary(max_size=40))
def test_any_bytes_are_text_or_refused(tmp_path_factory, raw):
    path = tmp_path_factory.getbasetemp() / "any.txt"
    path.write_bytes(raw)
    try:
        text = read_text(path)
    except UserError as error:
        assert "any.txt line " in str(error)
        return
    assert "\0" not in text
    known = [raw.decode(name, errors="ignore") for name in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")]
    assert text in known or b"\xa0" in raw
