"""Reading pickles of strings, lists, dictionaries and float arrays without trusting them.

A pickle is a program. Here it can call nothing but the classes below, which take the place of numpy's own: each checks
what it is given, and none runs numpy code on a state that the file made up.
"""

import pickle
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from stackgan.errors import UserError

_FLOATS = ("f2", "f4", "f8")


class _Dtype:
    """Stands for numpy.dtype: floats only."""

    def __init__(self, kind: str, *_: Any) -> None:
        self._kind = kind.lstrip("<>=")
        self._order = ">" if kind.startswith(">") else "<"
        if self._kind not in _FLOATS:
            raise pickle.UnpicklingError(f"arrays of {kind!r} are not read")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self._order = ">" if state[1] == ">" else "<"

    def numpy(self) -> np.dtype[Any]:
        return np.dtype(self._order + self._kind)


class _Array:
    """Stands for numpy.ndarray."""

    value: np.ndarray

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, raw = state
        self.value = _make(raw, dtype, shape, "F" if fortran else "C")


def _make(raw: Any, dtype: Any, shape: Any, order: str) -> np.ndarray:
    if isinstance(raw, str):
        raw = raw.encode("latin-1")  # Python 2 wrote bytes as a string
    if not isinstance(dtype, _Dtype) or not isinstance(raw, bytes | bytearray):
        raise pickle.UnpicklingError("an array is not described as numpy does")
    if not isinstance(shape, tuple) or prod(shape) * dtype.numpy().itemsize != len(raw):
        raise pickle.UnpicklingError("an array's shape does not fit its data")
    array = np.frombuffer(raw, dtype=dtype.numpy())
    return array.reshape(shape, order="F" if order == "F" else "C")


def _reconstruct(*_: Any) -> _Array:
    return _Array()


def _from_buffer(raw: Any, dtype: Any, shape: Any, order: str, *_: Any) -> _Array:
    array = _Array()
    array.value = _make(raw, dtype, shape, order)
    return array


def _no_bytes() -> bytes:
    return b""


def _encode(text: str, encoding: str = "latin1") -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"the encoding {encoding!r} is not read")
    return text.encode("latin-1")


_ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,  # since numpy 2
    ("numpy.core.numeric", "_frombuffer"): _from_buffer,  # pickle protocol 5
    ("numpy._core.numeric", "_frombuffer"): _from_buffer,
    ("_codecs", "encode"): _encode,  # how Python 3 writes bytes for Python 2
    ("__builtin__", "bytes"): _no_bytes,  # and how it writes none
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no array needs") from None

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("it refers to objects outside the file")


def load(path: Path) -> Any:
    """The file's object: strings, numbers, lists, tuples and dictionaries by name, with arrays as numpy.ndarray.

    Raises:
        UserError: the file is missing, is no pickle, or asks for anything else; nothing of it has then been executed.
    """
    try:
        with open(path, "rb") as file:
            return _plain(_read(file))
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist; it belongs to StackGAN's release of the embeddings.") from error
    except Exception as error:  # a hostile or cut-off pickle can end in any exception; none of its code has run
        raise UserError(
            f"{path} is refused as a pickle of arrays ({error}); take the file as it was released."
        ) from error


def _read(file: BinaryIO) -> Any:
    return _Unpickler(file, encoding="latin1").load()


def _plain(value: Any) -> Any:
    if isinstance(value, _Array):
        return value.value
    if isinstance(value, list | tuple):
        return [_plain(element) for element in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _plain(element) for key, element in value.items()}
    if not isinstance(value, str | bytes | int | float | None):
        raise pickle.UnpicklingError(f"it holds a {type(value).__name__}")
    return value
