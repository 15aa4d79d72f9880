"""The tape over a library that differentiates by itself: its arrays, our derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, NoReturn

from portanet import tape
from portanet.errors import PortanetError, TracedValueError
from portanet.interface import Backend, standing_in
from portanet.tape import batch
from portanet.tape.observe import ObserveTrace
from portanet.tape.ops.index_keys import has_integer_array

Array = Any
Function = Callable[..., Sequence[Array]]

_known: dict[Backend, Backend] = {}


def taped(backend: Backend) -> Backend:
    """Return the adapter of the arrays of `backend` whose derivatives come from the tape."""
    if not backend.differentiates_itself:
        return backend
    return _known.get(backend) or _known.setdefault(backend, Taped(backend))


def _of_plain(name: str) -> Any:
    """Return a method that is the one of the library's own adapter."""

    def method(self: Taped, *args: Any, **options: Any) -> Any:
        return getattr(self.plain, name)(*args, **options)

    method.__name__ = name
    return method


class Taped(Backend):
    """The arrays of another adapter, `plain`, with the derivatives of the tape.

    While it runs a function it stands in for `plain`: all arrays of the library belong to it, so
    that plain ones can meet traced ones in every function.
    """

    differentiates_itself = False
    plain: Backend

    def __init__(self, plain: Backend) -> None:
        self.plain = plain
        for trait in ("name", "modules", "distribution", "hides_traces"):
            setattr(self, trait, getattr(plain, trait))

    @cached_property
    def xp(self) -> tape.Namespace:
        native, functions = self.plain.kernels, {}
        if "checked_index" in native:
            functions["checked_index"] = native["checked_index"]
        if {"add_at", "add_rows"} <= native.keys():  # its arrays may be none that can be written
            functions["scatter_getitem"] = self._scatter_getitem
            functions["scatter_sum"] = self._scatter_sum
        return tape.Namespace(self.name, self.plain.xp, functions, _TapedArray, adapter=self)

    @property
    def kernels(self) -> Mapping[str, Callable[..., Any]]:
        return self.plain.kernels

    unavailable_reason = _of_plain("unavailable_reason")
    version = _of_plain("version")
    holds = _of_plain("holds")
    devices = _of_plain("devices")
    accelerators = _of_plain("accelerators")
    parse_device = _of_plain("parse_device")
    device_name = _of_plain("device_name")
    dtype = _of_plain("dtype")
    dtype_name = _of_plain("dtype_name")
    from_numpy = _of_plain("from_numpy")
    receive = _of_plain("receive")
    fingerprint = _of_plain("fingerprint")
    synchronize = _of_plain("synchronize")
    untraced = _of_plain("untraced")

    def device_of(self, x: Array) -> Any:
        return self.plain.device_of(_inside(x))

    def is_traced(self, x: Array) -> bool:
        return isinstance(x, tape.Box) or self.plain.is_traced(x)

    def to_numpy(self, x: Array) -> Any:
        return x.__array__() if isinstance(x, tape.Box) else self.plain.to_numpy(x)

    def transfer(self, x: Array, device: Any) -> Array:
        return x.to_device(device) if isinstance(x, tape.Box) else self.plain.transfer(x, device)

    def uniform(self, words: tuple[int, int], shape: tuple[int, ...], like: Array) -> Array:
        return self.plain.uniform(words, shape, _inside(like))

    def normal(self, words: tuple[int, int], shape: tuple[int, ...], like: Array) -> Array:
        return self.plain.normal(words, shape, _inside(like))

    def vjp(
        self, function: Function, primals: Sequence[Array]
    ) -> tuple[list[Array], Callable[[Sequence[Array | None]], list[Array | None]]]:
        outputs, pull = tape.vjp(self._run_by(function), primals, self._box)
        return outputs, self._run_by(pull)

    def jvp(
        self, function: Function, primals: Sequence[Array], tangents: Sequence[Array]
    ) -> tuple[list[Array], list[Array | None]]:
        return tape.jvp(self._run_by(function), primals, tangents, self._box)

    def vmap(
        self, function: Function, arrays: Sequence[Array], axes: Sequence[int | None]
    ) -> list[Array | None]:
        return batch.vmap(self._run_by(function), arrays, axes, self.xp)

    def custom(self, operation: tape.Operation, arrays: Sequence[Array]) -> list[Array]:
        return tape.custom(operation, arrays, self.xp)

    def checkpoint(self, function: Function, arrays: Sequence[Array]) -> Sequence[Array]:
        return tape.checkpoint(function, arrays, self)

    def observe(
        self, function: Function, arrays: Sequence[Array], observer: Callable[..., Any]
    ) -> Sequence[Array]:
        trace = ObserveTrace(observer, self.xp)
        return [trace.lower(y) for y in function(*map(trace.lift, arrays))]

    def _box(self, x: Array) -> type[tape.Box]:
        return self.xp.box

    def _run_by(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function during which this stands in for the library's own adapter."""

        def run(*args: Any) -> Any:
            with standing_in(self, self.plain):
                try:
                    return function(*args)
                except TypeError as error:
                    if isinstance(error, PortanetError) or _TapedArray.__name__ not in str(error):
                        raise
                    raise TracedValueError(
                        f"a function of {self.name}'s own was given an array that pn.AutoTape() "
                        "differentiates: use those of xp = pn.array_namespace(x), taken inside "
                        f"the function, and of pn.functional, or leave ad out ({error})"
                    ) from error

        return run

    def _scatter_getitem(self, g: Array, key: Any, shape: tuple[int, ...]) -> Array:
        if not has_integer_array(key):
            return self._scatter_sum(g, keys=(key,), shape=shape)
        raw, size = self.plain.xp, math.prod(shape)
        places = raw.reshape(raw.arange(size, device=self.plain.device_of(g)), shape)[key]
        places, rows = raw.reshape(places, (-1,)), raw.reshape(g, (-1,))
        return raw.reshape(self.plain.kernels["add_rows"](rows, places, size), shape)

    def _scatter_sum(self, *parts: Array, keys: Sequence[Any], shape: tuple[int, ...]) -> Array:
        total = self.plain.xp.zeros(
            shape, dtype=parts[0].dtype, device=self.plain.device_of(parts[0])
        )
        for part, key in zip(parts, keys, strict=True):
            total = self.plain.kernels["add_at"](total, part, index=key)
        return total


def _inside(x: Any) -> Any:
    """Return the plain array inside any boxes, with the axis of a batch that it is in."""
    while isinstance(x, tape.Box):
        x = x.value
    return x


class _TapedArray(tape.Box):
    """The base of the boxes: an array of the standard, with nothing of the library's own."""

    __slots__ = ()

    @property
    def size(self) -> int:
        return math.prod(self.shape)  # torch's is a method

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(
            f"an array that pn.AutoTape() differentiates is one of the standard, without {name!r}: "
            "use the functions of xp = pn.array_namespace(x)"
        )
