"""Branches and loops on a value that has several: of a batch, or of the calls to come.

Inside torch's compiler a branch is the compiler's own operation on plain tensors. Torch gives that
no derivatives but first ones in reverse; here its derivatives are branches again, of the
derivatives of both sides.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch._C._functorch import (
    _add_batch_dim,
    get_unwrapped,
    is_batchedtensor,
    is_functorch_wrapped_tensor,
    maybe_get_bdim,
    maybe_get_level,
)
from torch._functorch.pyfunctorch import temporarily_clear_interpreter_stack
from torch._higher_order_ops.cond import cond_op
from torch.fx.experimental.proxy_tensor import disable_proxy_modes_tracing, make_fx

from portanet import tape
from portanet.backends.torch.checkpoint import Collector, Replacing
from portanet.errors import NoDerivativeError
from portanet.interface.loops import UNBOUNDED
from portanet.random import Key

Function = Callable[..., Sequence[Any]]


def is_batched(x: Any) -> bool:
    """Whether a tensor is in a batch, inside of derivatives too."""
    return _batch(x) is not None


def is_reversed(x: Any) -> bool:
    """Whether a tensor is differentiated in reverse mode, inside of transforms too."""
    while isinstance(x, torch.Tensor):
        if x.requires_grad:
            return True
        if not is_functorch_wrapped_tensor(x):
            return False
        x = get_unwrapped(x)
    return False


def batched_cond(
    predicate: Any,
    true_function: Function,
    false_function: Function,
    operands: Sequence[Any],
    single: Callable[..., list[Any]],
) -> list[Any]:
    """Let each entry of a batch choose; see `Backend.cond`.

    A side that no entry chooses is not run: `single` is `cond` for a condition with one value.
    """

    def chosen(mask: Any, function: Function) -> list[Any]:
        def nothing(*operands: Any) -> list[Any]:
            return [torch.zeros_like(y) for y in function(*operands)]

        return single(_plain(mask).any(), function, nothing, _only(mask, operands))

    left = chosen(predicate, true_function)
    right = chosen(torch.logical_not(predicate), false_function)
    return [torch.where(predicate, x, y) for x, y in zip(left, right, strict=True)]


def _only(mask: Any, operands: Sequence[Any]) -> list[Any]:
    """Return operands for the entries of a batch that choose a side; others get one of theirs.

    On their own they might make NaN of a zero cotangent.
    """
    first = _batch(mask).to(torch.int8).argmax(0).reshape(1)
    safe = []
    for x in operands:
        entries = _batch(x)
        if entries is None or entries.shape[0] != _batch(mask).shape[0]:
            safe.append(x)
        else:
            safe.append(torch.where(mask, x, entries.index_select(0, first)[0]))
    return safe


def _batch(x: Any) -> Any:
    """Return the entries of a batch, the axis of the batch first; None of what is in none."""
    while isinstance(x, torch.Tensor) and is_functorch_wrapped_tensor(x):
        if is_batchedtensor(x):
            return get_unwrapped(x).movedim(maybe_get_bdim(x), 0)
        x = get_unwrapped(x)
    return None


def _plain(x: Any) -> Any:
    while is_functorch_wrapped_tensor(x):
        x = get_unwrapped(x)
    return x


def batched_while(
    condition: Callable[..., Any], step: Function, carry: Sequence[Any], most: int | None
) -> list[Any]:
    """Let each entry of a batch take the steps it would take alone; see `Backend.while_loop`."""
    for _ in itertools.count() if most is None else range(most):
        going = condition(*carry)
        if not (bool(_plain(going).any()) if isinstance(going, torch.Tensor) else going):
            break
        pairs = zip(step(*carry), carry, strict=True)
        carry = [y if isinstance(y, Key) else torch.where(going, y, x) for y, x in pairs]
        if most is None and any(map(is_reversed, carry)):
            raise NoDerivativeError(UNBOUNDED)
    return list(carry)


def compiled_cond(
    predicate: Any,
    true_function: Function,
    false_function: Function,
    operands: Sequence[Any],
    backend: Any,
) -> list[Any]:
    """Choose in each call of a compiled function; see `Backend.cond`.

    The tensors that a side takes from around it become operands.
    """
    places = [i for i, x in enumerate(operands) if not isinstance(x, Key)]
    arrays = [operands[i].view_as(operands[i]) for i in places]

    def of_arrays(function: Function) -> Function:
        def side(*given: Any) -> Sequence[Any]:
            filled = list(operands)
            for i, x in zip(places, given, strict=True):
                filled[i] = x
            return function(*filled)

        return side

    sides = of_arrays(true_function), of_arrays(false_function)
    captured: dict[int, Any] = {}
    for side in sides:
        with torch.no_grad(), Collector(arrays, everything=True) as collector:
            side(*arrays)
        captured.update((id(x), x) for x in collector.captured)
    outer = list(captured.values())

    def closed(side: Function) -> Function:
        def function(*given: Any) -> list[Any]:
            stand_ins = dict(zip(captured, given[len(arrays) :], strict=True))
            with Replacing(stand_ins) as replacing:
                return [replacing.stand_in(y) for y in side(*given[: len(arrays)])]

        return function

    choice = _Choice(_plain(predicate), (closed(sides[0]), closed(sides[1])), backend)
    return choice.run([*arrays, *(x.view_as(x) for x in outer)])


class _Choice:
    """One of two functions of tensors alone, whichever the value of a condition asks for."""

    def __init__(self, predicate: Any, sides: tuple[Function, Function], backend: Any) -> None:
        self.predicate = predicate
        self.sides = sides
        self.backend = backend

    def run(self, arrays: Sequence[Any]) -> list[Any]:
        smooth = [i for i, x in enumerate(arrays) if self.backend.is_floating(x.dtype)]

        def filled(parts: Sequence[Any]) -> list[Any]:
            values = list(arrays)
            for i, x in zip(smooth, parts, strict=True):
                values[i] = x
            return values

        def value(*parts: Any) -> list[Any]:
            return _value(self.predicate, self.sides, filled(parts))

        def vjp(inputs: Any, outputs: Any, _: Any, cotangents: list[Any]) -> list[Any]:
            given = [i for i, g in enumerate(cotangents) if g is not None]
            values = [*filled(inputs), *(cotangents[i] for i in given)]
            return self._derived(self._pulled, smooth, given).run(values)

        def jvp(inputs: Any, outputs: Any, _: Any, tangents: list[Any]) -> list[Any]:
            given = [i for i, t in enumerate(tangents) if t is not None]
            values = [*filled(inputs), *(tangents[i] for i in given)]
            found = self._derived(self._pushed, smooth, given).run(values)
            parts = iter(found)
            return [next(parts) if self.backend.is_floating(y.dtype) else None for y in outputs]

        operation = tape.Operation("cond", value, lambda *x: (value(*x), []), vjp, jvp)
        return self.backend.custom(operation, [arrays[i] for i in smooth])

    def _derived(self, derive: Any, smooth: list[int], given: list[int]) -> _Choice:
        one, other = (derive(side, smooth, given) for side in self.sides)
        return _Choice(self.predicate, (one, other), self.backend)

    def _pulled(self, side: Function, smooth: list[int], given: list[int]) -> Function:
        def pulled(*values: Any) -> list[Any]:
            of, inputs, cotangents = self._parted(side, smooth, values, len(given))
            outputs, pull = self.backend.vjp(of, inputs)
            seeds: list[Any] = [None] * len(outputs)
            for i, g in zip(given, cotangents, strict=True):
                seeds[i] = g
            pairs = zip(pull(seeds), inputs, strict=True)
            return [torch.zeros_like(x) if g is None else g for g, x in pairs]

        return pulled

    def _pushed(self, side: Function, smooth: list[int], given: list[int]) -> Function:
        def pushed(*values: Any) -> list[Any]:
            of, inputs, tangents = self._parted(side, smooth, values, len(given))
            directions = [torch.zeros_like(x) for x in inputs]
            for i, t in zip(given, tangents, strict=True):
                directions[i] = t
            outputs, parts = self.backend.jvp(of, inputs, directions)
            pairs = zip(parts, outputs, strict=True)
            pairs = [(t, y) for t, y in pairs if self.backend.is_floating(y.dtype)]
            return [torch.zeros_like(y) if t is None else t for t, y in pairs]

        return pushed

    def _parted(
        self, side: Function, smooth: list[int], values: Sequence[Any], count: int
    ) -> tuple[Function, list[Any], Sequence[Any]]:
        """Return a side as a function of its floating inputs, these, and what is beside them."""
        end = len(values) - count
        given = list(values[:end])

        def of(*inputs: Any) -> Sequence[Any]:
            filled = list(given)
            for i, x in zip(smooth, inputs, strict=True):
                filled[i] = x
            return side(*filled)

        return of, [given[i] for i in smooth], values[end:]


def _value(predicate: Any, sides: Sequence[Function], values: Sequence[Any]) -> list[Any]:
    """Choose on tensors without derivatives, in whatever batches."""
    levels = [maybe_get_level(x) for x in values if is_batchedtensor(x)]
    if not levels:
        one, other = (_graph(side, values) for side in sides)
        with temporarily_clear_interpreter_stack():
            return list(cond_op(predicate, one, other, tuple(values)))
    level = max(levels)
    own = [is_batchedtensor(x) and maybe_get_level(x) == level for x in values]
    axes = tuple(maybe_get_bdim(x) if of else None for x, of in zip(values, own, strict=True))
    inner = [get_unwrapped(x) if of else x for x, of in zip(values, own, strict=True)]

    def batched(side: Function) -> Function:
        return torch.func.vmap(lambda *entries: tuple(side(*entries)), axes)

    results = _value(predicate, [batched(side) for side in sides], inner)
    return [_add_batch_dim(y, 0, level) for y in results]


def _graph(side: Function, values: Sequence[Any]) -> Any:
    """Return a side as a graph of plain operations: within a branch torch derives nothing.

    Its results are no operands, as the compiler asks.
    """

    def cloned(*arrays: Any) -> tuple[Any, ...]:
        return tuple(y.clone() for y in side(*arrays))

    with disable_proxy_modes_tracing(), temporarily_clear_interpreter_stack():
        graph = make_fx(cloned)(*(x.detach() for x in values))
    graph.graph.eliminate_dead_code()  # forward mode asks for sizes, which the compiler cannot
    graph.recompile()
    return graph
