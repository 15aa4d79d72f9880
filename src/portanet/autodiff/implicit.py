"""Implicit parameters: arrays with an identity, differentiated without being passed along."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

from portanet import trees
from portanet.errors import DTypeError, ParameterTreeError, TracedValueError
from portanet.interface import array_namespace, is_array
from portanet.tape.box import Box, strip
from portanet.tape.trace import call

_NOTHING: Mapping[int, Any] = MappingProxyType({})
_bindings: ContextVar[Mapping[int, Any]] = ContextVar("portanet_bindings", default=_NOTHING)


class _Unwrapping:
    """The trace that a parameter seems to be in: it hands every call on with the arrays inside."""

    level = float("inf")
    asked = False  # of an array inside, its own trace is

    def process(self, primitive: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        return call(primitive, [unwrap(x) for x in args], kwargs)


class Param(Box):
    """A named place for an array, usable in expressions like the array itself.

    The one deliberately mutable thing of portanet, for code in the style of Flux: its array is
    replaced, never written into.

    Parameters
    ----------
    value : array
        Real or complex floating point.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> w = pn.Param(np.array([1.0, 2.0]))
    >>> gradients = pn.gradient(lambda: (w * w).sum(), pn.params(w))
    >>> w -= 0.5 * gradients[w]
    >>> w
    Param(array([0., 0.]))
    """

    owner = _Unwrapping()
    note = None

    def __new__(cls, value: Any) -> Any:
        box = getattr(array_namespace(value), "box", Box) if is_array(value) else Box
        return object.__new__(_kind(type(strip(value)), box))

    def __init__(self, value: Any) -> None:
        if not is_array(value):
            raise DTypeError(f"a Param holds an array, not {type(value).__name__}")
        self._stored = value

    @property
    def value(self) -> Any:
        """The array; while a gradient with respect to this parameter runs, the traced one."""
        return _bindings.get().get(id(self), self._stored)

    @value.setter
    def value(self, value: Any) -> None:
        if id(self) in _bindings.get():
            raise TracedValueError(
                "a Param cannot be replaced while it is being differentiated: do it afterwards"
            )
        self._stored = unwrap(value)

    @property
    def xp(self) -> Any:
        return array_namespace(self.value)

    def __repr__(self) -> str:
        return f"Param({self.value!r})"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.value, name)

    def __getitem__(self, key: Any) -> Any:
        return self.value[key]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return self.value.__array__(dtype)

    def __jax_array__(self) -> Any:
        return self.value

    def __float__(self) -> float:
        return float(self.value)

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, **options: Any) -> Any:
        return getattr(ufunc, method)(*map(unwrap, args), **unwrap(options))

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        return function(*map(unwrap, args), **unwrap(options))

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, args: Any = (), options: Any = None
    ) -> Any:
        return function(*map(unwrap, args), **unwrap(options or {}))


@functools.cache
def _kind(array: type, box: type[Box]) -> type[Param]:
    """Return the class of a Param of an `array`: it derives from that where the boxes do."""
    if not issubclass(box, array):
        return Param
    return type("Param", (Param, array), {"__module__": __name__})


def unwrap(x: Any) -> Any:
    """Return the array inside a `Param`, also inside a list, tuple or dict; others as they are."""
    if isinstance(x, Param):
        return x.value
    if type(x) is dict:
        return {name: unwrap(part) for name, part in x.items()}
    return type(x)(map(unwrap, x)) if type(x) in (list, tuple) else x


def _delegate(name: str) -> None:
    compute = getattr(operator, name)

    def forward(self: Param, other: Any) -> Any:
        return compute(self.value, unwrap(other))

    def reflected(self: Param, other: Any) -> Any:
        return compute(other, self.value)

    def replacing(self: Param, other: Any) -> Param:
        self.value = compute(self.value, unwrap(other))
        return self

    setattr(Param, f"__{name}__", forward)
    setattr(Param, f"__r{name}__", reflected)
    setattr(Param, f"__i{name}__", replacing)


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul"):
    _delegate(_name)

for _name in ("neg", "pos", "abs"):
    _compute = getattr(operator, _name)
    setattr(Param, f"__{_name}__", lambda self, compute=_compute: compute(self.value))


class Params:
    """A collection of `Param` in a fixed order, each once."""

    def __init__(self, members: Sequence[Param]) -> None:
        self._members = tuple({id(p): p for p in members}.values())

    def __iter__(self) -> Iterator[Param]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, p: object) -> bool:
        return any(p is member for member in self._members)

    def __repr__(self) -> str:
        return f"params({', '.join(map(repr, self._members))})"

    def values(self) -> tuple[Any, ...]:
        return tuple(p.value for p in self._members)


def params(*members: Any) -> Params:
    """Collect the `Param` in any trees, to differentiate with respect to them.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> w, b = pn.Param(np.ones((2, 3))), pn.Param(np.zeros(2))
    >>> len(pn.params(w, b)), len(pn.params({"weight": w, "bias": b}))
    (2, 2)
    """
    found = trees.leaves(members)
    for p in found:
        if not isinstance(p, Param):
            raise DTypeError(f"params collects Param, not {type(p).__name__}: wrap it in pn.Param")
    return Params(found)


class Grads:
    """The gradients of `Param`, looked up by the parameter itself."""

    def __init__(self, names: Params, arrays: Sequence[Any]) -> None:
        self._names = names
        self._by_id = {id(p): g for p, g in zip(names, arrays, strict=True)}

    def __getitem__(self, p: Param) -> Any:
        try:
            return self._by_id[id(p)]
        except KeyError:
            raise ParameterTreeError(
                "no gradient for this Param: it was not among pn.params(...)"
            ) from None

    def __iter__(self) -> Iterator[Param]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._by_id)

    def __repr__(self) -> str:
        return f"Grads({list(self._by_id.values())!r})"


def bound(function: Callable[[], Any], names: Params) -> Callable[[Sequence[Any]], Any]:
    """Turn a function of no arguments into one of the arrays that `names` stand for."""

    def call_with(arrays: Sequence[Any]) -> Any:
        inside = {id(p): x for p, x in zip(names, arrays, strict=True)}
        token = _bindings.set({**_bindings.get(), **inside})
        try:
            return unwrap(function())
        finally:
            _bindings.reset(token)

    return call_with
