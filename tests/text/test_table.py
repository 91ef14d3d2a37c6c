import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from stackgan.text import table as table_module
from stackgan.text.table import EmbeddingTable, embed_store


class Letters:
    """Counts letters; remembers what it was asked; can be made to die."""

    name = "letters"
    dim = 26

    def __init__(self, version="1"):
        self.version, self.asked, self.dies_after = version, [], None

    def fingerprint(self):
        return f"fingerprint{self.version}"

    def encode(self, captions):
        if self.dies_after is not None and len(self.asked) >= self.dies_after:
            raise KeyboardInterrupt
        self.asked.extend(captions)
        return np.array([[c.count(chr(97 + k)) for k in range(26)] for c in captions], dtype=np.float32)


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
