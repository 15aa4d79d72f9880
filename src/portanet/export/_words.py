"""How NumPy's users write each operation of the standard."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from portanet.errors import ArgumentError
from portanet.export._helpers import (
    ADDED,
    CHECKED_INDEX,
    DESCENDING,
    PATCH_PRODUCT,
    WINDOW_MAX,
    WINDOW_PATCHES,
)
from portanet.tracing.program import Operation

ATOM, _POWER, _UNARY, _PRODUCT, _SUM, _SHIFT, _AND, _XOR, _OR, _COMPARISON = range(10)
"""How loosely the parts of an expression hold together."""

_OPERATORS = {
    "add": ("+", _SUM), "subtract": ("-", _SUM), "multiply": ("*", _PRODUCT),
    "divide": ("/", _PRODUCT), "floor_divide": ("//", _PRODUCT), "remainder": ("%", _PRODUCT),
    "matmul": ("@", _PRODUCT), "pow": ("**", _POWER), "equal": ("==", _COMPARISON),
    "not_equal": ("!=", _COMPARISON), "less": ("<", _COMPARISON),
    "less_equal": ("<=", _COMPARISON), "greater": (">", _COMPARISON),
    "greater_equal": (">=", _COMPARISON), "bitwise_and": ("&", _AND), "bitwise_or": ("|", _OR),
    "bitwise_xor": ("^", _XOR), "bitwise_left_shift": ("<<", _SHIFT),
    "bitwise_right_shift": (">>", _SHIFT),
}  # fmt: skip
_SIGNS = {"negative": "-", "positive": "+", "bitwise_invert": "~"}
_METHODS = {
    "astype": "astype({})",
    "convert": "astype({})",
    "matrix_transpose": "mT",
    "permute_dims": "transpose({})",
    "reshape": "reshape({})",
}
_OTHER_NAMES = {
    "clip_between": "clip",
    "concat_arrays": "concatenate",
    "differences": "diff",
    "linalg.pinv_within": "linalg.pinv",
    "sign_of_complex": "sign",
    "stack_arrays": "stack",
}
# What NumPy rounds at every step: functions that take the dtype to work in, and others.
_HALF = frozenset(("sum", "mean", "prod", "cumulative_sum", "cumulative_prod", "std", "var"))
_HALF_NORMS = frozenset(("linalg.vector_norm", "linalg.matrix_norm"))


@dataclass(frozen=True)
class Expression:
    """A text, how loosely its parts hold together, and the helper that it calls or ''."""

    text: str
    level: int = ATOM
    helper: str = ""


class Texts(Protocol):
    """Whoever knows what the arguments of an operation are called."""

    def operand(self, x: Any, loosest: int) -> str:
        """Return the text of an argument, in parentheses if it is looser than `loosest`."""
        ...

    def argument(self, x: Any) -> str:
        """Return the text of an argument between the commas of a call."""
        ...

    def subscript(self, key: Any) -> str:
        """Return the text of an index between brackets."""
        ...


def has_words(name: str) -> bool:
    """Whether NumPy's users have a way to write an operation."""
    known = {*_OPERATORS, *_SIGNS, *_METHODS, *_SPECIAL, "getitem", "part"}
    return name in known or _is_of_numpy(_path(name))


def expression(operation: Operation, texts: Texts) -> Expression:
    """Return the expression of an operation.

    Raises
    ------
    ArgumentError
        Where NumPy has no such operation.
    """
    name = operation.name
    args, options = operation.args, dict(operation.options)
    options.pop("device", None)
    if name in ("getitem", "part"):
        return Expression(f"{texts.operand(args[0], ATOM)}[{texts.subscript(args[1])}]")
    if name in _OPERATORS and len(args) == 2 and not options and _by_sign(operation):
        sign, level = _OPERATORS[name]
        tight = level - 1 if level in (_POWER, _COMPARISON) else level
        left, right = texts.operand(args[0], tight), texts.operand(args[1], level - 1)
        return Expression(f"{left} {sign} {right}", level)
    if name in _SIGNS and not options:
        return Expression(f"{_SIGNS[name]}{texts.operand(args[0], ATOM)}", _UNARY)
    if name in _METHODS:
        method = _METHODS[name].format(*map(texts.argument, args[1:]))
        return Expression(f"{texts.operand(args[0], ATOM)}.{method}")
    named = {k: texts.argument(x) for k, x in options.items()}
    special = _SPECIAL.get(name)
    if special is not None:
        return special(list(map(texts.argument, args)), named)
    return _call(operation, list(map(texts.argument, args)), named)


