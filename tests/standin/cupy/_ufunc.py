"""``cupy.ufunc``: the loops of CuPy, each done by NumPy's function on numbers of its dtypes."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from cupy import _index
from cupy._array import SCALARS, dtype_of, host, ndarray, wrap
from cupy._release import TABLE

_REFUSED = {"subtract", "negative", "positive"}  # of booleans, as in NumPy


class ufunc:
    """A function of numbers, entry by entry."""

    def __init__(self, name: str, types: str, casting: str, at: str | None) -> None:
        self.name = self.__name__ = f"cupy_{name}"
        self._short, self._casting, self._at = name, casting, at
        self._host = getattr(np, name)
        self.types = types.split()
        loops = [text.split("->") for text in self.types]
        self._loops = [tuple(tuple(map(np.dtype, part)) for part in loop) for loop in loops]
        self.nin, self.nout = map(len, self._loops[0])
        self.nargs = self.nin + self.nout
        self._chosen: dict[Any, Any] = {}

    def __repr__(self) -> str:
        return f"<ufunc '{self.name}'>"

    def __call__(self, *args: Any, out=None, dtype=None, casting=None, **options: Any) -> Any:
        if options:
            raise TypeError(f"Wrong arguments {options}")
        if not self.nin <= len(args) <= self.nargs:
            raise TypeError(
                f"Wrong number of arguments for {self.name!r}. It must be either {self.nin} or "
                f"{self.nargs} (with outputs), but given {len(args)}."
            )
        if len(args) > self.nin:
            out = args[self.nin] if self.nout == 1 else args[self.nin :]
        given, kinds = [], []
        for x in args[: self.nin]:
            if type(x) is ndarray:
                given.append(host(x))
                kinds.append(x._host.dtype)
            elif isinstance(x, SCALARS):
                given.append(x)
                kinds.append(x.dtype if isinstance(x, np.generic) else _weak(x))
            else:
                raise TypeError(f"Unsupported type {type(x)}")
        inputs, outputs = self._loop(tuple(kinds), dtype)
        done = self._run(given, inputs, outputs)
        if out is None:
            return wrap(done)
        return self._stored(out, done, casting or self._casting)

    def _run(self, given: list[Any], inputs: Any, outputs: Any) -> Any:
        with np.errstate(all="ignore"):
            for i, (x, t) in enumerate(zip(given, inputs, strict=True)):
                if type(x) is not np.ndarray:
                    given[i] = np.asarray(x, t)
                elif x.dtype != t:
                    given[i] = x.real.astype(t) if t.kind != "c" else x.astype(t)
            done = _BODIES.get(self._short, self._host)(*given)
        if self.nout == 1:
            return np.asarray(done, outputs[0], order="C")
        return tuple(np.asarray(y, t, order="C") for y, t in zip(done, outputs, strict=True))

    def _stored(self, out: Any, done: Any, casting: str) -> Any:
        targets = out if isinstance(out, tuple) else (out,)
        for target, y in zip(targets, done if self.nout > 1 else (done,), strict=True):
            if not isinstance(target, ndarray):
                raise TypeError("Output arguments type must be cupy.ndarray")
            if target.shape != y.shape:
                raise ValueError("Out shape is mismatched")
            np.copyto(host(target), y, casting=casting)
        return targets[0] if len(targets) == 1 else targets

    def _loop(self, kinds: tuple[Any, ...], dtype: Any) -> Any:
        key = (kinds, dtype)
        if key not in self._chosen:
            self._chosen[key] = self._found(kinds, dtype)
        loop = self._chosen[key]
        refused = self._short in _REFUSED and loop and loop[0][0].kind == "b"
        if loop is None or refused:
            raise TypeError(f"Wrong type {kinds} of arguments for {self.name}")
        return loop

    def _found(self, kinds: tuple[Any, ...], dtype: Any) -> Any:
        if dtype is not None:
            wanted = dtype_of(dtype)
            return next((x for x in self._loops if set(x[1]) == {wanted}), None)
        strong = [t for t in kinds if isinstance(t, np.dtype)]
        weak = [t for t in kinds if t in (int, float, complex)]
        lenient = bool(strong and weak) and max(map(_rank, strong)) >= max(map(_rank, weak))
        return next((x for x in self._loops if _fits(kinds, x[0], lenient)), None)

    def at(self, a: ndarray, indices: Any, b: Any = None) -> None:
        if self._at is None:
            raise NotImplementedError(f"`{self.name}.at` is not supported yet")
        _index.scatter(self._short, self._at, host(a), indices, host(b))

    def outer(self, a: Any, b: Any, **options: Any) -> Any:
        import cupy

        a, b = map(cupy.array, (a, b))
        return self(a.reshape(a.shape + (1,) * b.ndim), b, **options)

    def reduce(self, array, axis=0, dtype=None, out=None, keepdims=False):
        return getattr(array, self._method("sum", "prod", "reduce"))(axis, dtype, out, keepdims)

    def accumulate(self, array, axis=0, dtype=None, out=None):
        return getattr(array, self._method("cumsum", "cumprod", "accumulate"))(axis, dtype, out)

    def _method(self, added: str, multiplied: str, called: str) -> str:
        names = {"add": added, "multiply": multiplied}
        if self._short not in names:
            raise NotImplementedError(f"`{self.name}.{called}` is not supported yet")
        return names[self._short]


def _weak(x: Any) -> Any:
    """Return the kind of a number of Python: a type that widens no array, or a dtype."""
    if type(x) is bool:
        return np.dtype(bool)
    return np.dtype(np.uint64) if type(x) is int and x >= 2**63 else type(x)


def _rank(kind: Any) -> int:
    if isinstance(kind, np.dtype):
        return {"b": 0, "i": 1, "u": 1}.get(kind.kind, 2)
    return 1 if kind is int else 2


def _fits(kinds: tuple[Any, ...], types: tuple[np.dtype, ...], lenient: bool) -> bool:
    return all(_casts(kind, t, lenient) for kind, t in zip(kinds, types, strict=True))


def _casts(kind: Any, t: np.dtype, lenient: bool) -> bool:
    if isinstance(kind, np.dtype):
        return np.can_cast(kind, t)
    own = np.dtype({int: np.int64, float: np.float64, complex: np.complex128}[kind])
    if np.can_cast(own, t):
        return True
    return lenient and np.result_type(kind(0), t) == t


def _power(x: np.ndarray, y: np.ndarray) -> Any:
    """Integers to powers below zero, which NumPy refuses, are those of C: mostly 0."""
    if y.dtype.kind != "i" or not (y < 0).any():
        return np.power(x, y)
    ones = np.where(y % 2 == 0, np.ones_like(x), x)
    return np.where(y >= 0, np.power(x, np.maximum(y, 0)), np.where(abs(x) == 1, ones, 0))


_BODIES = {"power": _power, "pow": _power}
UFUNCS = {name: ufunc(name, **loops) for name, loops in TABLE["cupy"]["ufuncs"].items()}

_OPERATORS = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "true_divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "pow": "power",
    "lshift": "left_shift",
    "rshift": "right_shift",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
    "divmod": "divmod",
}
_COMPARISONS = {
    "lt": "less",
    "le": "less_equal",
    "eq": "equal",
    "ne": "not_equal",
    "gt": "greater",
    "ge": "greater_equal",
}


def _defers(other: Any) -> bool:
    """Whether an operator leaves the work to its right operand."""
    if hasattr(other, "__array_ufunc__"):
        return other.__array_ufunc__ is None
    return getattr(other, "__array_priority__", 0) > ndarray.__array_priority__


def _binary(function: ufunc, reflected: bool) -> Any:
    def method(self: ndarray, other: Any) -> Any:
        args = (other, self) if reflected else (self, other)
        if isinstance(other, (ndarray, *SCALARS)):
            return function(*args)
        return NotImplemented if _defers(other) else function._host(*args)

    return method


def _comparison(function: ufunc, symbol: str) -> Any:
    def method(self: ndarray, other: Any) -> Any:
        if isinstance(other, (ndarray, *SCALARS)):
            return function(self, other)
        if _defers(other):
            return NotImplemented
        if symbol in ("eq", "ne") and (other is None or type(other).__eq__ is object.__eq__):
            return wrap(np.full(self.shape, symbol == "ne"))
        return function._host(self, other.item() if np.shape(other) == () else other)

    return method


def _in_place(function: ufunc) -> Any:
    def method(self: ndarray, other: Any) -> Any:
        return function(self, other, out=self)

    return method


def _power_of(self: ndarray, other: Any, modulo: Any = None) -> Any:
    fast = {2: "square"} if type(other) is int else {0.5: "sqrt", 2.0: "square", -1.0: "reciprocal"}
    if type(other) in (int, float) and other in fast and self.dtype.kind in "fc":
        return UFUNCS[fast[other]](self)
    return _binary(UFUNCS["power"], False)(self, other)


for _symbol, _name in _OPERATORS.items():
    setattr(ndarray, f"__{_symbol}__", _binary(UFUNCS[_name], False))
    setattr(ndarray, f"__r{_symbol}__", _binary(UFUNCS[_name], True))
    if hasattr(operator, f"i{_symbol}"):
        setattr(ndarray, f"__i{_symbol}__", _in_place(UFUNCS[_name]))
for _symbol, _name in _COMPARISONS.items():
    setattr(ndarray, f"__{_symbol}__", _comparison(UFUNCS[_name], _symbol))
_UNARY = {"neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert"}
for _symbol, _name in _UNARY.items():
    setattr(ndarray, f"__{_symbol}__", lambda self, f=UFUNCS[_name]: f(self))
ndarray.__pow__ = _power_of
