import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from stackgan.text import table as table_module
from stackgan.text.table import EmbeddingTable, embed_store


class Letters:
    """Counts letters; remembers what it was asked; can be made to die, and to be off by some part of the vector."""

    name = "letters"
    dim = 26

    def __init__(self, version="1", error=0.0):
        self.version, self.asked, self.dies_after, self.error = version, [], None, error

    def fingerprint(self):
        return f"fingerprint{self.version}"

    def encode(self, captions):
        counts = np.array([[c.count(chr(97 + k)) for k in range(26)] for c in captions], dtype=np.float32)
        return counts + self.error * np.linalg.norm(counts, axis=1, keepdims=True)

    def encode_by_length(self, captions):
        for row in sorted(range(len(captions)), key=lambda row: -len(captions[row])):
            if self.dies_after is not None and len(self.asked) >= self.dies_after:
                raise KeyboardInterrupt
            self.asked.append(captions[row])
            yield [row], self.encode([captions[row]])


def fast(error=0.001):
    """The same in fewer digits."""
    return Letters("1-bf16", error)


CAPTIONS = [["a red bird", "a bird"], ["a blue bird"], ["a bird", "a red bird", "zebra"]]


def assert_table_is_of(table, captions):
    expected = Letters().encode([c for group in captions for c in group])
    np.testing.assert_array_equal(table.vectors, expected)
    assert table.starts.tolist() == np.cumsum([0, *map(len, captions)]).tolist()


def test_each_caption_has_its_row_and_is_embedded_once(make_store, tmp_path):
    encoder = Letters()
    table = embed_store(make_store(CAPTIONS), encoder, tmp_path)
    assert_table_is_of(table, CAPTIONS)
    assert sorted(encoder.asked) == ["a bird", "a blue bird", "a red bird", "zebra"]
    assert (table.dim, table.encoder, table.encoder_name) == (26, "fingerprint1", "letters")
    assert isinstance(table.vectors, np.memmap) and table.vectors.dtype == np.float32
    assert table.counts().tolist() == [2, 1, 3]


def test_a_second_run_asks_nothing(make_store, tmp_path):
    store = make_store(CAPTIONS)
    embed_store(store, Letters(), tmp_path)
    again = Letters()
    assert_table_is_of(embed_store(store, again, tmp_path), CAPTIONS)
    assert again.asked == []


def test_another_data_set_embeds_only_its_new_captions(make_store, tmp_path):
    embed_store(make_store(CAPTIONS), Letters(), tmp_path)
    more = [["zebra"], ["a new bird", "a bird"]]
    encoder = Letters()
    assert_table_is_of(embed_store(make_store(more), encoder, tmp_path), more)
    assert encoder.asked == ["a new bird"]


def test_another_encoder_starts_afresh(make_store, tmp_path):
    store = make_store(CAPTIONS)
    embed_store(store, Letters(), tmp_path)
    other = Letters("2")
    assert embed_store(store, other, tmp_path).encoder == "fingerprint2"
    assert len(other.asked) == 4


def test_an_interrupted_run_goes_on(make_store, tmp_path, monkeypatch):
    monkeypatch.setattr(table_module, "CHUNK", 3)
    captions = [[f"bird {chr(97 + i)}" for i in range(20)]]
    store = make_store(captions)
    first = Letters()
    first.dies_after = 6
    with pytest.raises(KeyboardInterrupt):
        embed_store(store, first, tmp_path)
    assert len(first.asked) == 6
    second = Letters()
    assert_table_is_of(embed_store(store, second, tmp_path), captions)
    assert len(second.asked) == 14 and not set(first.asked) & set(second.asked)
    assert not list(tmp_path.rglob("part-*"))  # the table has them all


def test_jobs_that_start_together_embed_each_caption_once(make_store, tmp_path):
    store, encoder = make_store(CAPTIONS), Letters()
    with ThreadPoolExecutor(4) as pool:
        tables = list(pool.map(lambda _: embed_store(store, encoder, tmp_path), range(4)))
    for table in tables:
        assert_table_is_of(table, CAPTIONS)
    assert len(encoder.asked) == 4


