"""Derivatives on torch: its own reverse and forward modes, nested to any depth.

Reverse mode has two ways. Outside of every transform of ``torch.func`` the function is recorded on
torch's ordinary graph, which costs half as much; gradients of gradients stay on that graph. Inside
of one, and under forward mode, only ``torch.func.vjp`` is right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch

from portanet.backends.torch.graph import IN_PLACE, Record, cut, first_gradients, run, traced
from portanet.backends.torch.modes import forward_mode, transformed
from portanet.errors import TracedValueError

Pullback = Callable[[Sequence[Any]], list[Any]]

# Typed loosely: what these return depends on has_aux.
_transforms: Any = torch.func


def vjp(function: Callable[..., Sequence[Any]], primals: Sequence[Any]) -> tuple[list, Pullback]:
    """Run ``function(*primals)`` in reverse mode; see `Backend.vjp`.

    What is returned stays differentiable with respect to any tensor that requires a gradient: one
    among `primals`, one that `function` captured, or the variable of an enclosing derivative. Like
    everywhere in torch, that ends under `torch.no_grad`.
    """
    if transformed() or torch.is_inference_mode_enabled():
        return _transform_vjp(function, primals)
    record = Record(function, primals)

    def pullback(cotangents: Sequence[Any]) -> list[Any]:
        pairs = [
            (y, g)
            for y, g in zip(record.results, cotangents, strict=True)
            if g is not None and traced(y)
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
    if transformed() or torch.is_inference_mode_enabled():
        outputs, pull = _transform_vjp(function, primals)
        return outputs, pull([torch.ones_like(outputs[0])] + [None] * (len(outputs) - 1))
    record = Record(function, primals)
    value = record.results[0]
    if not traced(value):
        return record.outputs(), [None] * len(primals)
    if record.linked:
        gradients = record.pull((value,), None, again=False)
    else:
        gradients = first_gradients(value, record.inputs)
    return record.outputs(), gradients


def jvp(
    function: Callable[..., Sequence[Any]], primals: Sequence[Any], tangents: Sequence[Any]
) -> tuple[list[Any], list[Any]]:
    """Run ``function(*primals)`` along `tangents` in forward mode; see `Backend.jvp`."""
    parted = _Parted(function)
    versions = _versions(primals)
    with forward_mode():
        smooth, directions, others = _transforms.jvp(
            parted, tuple(map(_dense, visible(primals))), tuple(tangents), has_aux=True
        )
    if _versions(primals) != versions:  # torch itself would return a wrong tangent
        raise TracedValueError(IN_PLACE)
    # torch gives a tensor of no axes times a Python float a tangent in float64.
    directions = [t.to(y.dtype) for y, t in zip(smooth, directions, strict=True)]
    if not transformed():
        smooth, directions = [cut(y) for y in smooth], [cut(t) for t in directions]
    return parted.join(smooth, others), parted.join_tangents(directions)


def vmap(
    function: Callable[..., Sequence[Any]], arrays: Sequence[Any], axes: Sequence[int | None]
) -> list[Any]:
    """Run `function` for all entries of `arrays` along `axes`; see `Backend.vmap`."""
    missing: list[bool] = []

    def present(*entries: Any) -> tuple[Any, ...]:
        outputs = function(*entries)
        missing[:] = [y is None for y in outputs]
        return tuple(y for y in outputs if y is not None)

    pairs = list(zip(arrays, axes, strict=True))
    none = any(axis is not None and x.shape[axis] == 0 for x, axis in pairs)
    if none:  # torch batches no scalars of no entries: run one of zeros, and take none of it
        arrays = [x if axis is None else _of_one(x, axis) for x, axis in pairs]
    results = torch.func.vmap(present, tuple(axes))(*arrays)
    rest = iter([y[:0] for y in results] if none else results)
    return [None if absent else next(rest) for absent in missing]


def _of_one(x: torch.Tensor, axis: int) -> torch.Tensor:
    shape = list(x.shape)
    shape[axis] = 1
    return x.new_zeros(shape)


def _versions(tensors: Sequence[torch.Tensor]) -> list[int]:
    return [0 if x.is_inference() else x._version for x in tensors]


def _dense(x: torch.Tensor) -> torch.Tensor:
    """Return `x` with memory for each of its elements, which forward mode wants."""
    return x.contiguous() if 0 in x.stride() else x


def visible(tensors: Sequence[Any]) -> list[Any]:
    """Show tensors to the torch function modes under way, which may put others in their places."""
    if torch._C._len_torch_function_stack() == 0:
        return list(tensors)
    return [x.view_as(x) for x in tensors]


def _transform_vjp(
    function: Callable[..., Sequence[Any]], primals: Sequence[Any]
) -> tuple[list[Any], Pullback]:
    parted = _Parted(function)
    smooth, pull, others = _transforms.vjp(parted, *visible(primals), has_aux=True)

    def pullback(cotangents: Sequence[Any]) -> list[Any]:
        given = [cotangents[i] for i in parted.smooth] or [None]
        pairs = zip(smooth, given, strict=True)
        return list(pull(tuple(torch.zeros_like(y) if g is None else g for y, g in pairs)))

    return parted.join(smooth, others), pullback


class _Parted:
    """A function whose outputs are parted as ``torch.func`` wants them.

    Floating tensors come first; all others are its aux.
    """

    def __init__(self, function: Callable[..., Sequence[Any]]) -> None:
        self.function = function
        self.smooth: list[int] = []
        self.others: list[int] = []

    def __call__(self, *arrays: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        outputs = run(self.function, arrays)
        for i, y in enumerate(outputs):
            if y.dtype.is_floating_point or y.dtype.is_complex:
                self.smooth.append(i)
            else:
                self.others.append(i)
        # torch.func wants at least one output that could have a derivative.
        smooth = tuple(outputs[i] for i in self.smooth) or (torch.zeros(()),)
        return smooth, tuple(outputs[i] for i in self.others)

    def join(self, smooth: Iterable[Any], others: Iterable[Any]) -> list[Any]:
        """Put the parts back into the order in which the function returned them."""
        parts = dict(zip(self.smooth, smooth, strict=False))
        parts.update(zip(self.others, others, strict=True))
        return [parts[i] for i in range(len(parts))]

    def join_tangents(self, tangents: Iterable[Any]) -> list[Any]:
        parts = dict(zip(self.smooth, tangents, strict=False))
        return [parts.get(i) for i in range(len(self.smooth + self.others))]
