"""Derivatives and batches of a branch: those of both its sides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from portanet.tape.batch import BatchTrace
from portanet.tape.box import Box
from portanet.tape.bundle import Bundle
from portanet.tape.ops.batching import copies
from portanet.tape.ops.card import Card
from portanet.tape.primitive import Primitive
from portanet.tape.trace import ForwardTrace, ReverseTrace
from portanet.tracing.interpret import is_floating, reached
from portanet.tracing.loops.body import plain
from portanet.tracing.loops.retrace import Body
from portanet.tracing.program import Variable


def run_forward(branch: Any, trace: ForwardTrace, args: Sequence[Any]) -> list[Any]:
    """Run a branch on arrays with tangents; see `Compound.run_forward`."""
    primals, argnums, tangents = trace.split(args)
    bodies, directions = branch.bodies(primals[1:]), []
    for body in bodies:
        inner, boxes = ForwardTrace(), list(body.boxes)
        for i, t in zip(argnums, body.add(tangents), strict=True):
            boxes[i - 1] = branch.xp.box(boxes[i - 1], inner, t)
        outputs = body.run(boxes)
        directions.append({i: y.note for i, y in enumerate(outputs) if _is_of(inner, y)})
        body.outputs = [y.value if _is_of(inner, y) else y for y in outputs]
    some = sorted(directions[0].keys() | directions[1].keys())
    for body, own in zip(bodies, directions, strict=True):
        body.outputs += [_or_zero(branch, own.get(i), body.outputs[i]) for i in some]
    results = branch.call(bodies, [*primals, *tangents])
    count = len(results) - len(some)
    pushed = dict(zip(some, results[count:], strict=True))
    return [
        branch.xp.box(y, trace, pushed[i]) if i in pushed else y
        for i, y in enumerate(results[:count])
    ]


def run_reverse(branch: Any, trace: ReverseTrace, args: Sequence[Any]) -> list[Any]:
    """Run a branch on arrays that are differentiated; see `Compound.run_reverse`."""
    values, argnums, notes = trace.split(args)
    results = tuple(branch.bind(values))
    found: set[int] = set()
    for side in branch.sides:
        known = reached(side.operations, (side.inputs[i - 1] for i in argnums))
        found |= {i for i, y in enumerate(side.outputs) if isinstance(y, Variable) and y in known}
    note = trace.note(_Pull(branch), results, values, {}, argnums, notes)
    bundle = Bundle(results, trace, note)
    return [
        branch.xp.part(bundle, i) if i in found and is_floating(branch.xp, y) else y
        for i, y in enumerate(results)
    ]


class _Pull(Primitive):
    """The call of a branch, as a reverse trace notes it."""

    __slots__ = ("branch",)

    def __init__(self, branch: Any) -> None:
        super().__init__(Card(branch.name), branch, branch.xp, Bundle)
        self.branch = branch
        self.pull = self._pull

    def _pull(self, primitive, cotangent, result, args, kwargs, argnums):
        """Let the side that was taken run again, and backwards."""
        branch, given = self.branch, sorted(cotangent.parts)
        cotangents = [cotangent.parts[i] for i in given]
        bodies = branch.bodies(args[1:])
        for body in bodies:
            inner, boxes = ReverseTrace(), list(body.boxes)
            roots = [object() for _ in argnums]
            for i, root in zip(argnums, roots, strict=True):
                boxes[i - 1] = branch.xp.box(boxes[i - 1], inner, root)
            outputs = body.run(boxes)
            pairs = zip((outputs[i] for i in given), body.add(cotangents), strict=True)
            seeds = [(y.note, g) for y, g in pairs if _is_of(inner, y)]
            parts = body.trace.run(inner.pull, seeds, roots)
            places = (body.boxes[i - 1] for i in argnums)
            body.outputs = [_or_zero(branch, g, x) for g, x in zip(parts, places, strict=True)]
        return branch.call(bodies, [*args, *cotangents])


def run_batched(branch: Any, trace: BatchTrace, args: Sequence[Any]) -> list[Any]:
    """Run a branch for all entries of a batch; see `Compound.run_batched`."""
    own = [i for i, x in enumerate(args) if trace.owns(x)]
    values = [x.value if i in own else x for i, x in enumerate(args)]
    if 0 in own:
        results = _selected(branch, values, own[1:], trace.size)
        return [branch.xp.batch_box(y, trace, None) for y in results]
    bodies = _batched(branch, values, own, trace.size)
    whole = {i for body in bodies for i, y in enumerate(body.outputs) if _is_batched(y)}
    for body in bodies:
        _spread(body, whole, trace.size)
    results = branch.call(bodies, values)
    return [branch.xp.batch_box(y, trace, None) if i in whole else y for i, y in enumerate(results)]


def _batched(branch: Any, values: Sequence[Any], own: Sequence[int], size: int) -> list[Body]:
    """Return both sides for all entries of a batch; what has its axis is left in a box."""
    bodies = branch.bodies(values[1:])
    for body in bodies:
        inner, boxes = BatchTrace(size), list(body.boxes)
        for i in own:
            boxes[i - 1] = branch.xp.batch_box(boxes[i - 1], inner, None)
        body.outputs = body.run(boxes)
    return bodies


def _spread(body: Body, whole: set[int], size: int) -> None:
    """Give the outputs `whole` of a body the axis of the batch."""
    for i, y in enumerate(body.outputs):
        if _is_batched(y):
            body.outputs[i] = y.value
        elif i in whole:
            body.outputs[i] = body.trace.run(copies, body.trace.xp, y, size)


def _selected(branch: Any, values: Sequence[Any], own: Sequence[int], size: int) -> list[Any]:
    """Return for each entry of a batch what it chooses.

    Each side gets the entries that choose it, and is not run if none does: what is not chosen can
    make nothing infinite, neither a value nor a derivative.
    """
    xp, predicate = branch.xp, values[0]
    chosen = []
    for i, mask in enumerate((predicate, xp.logical_not(predicate))):
        operands = list(values)
        for j in own:
            operands[j] = only(xp, mask, values[j])
        taken, other = _batched(branch, operands, own, size)[i], Body.recorded(
            xp, lambda *_: [], operands[1:]
        )  # fmt: skip
        _spread(taken, set(range(len(taken.outputs))), size)
        other.outputs = [_or_zero(branch, None, y) for y in taken.outputs]
        chosen.append(branch.call([taken, other], [xp.any(mask), *operands[1:]]))
    return [chosen_by(xp, predicate, x, y) for x, y in zip(*chosen, strict=True)]


def only(xp: Any, mask: Any, x: Any) -> Any:
    """Return the entries of a batch where `mask` is true, with the first of them for all others."""
    if mask.shape[0] == 0:
        return x
    first = xp.reshape(xp.argmax(xp.astype(mask, xp.int8)), (1,))
    return chosen_by(xp, mask, x, xp.take(x, first, axis=0))


def chosen_by(xp: Any, mask: Any, x: Any, y: Any) -> Any:
    """Choose between the entries of two batches."""
    return xp.where(xp.reshape(mask, (mask.shape[0], *(1,) * (x.ndim - 1))), x, y)


def _or_zero(branch: Any, part: Any, like: Any) -> Any:
    return branch.xp.raw.zeros_like(plain(like)) if part is None else part


def _is_of(trace: Any, x: Any) -> bool:
    return isinstance(x, Box) and x.owner is trace


def _is_batched(x: Any) -> bool:
    return isinstance(x, Box) and isinstance(x.owner, BatchTrace)
