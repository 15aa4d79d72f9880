"""What nobody should hand to anything: each probe stands in for one argument of a valid call."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np

import portanet as pn

Probe = Callable[[], Any]

CALLABLE = ("class", "function", "layer")
"""Probes that can be called: no bad ones where a function is wanted."""

DEEP = 3000


def _cyclic_dict() -> Any:
    tree: dict[str, Any] = {}
    tree["self"] = tree
    return tree


def _cyclic_list() -> Any:
    tree: list[Any] = []
    tree.append(tree)
    return tree


def _deep(depth: int = DEEP) -> Any:
    tree: Any = 1.0
    for _ in range(depth):
        tree = {"a": tree}
    return tree


def _structured() -> np.ndarray:
    return np.zeros(2, dtype=[("a", "f4"), ("b", "i4")])


class _Unprintable:
    def __repr__(self) -> str:
        raise ValueError("no text")


OBJECTS: dict[str, Probe] = {
    "None": lambda: None,
    "True": lambda: True,
    "0": lambda: 0,
    "-1": lambda: -1,
    "3": lambda: 3,
    "2.5": lambda: 2.5,
    "1j": lambda: 1j,
    "nan": lambda: math.nan,
    "-inf": lambda: -math.inf,
    "2**70": lambda: 2**70,
    "10**400": lambda: 10**400,
    "10**5000": lambda: 10**5000,
    "text": lambda: "False",
    "bytes": lambda: b"\x00",
    "empty text": lambda: "",
    "empty bytes": lambda: b"",
    "directory": lambda: pathlib.Path("/"),
    "list of numbers": lambda: [1.0, 2.0],
    "list of texts": lambda: ["a"],
    "ragged list": lambda: [[1.0], [1.0, 2.0]],
    "empty tuple": lambda: (),
    "tuple of five": lambda: (1, 2, 3, 4, 5),
    "tuple of None": lambda: (None, None),
    "range": lambda: range(3),
    "generator": lambda: (i for i in range(2)),
    "set": lambda: {1, 2},
    "empty dict": dict,
    "dict": lambda: {"a": 1.0, 2: None},
    "dict of itself": _cyclic_dict,
    "list of itself": _cyclic_list,
    "deep dict": _deep,
    "object": object,
    "unprintable": _Unprintable,
    "class": lambda: int,
    "function": lambda: len,
    "ellipsis": lambda: ...,
    "slice": lambda: slice(None),
    "layer": lambda: pn.Dense(2, 3),
    "key": lambda: pn.random.key(0),
    "np.float64": lambda: np.float64(0.5),
    "np.int8": lambda: np.int8(3),
    "np.bool": lambda: np.True_,
    "np.str": lambda: np.str_("a"),
    "np.datetime64": lambda: np.datetime64("2020-01-01"),
    "dtype": lambda: np.dtype("float32"),
    "array of objects": lambda: np.asarray([None, 1.0], dtype=object),
    "array of texts": lambda: np.asarray(["a", "b"]),
    "array of dates": lambda: np.asarray(["2020-01-01"], dtype="datetime64[D]"),
    "array of records": _structured,
    "masked array": lambda: np.ma.masked_array(np.ones((2, 3), np.float32), mask=True),
    "matrix": lambda: np.ones((2, 3), np.float32).view(np.matrix),
    "other byte order": lambda: np.ones((2, 3), ">f8"),
    "0-d host array": lambda: np.asarray(2.0),
}

SHAPES: dict[str, tuple[tuple[int, ...], str]] = {
    "float": ((), "float32"),
    "float of another dtype": ((), "float64"),
    "floats": ((7,), "float32"),
    "matrix of floats": ((3, 4), "float32"),
    "no floats": ((0,), "float32"),
    "no rows": ((0, 3), "float32"),
    "floats of five axes": ((1, 2, 1, 2, 1), "float32"),
    "float64": ((2, 3), "float64"),
    "integers": ((2, 3), "int32"),
    "large integers": ((2,), "int32"),
    "booleans": ((2, 3), "bool"),
    "complex": ((2, 3), "complex64"),
}


def probes(backend: str) -> dict[str, Probe]:
    """Return the probes by name: objects, arrays of the library, and those of another one."""
    found = dict(OBJECTS)
    adapter = pn.backends.get_backend(backend)

    def array(shape: tuple[int, ...], dtype: str) -> Probe:
        host = np.full(shape, 100 if dtype.startswith("int") else 1, dtype)
        return lambda: adapter.from_numpy(host)

    for name, (shape, dtype) in SHAPES.items():
        if backend != "jax" or dtype != "float64":  # without x64, as JAX comes
            found[f"array: {name}"] = array(shape, dtype)
    other = "numpy" if backend != "numpy" else "array_api_strict"
    stranger = pn.backends.get_backend(other).from_numpy(np.ones((2, 3), np.float32))
    found["array of another library"] = lambda: stranger
    return found
