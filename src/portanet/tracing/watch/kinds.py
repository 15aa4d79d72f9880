"""Kinds of objects by what can change in them."""

from __future__ import annotations

import dataclasses
import enum
import functools
import io
import random
import threading
import types
import typing
from collections.abc import Mapping
from typing import Any

import numpy as np

from portanet.random import Key
from portanet.tape import Box

_CONSTANT = (
    bool, int, float, complex, str, bytes, range, slice,
    type(None), type(...), type(NotImplemented), enum.Enum,
    np.generic, np.dtype, np.ufunc, Key, Box, type(threading.Lock()), type(threading.RLock()),
    types.CodeType, types.GenericAlias, types.UnionType, types.WrapperDescriptorType,
    types.MethodDescriptorType, types.MethodWrapperType, types.ClassMethodDescriptorType,
    types.GetSetDescriptorType, types.MemberDescriptorType, typing.TypeVar, typing.ParamSpec,
)  # fmt: skip
# Modules whose objects stay as they are, or are only written to; they need not be imported here.
_OF_CONSTANTS = frozenset(
    {"datetime", "decimal", "fractions", "logging", "pathlib", "re", "typing", "uuid", "zoneinfo"}
)
DRAWING = (np.random.Generator, np.random.RandomState, random.Random)
CACHED = type(functools.lru_cache(lambda: None))

# Functions that show what changes by itself, by the module that has them.
CLOCKS: Mapping[str, frozenset[str]] = {
    "datetime": frozenset({"now", "today", "utcnow"}),
    "os": frozenset({"environ", "getenv", "getenvb", "environb", "urandom"}),
    "secrets": frozenset({"choice", "randbelow", "randbits", "token_bytes", "token_hex"}),
    "time": frozenset(
        f"{name}{unit}"
        for name in ("time", "perf_counter", "monotonic", "process_time", "thread_time")
        for unit in ("", "_ns")
    ),
    "uuid": frozenset({"uuid1", "uuid4"}),
}
# Built-in functions that read names which no code names.
BY_COMPUTED_NAME = frozenset({"getattr", "hasattr", "vars", "dir"})
UNFORESEEABLE = frozenset({"eval", "exec", "globals", "locals", "input", "open", "__import__"})


def is_constant(x: Any) -> bool:
    """Whether nothing can change in an object, or nothing is read from it."""
    if isinstance(x, _CONSTANT) or type(x).__module__ in _OF_CONSTANTS:
        return True
    return isinstance(x, io.IOBase) and not x.closed and not x.readable()


def is_frozen(kind: type) -> bool:
    """Whether a class is that of a dataclass whose fields stay as they are."""
    parameters = getattr(kind, "__dataclass_params__", None)
    return parameters is not None and parameters.frozen


def is_record(kind: type) -> bool:
    """Whether the objects of a library's class are nothing but their attributes."""
    named = (kind.__module__, kind.__name__) in {
        ("types", "SimpleNamespace"),
        ("argparse", "Namespace"),
    }
    return named or dataclasses.is_dataclass(kind)


def is_read_only(x: Any) -> bool:
    """Whether nobody can write into an array of NumPy."""
    while isinstance(x, np.ndarray):
        if x.flags.writeable:
            return False
        x = x.base
    return x is None or isinstance(x, bytes)
