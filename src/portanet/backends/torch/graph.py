"""Derivatives on torch's ordinary graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from typing import Any

import torch
from torch._C._functorch import get_unwrapped, is_batchedtensor

from portanet.backends.torch.modes import differentiated
from portanet.errors import TracedValueError

_engine: Any = torch.autograd.Variable._execution_engine

IN_PLACE = (
    "the function writes into one of its arguments in place while it is differentiated: build the "
    "new array with xp.where, xp.concat, xp.stack or pn.functional.at(x)[index].set(y), or write "
    "into a copy of it, x.clone()"
)


def run(function: Callable[..., Sequence[Any]], tensors: Sequence[Any]) -> Sequence[Any]:
    try:
        return function(*tensors)
    except RuntimeError as error:
        if "leaf Variable that requires grad is being used in an in-place" in str(error):
            raise TracedValueError(IN_PLACE) from error
        raise


class Record:
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
            self.results = run(function, inputs)
        else:
            with torch.enable_grad():
                self.results = run(function, inputs)
        self.leaves = set(map(id, inputs))
        self.linked = outer and _reaches_others(filter(traced, self.results), self.leaves)

    def pull(self, ends: Sequence[Any], seeds: Sequence[Any] | None, again: bool) -> list[Any]:
        tracked = self.linked or (seeds is not None and any(map(_is_tracked, seeds)))
        create = (tracked and torch.is_grad_enabled()) or differentiated()
        if create:
            for x in self.inputs:
                x._portanet_done = True  # nobody can ask for its gradient but this record
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
            (cut(y, self.leaves) if self.linked else y.detach()) if traced(y) else y
            for y in self.results
        ]


def cut(y: torch.Tensor, own: Set[int] = frozenset()) -> torch.Tensor:
    """Return `y` without its graph, unless somebody else can ask for a gradient through it."""
    return y.detach() if traced(y) and not _reaches_others((y,), own) else y


def traced(y: Any) -> bool:
    return isinstance(y, torch.Tensor) and y.requires_grad


with torch.inference_mode(False), torch.enable_grad():  # whatever the first caller has switched off
    _expanded: Any = torch.ones((), requires_grad=True).expand(1)
_Leaf: Any = type(_expanded.grad_fn.next_functions[0][0])


def _reaches_others(tensors: Iterable[torch.Tensor], own: Set[int]) -> bool:
    """Whether the graph behind `tensors` ends in a leaf whose id is not in `own`.

    The leaves of records that have been made do not count: they belong to derivatives inside.
    """
    pending: list[Any] = []
    for x in tensors:
        if x.grad_fn is None:
            if id(x) not in own and not hasattr(x, "_portanet_done"):
                return True
        else:
            pending.append(x.grad_fn)
    seen = set(pending)
    while pending:
        for node, _ in pending.pop().next_functions:
            if node is None or node in seen:
                continue
            if type(node) is _Leaf:
                leaf = node.variable
                if id(leaf) not in own and not hasattr(leaf, "_portanet_done"):
                    return True
            else:
                seen.add(node)
                pending.append(node)
    return False


def first_gradients(value: torch.Tensor, inputs: Sequence[torch.Tensor]) -> list[Any]:
    """Return gradients that nothing differentiates further: ``torch.autograd.grad`` as it ends.

    What it does before, for the general case, takes as long as the backward pass of a small model.
    """
    seed = torch.ones_like(value)
    return list(_engine.run_backward((value,), (seed,), False, False, tuple(inputs), True, False))


def _is_tracked(g: torch.Tensor) -> bool:
    """Whether a tensor, or the one inside a batch, requires a gradient."""
    while is_batchedtensor(g):
        g = get_unwrapped(g)
    return g.requires_grad
