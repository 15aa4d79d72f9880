"""Branches: one of two recorded bodies, chosen by a value."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from portanet.tape import batching
from portanet.tape.batch import BatchTrace
from portanet.tape.box import Box
from portanet.tape.bundle import Bundle
from portanet.tape.primitive import Primitive
from portanet.tape.rule import Rule
from portanet.tape.trace import ForwardTrace, ReverseTrace
from portanet.tracing.compound import Compound
from portanet.tracing.interpret import current, has_rules, interpret, is_floating, reached
from portanet.tracing.loops.again import reads
from portanet.tracing.loops.body import BodyTrace, plain
from portanet.tracing.plan.simplify import without_unused
from portanet.tracing.program import Program, Variable

Sides = tuple["Side", "Side"]


class Side:
    """The recording of one of the bodies, on stand-ins for operands.

    Attributes
    ----------
    boxes : list
        A stand-in for each operand.
    """

    def __init__(self, trace: BodyTrace, operands: Sequence[Any]) -> None:
        self.trace = trace
        self.boxes = [trace.stand_in(x) for x in operands]
        self.outputs: list[Any] = []

    def add(self, operands: Sequence[Any]) -> list[Any]:
        """Return stand-ins for further operands."""
        added = [self.trace.stand_in(x) for x in operands]
        self.boxes += added
        return added


@dataclass(eq=False, repr=False)
class Branch(Compound):
    """One of two programs with the same inputs, whichever a boolean array asks for.

    The operands are that array, then the inputs.

    Parameters
    ----------
    backend : Backend
    sides : tuple of Program
        Where it is true, and where it is false.
    traces : tuple of BodyTrace, optional
        Their recordings.
    """

    backend: Any
    sides: tuple[Program, Program]
    traces: tuple[BodyTrace | None, BodyTrace | None] = (None, None)

    name = "cond"

    def __repr__(self) -> str:
        return f"branch of {' or '.join(str(len(p.operations)) for p in self.sides)} operations"

    @property
    def xp(self) -> Any:
        return self.backend.xp

    @property
    def programs(self) -> list[Program]:
        return list(self.sides)

    def __call__(self, predicate: Any, *operands: Any) -> tuple[Any, ...]:
        return tuple(self._chosen(predicate, operands))

    def bind(self, operands: Sequence[Any]) -> list[Any]:
        """See `Compound`: where the value is known, the program that it chooses is run."""
        if isinstance(operands[0], Box):
            return super().bind(operands)
        return self._chosen(operands[0], operands[1:])

    def _chosen(self, predicate: Any, operands: Sequence[Any]) -> list[Any]:
        program = self.sides[0 if predicate else 1]
        values = dict(zip(program.inputs, operands, strict=True))
        interpret(program.operations, values)
        return current(values, program.outputs)

    def for_trace(self, trace: Any, operands: Sequence[Any]) -> tuple[Any, Sequence[Any]]:
        if trace.keeps_rules or not any(has_rules(p.operations) for p in self.sides):
            return self, operands
        sides = self._sides(operands[1:], keeps_rules=False)
        for side, run in sides:
            side.outputs = run(side.boxes)
        return joined(self.backend, [side for side, _ in sides], operands)

    def _sides(
        self, operands: Sequence[Any], keeps_rules: bool = True
    ) -> list[tuple[Side, Callable[[Sequence[Any]], list[Any]]]]:
        """Return both sides anew, and for each a function that interprets it on boxes."""
        return [self._side(i, operands, keeps_rules) for i in (0, 1)]

    def _side(
        self, i: int, operands: Sequence[Any], keeps_rules: bool
    ) -> tuple[Side, Callable[[Sequence[Any]], list[Any]]]:
        program, trace = self.sides[i], self.traces[i]
        values: dict[Variable, Any] = {}
        origin = None if trace is None else (trace, values)
        side = Side(BodyTrace(self.xp, origin, keeps_rules), operands)

        def run(boxes: Sequence[Any]) -> list[Any]:
            values.update(zip(program.inputs, boxes, strict=True))
            side.trace.run(interpret, program.operations, values)
            return current(values, program.outputs)

        return side, run

    def run_forward(self, trace: ForwardTrace, args: Sequence[Any]) -> list[Any]:
        primals, argnums, tangents = trace.split(args)
        found, directions = [], []
        for side, run in self._sides(primals[1:]):
            inner, boxes = ForwardTrace(), list(side.boxes)
            for i, t in zip(argnums, side.add(tangents), strict=True):
                boxes[i - 1] = self.xp.box(boxes[i - 1], inner, t)
            outputs = run(boxes)
            moving = {i: y for i, y in enumerate(outputs) if _is_of(inner, y)}
            side.outputs = [y.value if i in moving else y for i, y in enumerate(outputs)]
            directions.append({i: y.note for i, y in moving.items()})
            found.append(side)
        some = sorted(directions[0].keys() | directions[1].keys())
        for side, own in zip(found, directions, strict=True):
            zeros_like = self.xp.raw.zeros_like
            side.outputs += [
                own[i] if i in own else zeros_like(plain(side.outputs[i])) for i in some
            ]
        results = bound(self.backend, found, [*primals, *tangents])
        count = len(results) - len(some)
        pushed = dict(zip(some, results[count:], strict=True))
        return [
            self.xp.box(y, trace, pushed[i]) if i in pushed else y
            for i, y in enumerate(results[:count])
        ]

    def run_reverse(self, trace: ReverseTrace, args: Sequence[Any]) -> list[Any]:
        values, argnums, notes = trace.split(args)
        results = tuple(self.bind(values))
        active = [i for i in argnums if is_floating(self.xp, values[i])]
        found = set()
        for program in self.sides:
            known = reached(program.operations, (program.inputs[i - 1] for i in active))
            found |= {
                i for i, y in enumerate(program.outputs) if isinstance(y, Variable) and y in known
            }
        note = trace.note(_Pull(self), results, values, {}, argnums, notes)
        bundle = Bundle(results, trace, note)
        return [
            self.xp.part(bundle, i) if i in found and is_floating(self.xp, y) else y
            for i, y in enumerate(results)
        ]

    def pulled(
        self, values: Sequence[Any], argnums: Sequence[int], cotangents: dict[int, Any]
    ) -> list[Any]:
        """Return the cotangents of the operands `argnums`: each side runs again, and backwards."""
        given, found = sorted(cotangents), []
        for side, run in self._sides(values[1:]):
            inner, boxes = ReverseTrace(), list(side.boxes)
            roots = [object() for _ in argnums]
            for i, root in zip(argnums, roots, strict=True):
                boxes[i - 1] = self.xp.box(boxes[i - 1], inner, root)
            outputs = run(boxes)
            stand_ins = side.add([cotangents[i] for i in given])
            seeds = [
                (outputs[i].note, g)
                for i, g in zip(given, stand_ins, strict=True)
                if _is_of(inner, outputs[i])
            ]
            parts = side.trace.run(inner.pull, seeds, roots)
            pairs = zip(parts, argnums, strict=True)
            zeros_like = self.xp.raw.zeros_like
            side.outputs = [
                zeros_like(plain(side.boxes[i - 1])) if g is None else g for g, i in pairs
            ]
            found.append(side)
        return bound(self.backend, found, [*values, *(cotangents[i] for i in given)])

    def run_batched(self, trace: BatchTrace, args: Sequence[Any]) -> list[Any]:
        own = [i for i, x in enumerate(args) if trace.owns(x)]
        values = [x.value if i in own else x for i, x in enumerate(args)]
        if 0 in own:
            results = self._selected(values, own[1:], trace.size)
            return [self.xp.batch_box(y, trace, None) for y in results]
        sides = self._batched_sides(values, own, trace.size)
        whole = {i for side in sides for i, y in enumerate(side.outputs) if _is_batched(y)}
        for side in sides:
            self._spread(side, whole, trace.size)
        results = bound(self.backend, sides, values)
        return [
            self.xp.batch_box(y, trace, None) if i in whole else y for i, y in enumerate(results)
        ]

    def _batched_sides(self, values: Sequence[Any], own: Sequence[int], size: int) -> list[Side]:
        """Return both sides for all entries of a batch; what has its axis is left in a box."""
        found = []
        for side, run in self._sides(values[1:]):
            inner = BatchTrace(size)
            boxes = list(side.boxes)
            for i in own:
                boxes[i - 1] = self.xp.batch_box(boxes[i - 1], inner, None)
            side.outputs = run(boxes)
            found.append(side)
        return found

    def _spread(self, side: Side, whole: set[int], size: int) -> None:
        """Give the outputs `whole` the axis of the batch."""
        for i, y in enumerate(side.outputs):
            if _is_batched(y):
                side.outputs[i] = y.value
            elif i in whole:
                side.outputs[i] = side.trace.run(batching.copies, self.xp, y, size)

    def _selected(self, values: Sequence[Any], own: Sequence[int], size: int) -> list[Any]:
        """Return for each entry of a batch what it chooses.

        Each side is given the entries that choose it, and one of these in the place of each other:
        what is not chosen can make nothing infinite, neither a value nor a derivative.
        """
        xp, predicate = self.xp, values[0]
        chosen = []
        for i, mask in enumerate((predicate, xp.logical_not(predicate))):
            first = xp.reshape(xp.argmax(xp.astype(mask, xp.int8)), (1,))
            operands = list(values)
            for j in own:
                x = values[j]
                along = xp.reshape(mask, (size, *(1,) * (x.ndim - 1)))
                operands[j] = xp.where(along, x, xp.take(x, first, axis=0))
            side, other = self._batched_sides(operands, own, size)[i], None
            self._spread(side, set(range(len(side.outputs))), size)
            other = Side(BodyTrace(xp), operands[1:])
            other.outputs = [xp.raw.zeros_like(plain(y)) for y in side.outputs]
            chosen.append(bound(self.backend, [side, other], [xp.any(mask), *operands[1:]]))
        rows = [(size, *(1,) * (y.ndim - 1)) for y in chosen[0]]
        return [
            xp.where(xp.reshape(predicate, shape), x, y)
            for shape, x, y in zip(rows, *chosen, strict=True)
        ]

    def mapped(self, change: Callable[[Program], Program]) -> Branch:
        return Branch(self.backend, (change(self.sides[0]), change(self.sides[1])))

    def pruned(self, wanted: set[int]) -> tuple[Branch, list[int], dict[int, int]]:
        order = sorted(wanted)
        short = [
            without_unused(Program(p.inputs, p.operations, [p.outputs[i] for i in order]))
            for p in self.sides
        ]
        read = [set(reads(p.operations, p.outputs)) for p in short]
        kept = [
            i
            for i, pair in enumerate(zip(*(p.inputs for p in short), strict=True))
            if any(v in known for v, known in zip(pair, read, strict=True))
        ]
        for p in short:
            p.inputs = [p.inputs[i] for i in kept]
        places = {old: new for new, old in enumerate(order)}
        chosen = dataclasses.replace(self, sides=(short[0], short[1]))
        return chosen, [0, *(i + 1 for i in kept)], places


class _Pull(Primitive):
    """The call of a branch, as a reverse trace notes it."""

    __slots__ = ("branch",)

    def __init__(self, branch: Branch) -> None:
        super().__init__(branch.name, branch, Rule(), branch.xp, Bundle)
        self.branch = branch
        self.pull = self._pull

    def _pull(self, primitive, cotangent, result, args, kwargs, argnums):
        return self.branch.pulled(args, argnums, cotangent.parts)


def joined(
    backend: Any, sides: Sequence[Side], operands: Sequence[Any]
) -> tuple[Branch, list[Any]]:
    """Return the branch of two sides and its operands: what the sides have captured comes last."""
    outputs = [side.trace.noted(side.outputs) for side in sides]
    captured = [side.trace.captured for side in sides]
    programs = []
    for i, side in enumerate(sides):
        groups = [
            [own if i == j else side.trace.stand_in(x) for x, own in group]
            for j, group in enumerate(captured)
        ]
        inputs = side.trace.noted([*side.boxes, *groups[0], *groups[1]])
        programs.append(Program(inputs, list(side.trace.program.operations), outputs[i]))
    traces = sides[0].trace, sides[1].trace
    branch = Branch(backend, (programs[0], programs[1]), traces)
    return branch, [*operands, *(x for group in captured for x, _ in group)]


def bound(backend: Any, sides: Sequence[Side], operands: Sequence[Any]) -> list[Any]:
    """Run the branch of two sides under the traces of its operands."""
    branch, operands = joined(backend, sides, operands)
    return branch.bind(operands)


def _is_of(trace: Any, x: Any) -> bool:
    return isinstance(x, Box) and x.owner is trace


def _is_batched(x: Any) -> bool:
    return isinstance(x, Box) and isinstance(x.owner, BatchTrace)
