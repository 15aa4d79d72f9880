"""Traces: what happens to a primitive when one of its arguments is being differentiated.

A trace has a level. Of several traces in one call the one with the highest level, the innermost,
takes the call, strips its own boxes and hands the rest to the traces below it. Levels come from
one counter that only grows, so a trace that starts later is always above those it is nested in,
whatever other threads do at the same time.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from portanet.tape.box import Box

_order = itertools.count(1)


class Node:
    """One recorded call: what is needed to send a cotangent from its result to its arguments."""

    __slots__ = ("argnums", "args", "kwargs", "parents", "primitive", "result")

    def __init__(
        self,
        primitive: Any,
        result: Any,
        args: list[Any],
        kwargs: dict[str, Any],
        argnums: list[int],
        parents: list[Any],
    ) -> None:
        self.primitive = primitive
        self.result = result
        self.args = args
        self.kwargs = kwargs
        self.argnums = argnums
        self.parents = parents

    def pull(self, cotangent: Any) -> Any:
        primitive = self.primitive
        return primitive.rule.vjp(
            primitive, cotangent, self.result, self.args, self.kwargs, self.argnums
        )


class Trace:
    """The base of the two modes."""

    __slots__ = ("level",)

    def __init__(self) -> None:
        self.level: float = next(_order)

    def process(self, primitive: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        raise NotImplementedError


class ReverseTrace(Trace):
    """Write every call down, in order, so that cotangents can walk it backwards."""

    __slots__ = ("nodes",)

    def __init__(self) -> None:
        super().__init__()
        self.nodes: list[Any] = []

    def process(self, primitive: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        values, argnums, parents = [], [], []
        for i, x in enumerate(args):
            if isinstance(x, Box) and x.trace is self:
                values.append(x.value)
                argnums.append(i)
                parents.append(x.note)
            else:
                values.append(x)
        result = call(primitive, values, kwargs)
        node = Node(primitive, result, values, kwargs, argnums, parents)
        self.nodes.append(node)
        return primitive.box(result, self, node)

    def pull(self, seeds: Sequence[tuple[Any, Any]], roots: Sequence[Any]) -> list[Any]:
        """Send cotangents from `seeds` (pairs of node and cotangent) back to `roots`.

        A root that no seed reaches gets None.
        """
        cotangents: dict[Any, Any] = {}
        for node, cotangent in seeds:
            before = cotangents.get(node)
            cotangents[node] = cotangent if before is None else before + cotangent
        for node in reversed(self.nodes):
            cotangent = cotangents.pop(node, None)
            if cotangent is None:
                continue
            for parent, part in zip(node.parents, node.pull(cotangent), strict=True):
                before = cotangents.get(parent)
                cotangents[parent] = part if before is None else before + part
        return [cotangents.get(root) for root in roots]


class ForwardTrace(Trace):
    """Carry a tangent beside every value."""

    __slots__ = ()

    def process(self, primitive: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        values, argnums, tangents = [], [], []
        for i, x in enumerate(args):
            if isinstance(x, Box) and x.trace is self:
                values.append(x.value)
                argnums.append(i)
                tangents.append(x.note)
            else:
                values.append(x)
        result = call(primitive, values, kwargs)
        tangent = primitive.rule.jvp(primitive, tangents, result, values, kwargs, argnums)
        return primitive.box(result, self, tangent)


def call(primitive: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Run a primitive under the innermost trace among its positional arguments, if any."""
    top = None
    for x in args:
        if isinstance(x, Box):
            trace = x.trace
            if top is None or trace.level > top.level:
                top = trace
    if top is None:
        return primitive.compute(*args, **kwargs)
    return top.process(primitive, args, kwargs)


def vjp(
    function: Callable[..., Sequence[Any]], primals: Sequence[Any], box: Callable[[Any], type[Box]]
) -> tuple[list[Any], Callable[[Sequence[Any]], list[Any]]]:
    """Run ``function(*primals)`` in reverse mode.

    Parameters
    ----------
    function : callable
        Takes arrays, returns a sequence of arrays.
    primals : sequence of arrays
    box : callable
        Gives the box class of an array.

    Returns
    -------
    outputs : list of arrays
    pullback : callable
        Takes one cotangent an output (None counts as zero) and returns one an input, None where
        the input does not reach an output.
    """
    trace = ReverseTrace()
    roots = [object() for _ in primals]
    inputs = [box(x)(x, trace, root) for x, root in zip(primals, roots, strict=True)]
    results = function(*inputs)
    outputs, nodes = [], []
    for y in results:
        traced = isinstance(y, Box) and y.trace is trace
        outputs.append(y.value if traced else y)
        nodes.append(y.note if traced else None)

    def pullback(cotangents: Sequence[Any]) -> list[Any]:
        seeds = [
            (node, cotangent)
            for node, cotangent in zip(nodes, cotangents, strict=True)
            if node is not None and cotangent is not None
        ]
        return trace.pull(seeds, roots)

    return outputs, pullback


def jvp(
    function: Callable[..., Sequence[Any]],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    box: Callable[[Any], type[Box]],
) -> tuple[list[Any], list[Any]]:
    """Run ``function(*primals)`` in forward mode along `tangents`.

    Returns the outputs and their tangents, None where an output does not depend on the inputs.
    """
    trace = ForwardTrace()
    inputs = [box(x)(x, trace, t) for x, t in zip(primals, tangents, strict=True)]
    outputs, directions = [], []
    for y in function(*inputs):
        traced = isinstance(y, Box) and y.trace is trace
        outputs.append(y.value if traced else y)
        directions.append(y.note if traced else None)
    return outputs, directions
