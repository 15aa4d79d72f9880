"""Operations with derivatives of their own on torch.

An operation is a ``torch.autograd.Function`` whose derivatives are those that portanet was given.
What it keeps is among its outputs, as torch asks for where derivatives are derived again.
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
    is_gradtrackingtensor,
    maybe_current_level,
    maybe_get_bdim,
    maybe_get_level,
    unwrap_if_dead,
)
from torch.autograd import forward_ad
from torch.autograd.forward_ad import _set_fwd_grad_enabled, unpack_dual
from torch.overrides import TorchFunctionMode

from portanet import tape, trees
from portanet.backends.torch.autodiff import jvp, visible, vjp
from portanet.tape.custom_rule import Kept


def custom(operation: tape.Operation, arrays: Sequence[Any]) -> list[Any]:
    """Call `operation` on tensors, see `Backend.custom`."""
    call, arrays = _Call(operation), visible(arrays)
    if not any(map(is_traced, arrays)):
        return call.constant(operation.function, arrays)
    return list(_Function.apply(call, *arrays)[: call.count])


class _Call:
    """One call of an operation."""

    __slots__ = ("count", "kept", "level", "operation")

    def __init__(self, operation: tape.Operation) -> None:
        self.operation = operation
        self.level = maybe_current_level()
        self.count = 0
        self.kept: Any = None

    def constant(self, function: Callable[..., Any], arrays: Sequence[Any]) -> Any:
        """Run a function on constants, refusing other tensors that are being differentiated."""
        if self.level is None:
            outputs = function(*arrays)
        else:
            guard = _Guard()
            try:
                with guard:
                    outputs = function(*arrays)
            finally:
                if guard.found:
                    self.operation.refuse_captured()
        level = maybe_current_level() or 0
        if any(x.requires_grad or maybe_get_level(x) > level for x in trees.leaves(outputs)):
            self.operation.refuse_captured()
        return outputs

    def forward(self, arrays: Sequence[Any]) -> tuple[Any, ...]:
        inputs = [x.detach() for x in arrays]
        with torch.enable_grad():
            outputs, kept = self.constant(self.operation.forward, inputs)
        self.count = len(outputs)
        self.kept = Kept(inputs, outputs, kept)
        # Torch makes these objects part of its graph; one of them may be a tensor of the caller.
        return tuple(y.detach() for y in (*outputs, *self.kept.beside))

    def beside(self, *arrays: Any) -> list[Any]:
        outputs, kept = self.operation.forward(*arrays)
        return Kept(arrays, outputs, kept).beside

    def context(self, saved: Sequence[Any]) -> tuple[Any, Any, Any]:
        """Return the arguments, the outputs and what is kept."""
        end = len(saved) - len(self.kept.beside)
        start = end - self.count
        arrays, outputs = saved[:start], saved[start:end]
        return arrays, outputs, self.kept.find(arrays, outputs, saved[end:])

    def cotangents(self, saved: Sequence[Any], cotangents: Sequence[Any]) -> list[Any]:
        """Return the cotangents of the arguments."""
        if torch.is_grad_enabled() or self.level is not None:
            return self._pulled(saved, cotangents)
        # Nobody follows the rule itself: what still depends on something has captured it.
        with torch.enable_grad():
            totals = self._pulled([x.detach() for x in saved], cotangents)
        if any(g is not None and g.requires_grad for g in totals):
            self.operation.refuse_captured()
        return totals

    def _pulled(self, saved: Sequence[Any], cotangents: Sequence[Any]) -> list[Any]:
        context = self.context(saved)
        arrays, count = context[0], self.count
        totals: list[Any] = [None] * len(arrays)
        if any(g is not None for g in cotangents[:count]):
            totals = list(self.operation.vjp(*context, list(cotangents[:count])))
        if any(g is not None for g in cotangents[count:]):
            pull = vjp(self.beside, arrays)[1]
            pairs = zip(totals, pull(cotangents[count:]), strict=True)
            totals = [b if a is None else a if b is None else a + b for a, b in pairs]
        return totals

    def tangents(self, saved: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, ...]:
        """Return the tangents of the outputs and of what is kept beside them."""
        context = self.context(saved)
        arrays = context[0]
        parts = list(self.operation.jvp(*context, list(tangents)))
        # What is kept serves derivatives further in; without any, its tangents are not needed.
        followed = maybe_current_level() != self.level or any(x.requires_grad for x in arrays)
        if self.kept.beside and followed:
            pairs = zip(arrays, tangents, strict=True)
            directions = [torch.zeros_like(x) if t is None else t for x, t in pairs]
            parts += jvp(self.beside, arrays, directions)[1]
        pairs = itertools.zip_longest(saved[len(arrays) :], parts)
        return tuple(torch.zeros_like(y) if t is None and _is_floating(y) else t for y, t in pairs)


class _Function(torch.autograd.Function):
    """A call of an operation on torch's graph and inside of its transforms."""

    generate_vmap_rule = True

    @staticmethod
    def forward(call: Any, *arrays: Any) -> Any:
        return call.forward(arrays)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        call, *arrays = inputs
        ctx.call = call
        ctx.save_for_backward(*arrays, *output)
        ctx.save_for_forward(*arrays, *output)
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(*(y for y in output if not _is_floating(y)))

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> Any:
        call = ctx.call
        # Torch closes the level of a derivative before its pullback is called.
        saved = [*map(unwrap_if_dead, ctx.saved_tensors)]
        cotangents = tuple(g if g is None else unwrap_if_dead(g) for g in cotangents)
        return (None, *call.cotangents(saved, cotangents))

    @staticmethod
    def jvp(ctx: Any, _: Any, *tangents: Any) -> Any:
        call = ctx.call
        # Torch switches forward mode off here, also for the derivatives further out.
        saved = [*map(_primal, ctx.saved_tensors)]
        with _set_fwd_grad_enabled(True):
            parts = call.tangents(saved, tangents)
            if any(t is not None and _has_tangent(t) for t in parts):
                call.operation.refuse_captured()
            return parts


class _Guard(TorchFunctionMode):
    """Looks for tensors of transforms that are not under way here: they are captured ones.

    Torch itself would take them as constants, without a word. It cannot raise for them itself: in
    an operator, Python would take the error for a type that the operator does not know.
    """

    def __init__(self) -> None:
        super().__init__()
        self.found = False

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        level = maybe_current_level() or 0
        if any(isinstance(x, torch.Tensor) and maybe_get_level(x) > level for x in args):
            self.found = True
        return function(*args, **(kwargs or {}))


def is_traced(x: Any) -> bool:
    """Whether a tensor is being differentiated, on the graph or in a transform."""
    while is_functorch_wrapped_tensor(x):
        if is_gradtrackingtensor(x):
            return True
        x = get_unwrapped(x)
    if x.requires_grad and torch.is_grad_enabled():
        return True
    return forward_ad._current_level >= 0 and unpack_dual(x).tangent is not None


def _primal(x: Any) -> Any:
    """Return a tensor without its tangent, also where it is a batch."""
    if is_batchedtensor(x):
        return _add_batch_dim(_primal(get_unwrapped(x)), maybe_get_bdim(x), maybe_get_level(x))
    return unpack_dual(x).primal


def _has_tangent(x: Any) -> bool:
    while is_batchedtensor(x):
        x = get_unwrapped(x)
    return unpack_dual(x).tangent is not None


def _is_floating(x: Any) -> bool:
    return x.dtype.is_floating_point or x.dtype.is_complex