def test_equal_captions_in_other_groups_are_another_table(make_store, tmp_path):
    one = embed_store(make_store([["x", "y"], ["z"]]), Letters(), tmp_path)
    two = embed_store(make_store([["x"], ["y", "z"]]), Letters(), tmp_path)
    assert one.starts.tolist() == [0, 2, 3] and two.starts.tolist() == [0, 1, 3]


def test_a_row_for_a_caption(make_store, tmp_path):
    table = embed_store(make_store(CAPTIONS), Letters(), tmp_path)
    np.testing.assert_array_equal(table.row(2, 2), Letters().encode(["zebra"])[0])
    single = EmbeddingTable(np.eye(2, dtype=np.float32), np.array([0, 1, 2]), 2, "e", "attributes")
    np.testing.assert_array_equal(single.row(1, 7), [0, 1])


def test_a_pickled_table_is_its_path(make_store, tmp_path):
    table = embed_store(make_store([["bird"] * 500]), Letters(), tmp_path)
    data = pickle.dumps(table)
    assert len(data) < 1000
    copy = pickle.loads(data)
    np.testing.assert_array_equal(copy.vectors, table.vectors)
    assert (copy.encoder, copy.encoder_name) == (table.encoder, table.encoder_name)


def test_all_captions_are_embedded_longest_first(make_store, tmp_path, monkeypatch):
    monkeypatch.setattr(table_module, "CHUNK", 2)
    encoder = Letters()
    embed_store(make_store([["a bird", "a very long red bird"], ["bird", "a red bird", "one"]]), encoder, tmp_path)
    assert [len(text) for text in encoder.asked] == sorted(map(len, encoder.asked), reverse=True)


def test_the_faster_encoder_makes_the_table_and_the_fingerprint_says_so(make_store, tmp_path):
    store, exact, faster = make_store(CAPTIONS), Letters(), fast()
    table = embed_store(store, exact, tmp_path, faster=faster)
    assert table.encoder == "fingerprint1-bf16" and len(faster.asked) == 4 and exact.asked == []
    again = embed_store(store, Letters(), tmp_path, faster=(second := fast()))
    assert again.encoder == "fingerprint1-bf16" and second.asked == []


def test_vectors_of_two_precisions_never_meet_in_one_table(make_store, tmp_path):
    embed_store(make_store([["a bird", "zebra"]]), Letters(), tmp_path)
    many = [["a bird", "zebra", *(f"bird {chr(97 + i)}" for i in range(20))]]
    faster = fast()
    table = embed_store(make_store(many), Letters(), tmp_path, faster=faster)
    assert len(faster.asked) == 22  # also the two that are there in float32
    np.testing.assert_allclose(table.vectors, fast().encode(many[0]), rtol=1e-6)


def test_a_cache_made_in_float32_is_not_made_again_where_there_is_bfloat16(make_store, tmp_path):
    store = make_store(CAPTIONS)
    embed_store(store, Letters(), tmp_path)
    assert embed_store(store, Letters(), tmp_path, faster=fast()).encoder == "fingerprint1"
    more, exact, faster = [*CAPTIONS, ["a new bird"]], Letters(), fast()
    table = embed_store(make_store(more), exact, tmp_path, faster=faster)
    assert table.encoder == "fingerprint1" and exact.asked == ["a new bird"] and faster.asked == []
    assert_table_is_of(table, more)


def test_a_table_made_in_bfloat16_is_used_where_there_is_none(make_store, tmp_path):
    store, exact = make_store(CAPTIONS), Letters()
    embed_store(store, Letters(), tmp_path, faster=fast())
    assert embed_store(store, exact, tmp_path).encoder == "fingerprint1-bf16" and exact.asked == []
    more = [*CAPTIONS, ["a new bird"]]
    assert_table_is_of(embed_store(make_store(more), exact, tmp_path), more)  # an unfinished one is made in float32


@pytest.mark.parametrize("error", [0.5, float("nan")])
def test_a_processor_whose_bfloat16_disagrees_embeds_in_float32_and_says_so(make_store, tmp_path, capsys, error):
    faster = fast(error)
    table = embed_store(make_store(CAPTIONS), Letters(), tmp_path, faster=faster)
    assert_table_is_of(table, CAPTIONS)
    assert table.encoder == "fingerprint1" and faster.asked == []
    assert "float32" in capsys.readouterr().err
