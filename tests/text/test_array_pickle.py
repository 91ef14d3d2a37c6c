import os
import pickle
import re

import numpy as np
import pytest

from stackgan.errors import UserError
from stackgan.text import array_pickle

ARRAYS = [
    np.arange(6, dtype=np.float32).reshape(2, 3),
    np.asfortranarray(np.eye(3)[:, :2]),
    np.ones((0, 4), np.float16),
]


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_of_every_protocol_come_back(tmp_path, protocol):
    (tmp_path / "a").write_bytes(pickle.dumps(ARRAYS, protocol))
    for loaded, array in zip(array_pickle.load(tmp_path / "a"), ARRAYS, strict=True):
        np.testing.assert_array_equal(loaded, array)
        assert loaded.dtype == array.dtype


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_numpy_one_called_its_core_otherwise(tmp_path, protocol):
    data = pickle.dumps(ARRAYS[0], protocol)
    if protocol < 4:
        data = data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    else:  # names carry their length, so does the frame
        data = data.replace(b"\x16numpy._core.multiarray", b"\x15numpy.core.multiarray")
        data = data[:3] + (int.from_bytes(data[3:11], "little") - 1).to_bytes(8, "little") + data[11:]
    assert b"numpy.core.multiarray" in data
    (tmp_path / "a").write_bytes(data)
    np.testing.assert_array_equal(array_pickle.load(tmp_path / "a"), ARRAYS[0])


def test_python_two_wrote_bytes_as_strings(tmp_path):
    """What Python 2's cPickle writes for numpy.array([[1, 200]], '>f4') at protocol 2, opcode by opcode."""
    raw = np.array([[1.5, 200.25]], ">f4").tobytes()
    data = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87R"
        b"(K\x01K\x01K\x02\x86cnumpy\ndtype\nq\x03U\x02f4K\x00K\x01\x87R"
        b"(K\x03U\x01>NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U" + bytes([len(raw)]) + raw + b"tb."
    )
    (tmp_path / "a").write_bytes(data)
    assert array_pickle.load(tmp_path / "a").tolist() == [[1.5, 200.25]]


def test_big_endian_and_strings(tmp_path):
    value = {"big": np.array([1.5], ">f8")}["big"], ["name", 3, 2.5]
    (tmp_path / "a").write_bytes(pickle.dumps(value, 2))
    array, plain = array_pickle.load(tmp_path / "a")
    assert array.tolist() == [1.5] and plain == ["name", 3, 2.5]


@pytest.mark.parametrize("protocol", [2, 5])
def test_dictionaries_by_name_come_back(tmp_path, protocol):
    (tmp_path / "a").write_bytes(pickle.dumps({"layer": {"kernel": ARRAYS[0]}}, protocol))
    np.testing.assert_array_equal(array_pickle.load(tmp_path / "a")["layer"]["kernel"], ARRAYS[0])


class Evil:
    def __init__(self, function, *arguments):
        self.what = function, arguments

    def __reduce__(self):
        return self.what


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_hostile_pickle_executes_nothing(tmp_path, protocol):
    mark = tmp_path / "mark"
    for evil in Evil(os.system, f"touch {mark}"), Evil(eval, f"open({str(mark)!r}, 'w')"), Evil(os.mkdir, str(mark)):
        (tmp_path / "a").write_bytes(pickle.dumps([ARRAYS[0], evil], protocol))
        with pytest.raises(UserError, match="refused"):
            array_pickle.load(tmp_path / "a")
        assert not mark.exists()


@pytest.mark.parametrize(
    "value",
    [
        np.array([1, 2]),  # integers are no embeddings
        np.array([object()]),
        np.array(["text"]),
        np.zeros(2, dtype=[("x", "f4")]),
        {1: "a"},
        np.float32(1.0),
        Evil(np.ndarray, (4,), "f4"),
        Evil(np.dtype, "O"),
        Evil(bytes, 10),
    ],
    ids=[
        "integers",
        "objects",
        "text",
        "structured",
        "dict by number",
        "scalar",
        "ndarray call",
        "dtype call",
        "bytes call",
    ],
)
@pytest.mark.parametrize("protocol", [2, 5])
def test_anything_but_float_arrays_is_refused(tmp_path, value, protocol):
    (tmp_path / "a").write_bytes(pickle.dumps([value], protocol))
    with pytest.raises(UserError, match="refused"):
        array_pickle.load(tmp_path / "a")


def test_a_shape_that_does_not_fit_the_data_is_refused(tmp_path):
    data = pickle.dumps(np.ones((2, 3), np.float32), 2)
    assert data.count(b"K\x02K\x03\x86") == 1
    (tmp_path / "a").write_bytes(data.replace(b"K\x02K\x03\x86", b"K\x09K\x03\x86"))
    with pytest.raises(UserError, match="shape"):
        array_pickle.load(tmp_path / "a")


@pytest.mark.parametrize("data", [b"", b"garbage", pickle.dumps(ARRAYS, 4)[:-40], b"cnumpy\nndarray\n.", b"(l(ld."])
def test_broken_files_are_refused(tmp_path, data):
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(UserError, match=re.escape(str(tmp_path / "a"))):
        array_pickle.load(tmp_path / "a")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        array_pickle.load(tmp_path / "a")


def test_the_releases_file_names_are_read(cub_metadata):
    names = array_pickle.load(cub_metadata / "reed_split" / "train" / "filenames.pickle")
    assert len(names) == 8855 and names[0] == "002.Laysan_Albatross/Laysan_Albatross_0002_1027"
