"""Derivatives on torch: its own reverse and forward modes, nested to any depth.

Reverse mode has two ways. Outside of every transform of ``torch.func`` the function is recorded on
torch's ordinary graph, which costs half as much; gradients of gradients stay on that graph. Inside
of one, and under forward mode, only ``torch.func.vjp`` is right.
"""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch._C._functorch import maybe_current_level
from torch.autograd import forward_ad

Pullback = Callable[[Sequence[Any]], list[Any]]

# Typed loosely: what these return depends on has_aux.
_transforms: Any = torch.func

# torch counts the levels of forward mode for the whole process, not for each thread.
_forward_mode = threading.RLock()


def vjp(function: Callable[..., Sequence[Any]], primals: Sequence[Any]) -> tuple[list, Pullback]:
    """Run ``function(*primals)`` in reverse mode; see `Backend.vjp`.

    What is returned stays differentiable with respect to any tensor that requires a gradient: one
    among `primals`, one that `function` captured, or the variable of an enclosing derivative. Like
    everywhere in torch, that ends under `torch.no_grad`.
    """
    if _transformed() or torch.is_inference_mode_enabled():
        return _transform_vjp(function, primals)
    record = _Record(function, primals)

    def pullback(cotangents: Sequence[Any]) -> list[Any]:
        pairs = [
            (y, g)
            for y, g in zip(record.results, cotangents, strict=True)
            if g is not None and _traced(y)
        ]
        if not pairs:
            return [None] * len(record.inputs)
        ends, seeds = zip(*pairs, strict=True)
        return record.pull(ends, seeds, again=True)

    return record.outputs(), pullback


def value_and_grad(
    function: Callable[..., Sequence[Any]], primals: Sequence[Any]
) -> tuple[list, list]:
    """Return the outputs and the gradients of the first; see `Backend.value_and_grad`."""
    if _transformed() or torch.is_inference_mode_enabled():
        outputs, pull = _transform_vjp(function, primals)
        return outputs, pull([torch.ones_like(outputs[0])] + [None] * (len(outputs) - 1))
    record = _Record(function, primals)
    value = record.results[0]
    if not _traced(value):
        return record.outputs(), [None] * len(primals)
    gradients = record.pull((value,), None, again=False)
    return record.outputs(), gradients


def jvp(
    function: Callable[..., Sequence[Any]], primals: Sequence[Any], tangents: Sequence[Any]
) -> tuple[list[Any], list[Any]]:
    """Run ``function(*primals)`` along `tangents` in forward mode; see `Backend.jvp`."""
    parted = _Parted(function)
    with _forward_mode:
        _load_forward_mode()
        smooth, directions, others = _transforms.jvp(
            parted, tuple(primals), tuple(tangents), has_aux=True
        )
    return parted.join(smooth, others), parted.join_tangents(directions)


@functools.cache
def _load_forward_mode() -> None:
    """Use forward mode once: what torch loads for it warns about a part of torch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.func.jvp(torch.sin, (torch.zeros(()),), (torch.zeros(()),))


def _transformed() -> bool:
    """Whether a transform of ``torch.func`` or forward mode is under way."""
    return maybe_current_level() is not None or forward_ad._current_level >= 0


def _transform_vjp(
    function: Callable[..., Sequence[Any]], primals: Sequence[Any]
) -> tuple[list[Any], Pullback]:
    parted = _Parted(function)
    smooth, pull, others = _transforms.vjp(parted, *primals, has_aux=True)

    def pullback(cotangents: Sequence[Any]) -> list[Any]:
        given = [cotangents[i] for i in parted.smooth] or [None]
        pairs = zip(smooth, given, strict=True)
        return list(pull(tuple(torch.zeros_like(y) if g is None else g for y, g in pairs)))

    return parted.join(smooth, others), pullback


class _Parted:
    """A function whose outputs are parted into what ``torch.func`` takes as smooth, as aux, or not.

    Smooth outputs are floating tensors; aux are other tensors; arrays of other libraries go around.
    """

    def __init__(self, function: Callable[..., Sequence[Any]]) -> None:
        self.function = function
        self.smooth: list[int] = []
        self.others: list[int] = []
        self.foreign: dict[int, Any] = {}

    def __call__(self, *arrays: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        outputs = self.function(*arrays)
        for i, y in enumerate(outputs):
            if not isinstance(y, torch.Tensor):
                self.foreign[i] = y
            elif y.dtype.is_floating_point or y.dtype.is_complex:
                self.smooth.append(i)
            else:
                self.others.append(i)
        # torch.func wants at least one output that could have a derivative.
        smooth = tuple(outputs[i] for i in self.smooth) or (torch.zeros(()),)
        return smooth, tuple(outputs[i] for i in self.others)

    def join(self, smooth: Iterable[Any], others: Iterable[Any]) -> list[Any]:
        """Put the parts back into the order in which the function returned them."""
        parts = dict(self.foreign)
        parts.update(zip(self.smooth, smooth, strict=False))
        parts.update(zip(self.others, others, strict=True))
        return [parts[i] for i in range(len(parts))]

    def join_tangents(self, tangents: Iterable[Any]) -> list[Any]:
        parts = dict(zip(self.smooth, tangents, strict=False))
        return [parts.get(i) for i in range(len(self.smooth + self.others) + len(self.foreign))]


class _Record:
    """One run of a function on torch's ordinary graph.

    Inputs that require a gradient stay connected to where they come from; the others become new
    leaves, which nobody else has.
    """

    __slots__ = ("inputs", "leaves", "linked", "results")

    def __init__(self, function: Callable[..., Sequence[Any]], primals: Sequence[Any]) -> None:
        outer = torch.is_grad_enabled()
        self.inputs = inputs = [
            x.view_as(x) if outer and x.requires_grad else x.detach().requires_grad_()
            for x in primals
        ]
        if outer:
            self.results = function(*inputs)
        else:
            with torch.enable_grad():
                self.results = function(*inputs)
        self.leaves = set(map(id, inputs))
        self.linked = outer and _reaches_others(filter(_traced, self.results), self.leaves)

    def pull(self, ends: Sequence[Any], seeds: Sequence[Any] | None, again: bool) -> list[Any]:
        tracked = self.linked or (seeds is not None and any(g.requires_grad for g in seeds))
        create = (tracked and torch.is_grad_enabled()) or _transformed()
        gradients = torch.autograd.grad(
            ends,
            self.inputs,
            seeds,
            retain_graph=again or create,
            create_graph=create,
            allow_unused=True,
        )
        return list(gradients)

    def outputs(self) -> list[Any]:
        """Return the results without their connection to the inputs, unless they have others."""
        return [
            y.detach()
            if _traced(y) and not (self.linked and _reaches_others((y,), self.leaves))
            else y
            for y in self.results
        ]


def _traced(y: Any) -> bool:
    return isinstance(y, torch.Tensor) and y.requires_grad


_expanded: Any = torch.ones((), requires_grad=True).expand(1)
_Leaf: Any = type(_expanded.grad_fn.next_functions[0][0])


def _reaches_others(tensors: Iterable[torch.Tensor], own: set[int]) -> bool:
    """Whether the graph behind `tensors` ends in a leaf whose id is not in `own`."""
    pending: list[Any] = []
    for x in tensors:
        if x.grad_fn is None:
            if id(x) not in own:
                return True
        else:
            pending.append(x.grad_fn)
    seen = set(pending)
    while pending:
        for node, _ in pending.pop().next_functions:
            if node is None or node in seen:
                continue
            if type(node) is _Leaf:
                if id(node.variable) not in own:
                    return True
            else:
                seen.add(node)
                pending.append(node)
    return False