def _by_sign(operation: Operation) -> bool:
    """Whether Python's sign does the same: a power of booleans has another dtype by it."""
    return operation.name != "pow" or operation.primitive.compute is operator.pow


def _call(operation: Operation, args: list[str], named: dict[str, str]) -> Expression:
    path = _path(operation.name)
    if not _is_of_numpy(path):
        raise ArgumentError(f"NumPy has no {operation.name!r}, which the exported function calls")
    dtype = str(operation.result.dtype)
    half = operation.name in _HALF and dtype == "float16"
    if half:
        named["dtype"] = "np.float32"
    if operation.name in _HALF_NORMS and dtype == "float16":
        args, half = [f"({args[0]}).astype(np.float32)", *args[1:]], True
    if operation.name in ("concat_arrays", "stack_arrays"):
        args = [f"({', '.join(args)}{',' * (len(args) == 1)})"]
        return Expression(f"np.{path}({', '.join(args)}, axis={named['axis']})")
    args += [f"{k}={x}" for k, x in named.items() if (k, x) not in _DEFAULTS]
    text = f"np.{path}({', '.join(args)})"
    rounds = half or (dtype == "bool" and path == "clip")  # of booleans NumPy makes integers
    return Expression(f"{text}.astype(np.{dtype})" if rounds else text)


_DEFAULTS = frozenset(
    (("axis", "None"), ("copy", "None"), ("dtype", "None"), ("keepdims", "False"))
)


def _path(name: str) -> str:
    return _OTHER_NAMES.get(name, name).removeprefix("numpy.")


def _is_of_numpy(path: str) -> bool:
    found: Any = np
    for part in path.split("."):
        found = getattr(found, part, None)
    return callable(found)


Special = Callable[[list[str], dict[str, str]], Expression]


def _sorted(name: str) -> Special:
    def write(args: list[str], named: dict[str, str]) -> Expression:
        axis = named.get("axis", "-1")
        if named.get("descending", "False") == "False":
            return Expression(f"np.{name}({args[0]}, axis={axis}, stable=True)")
        if name == "sort":
            return Expression(f"np.flip(np.sort({args[0]}, axis={axis}), axis={axis})")
        turned = f"np.argsort(np.flip({args[0]}, axis={axis}), axis={axis}, stable=True)"
        return Expression(f"descending({turned}, {axis})", helper=DESCENDING)

    return write


def _checked(args: list[str], named: dict[str, str]) -> Expression:
    return Expression(f"checked_index({', '.join(args)})", helper=CHECKED_INDEX)


def _scatter_getitem(args: list[str], named: dict[str, str]) -> Expression:
    return Expression(f"added({', '.join(args)})", helper=ADDED)


def _scatter_take(args: list[str], named: dict[str, str]) -> Expression:
    g, indices, axis, shape = args
    places = f"({'slice(None), ' * int(axis)}{indices},)"
    return Expression(f"added({g}, {places}, {shape})", helper=ADDED)


def _scatter_sum(args: list[str], named: dict[str, str]) -> Expression:
    parts = (f"added({g}, {named['keys']}[{i}], {named['shape']})" for i, g in enumerate(args))
    return Expression(" + ".join(parts), _SUM, ADDED)


def _windowed(helper: str, name: str) -> Special:
    def write(args: list[str], named: dict[str, str]) -> Expression:
        return Expression(f"{name}({args[0]}, {named['shape']})", helper=helper)

    return write


def _patch_product(args: list[str], named: dict[str, str]) -> Expression:
    bias = args[2] if len(args) > 2 and args[2] != "None" else "0"
    text = f"patch_product({args[0]}, {args[1]}, {bias}, {named['cut']})"
    return Expression(text, helper=PATCH_PRODUCT)


_SPECIAL: dict[str, Special] = {
    "argsort": _sorted("argsort"),
    "checked_index": _checked,
    "patch_product": _patch_product,
    "scatter_getitem": _scatter_getitem,
    "scatter_sum": _scatter_sum,
    "scatter_take": _scatter_take,
    "sort": _sorted("sort"),
    "window_max": _windowed(WINDOW_MAX, "window_max"),
    "window_patches": _windowed(WINDOW_PATCHES, "window_patches"),
}
