"""The operations of a program, each with the way in which its result is held."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from portanet.tape.ops.card import Role
from portanet.tape.ops.form import Form
from portanet.tracing.plan.form import NumPy, form_of
from portanet.tracing.program import HostFunction, Opaque, Operation, Program, Variable

_NUMPY = NumPy(lambda path: f"np.{path}")


@dataclass(slots=True)
class Step:
    """One operation with its form and the way in which its result is held.

    Attributes
    ----------
    how : str
        "write" into kept memory, "fresh" memory, "view" of what is kept, "look" at what is not,
        "call" of the primitive's own function, "join" of arrays that mostly lie there already, or
        "number", of which Python's operators are sooner done.
    """

    operation: Operation
    form: Form | None
    reads: list[Variable]
    how: str

    @property
    def result(self) -> Variable:
        return self.operation.result

    @property
    def results(self) -> list[Variable]:
        return [self.operation.result]


class Aliases:
    """Whose memory each variable lies in: its own, or that of those it looks at."""

    def __init__(self) -> None:
        self._owners: dict[Variable, tuple[Variable, ...]] = {}
        self._moved: dict[Variable, Variable] = {}

    def add(self, variable: Variable, seen: Iterable[Any]) -> None:
        """Note that a variable may look at the memory of others."""
        owners = dict.fromkeys(o for v in seen if isinstance(v, Variable) for o in self.of(v))
        if owners:
            self._owners[variable] = tuple(owners)

    def move(self, owner: Variable, whole: Variable) -> None:
        """Note that a variable lies in the memory of a larger one."""
        self._moved[owner] = whole

    def made(self, variable: Variable) -> tuple[Variable, ...]:
        """Return whose memory a variable was made in, wherever that has moved since."""
        return self._owners.get(variable, (variable,))

    def of(self, variable: Variable) -> tuple[Variable, ...]:
        owners = self.made(variable)
        if not self._moved:
            return owners
        return tuple(self._moved.get(owner, owner) for owner in owners)


class Plan:
    """How each result of a program is held.

    Attributes
    ----------
    steps : list of Step
    aliases : Aliases
        Whose memory each variable lies in.
    kept : dict
        For each variable in kept memory an array of the same shape, dtype and layout.
    homes : dict
        For each array that is made at its place in a larger one: that one, and the first byte.
    strangers : dict
        For each larger one the parts that are not made there, with the row where they belong.
    numbers : set of Variable
        Results that are NumPy's numbers and no arrays.
    """

    def __init__(self, program: Program, forms: bool) -> None:
        self.forms = forms
        self.aliases = Aliases()
        self.kept: dict[Variable, np.ndarray] = {}
        self.homes: dict[Variable, tuple[Variable, int]] = {}
        self.strangers: dict[Variable, list[tuple[int, Any]]] = {}
        self.numbers: set[Variable] = set()
        outputs = {y for y in program.outputs if isinstance(y, Variable)}
        steps = [self._formed(operation) for operation in program.operations]
        self._given = set(outputs)
        for step in reversed(steps):
            if step.form is not None and step.form.view is not None and step.result in self._given:
                self._given.add(step.operation.args[0])
        self._written: set[Variable] = set()
        results = (step.result for step in steps) if forms else ()
        sizes = (y.size * np.dtype(y.dtype).itemsize for y in results)
        self._memory = np.empty(max(sizes, default=0), np.uint8)
        self.steps = [self._held(step) for step in steps]
        self.held = {root for y in outputs for root in self.aliases.of(y)}

    def _formed(self, operation: Operation) -> Step:
        known = self.forms or isinstance(operation.primitive, HostFunction)
        form = form_of(operation) if known else None
        return Step(operation, form, operation.operands, "call")

    def _held(self, step: Step) -> Step:
        """Choose how the result of a step is held."""
        operation, form, result = step.operation, step.form, step.result
        if form is None:
            self.aliases.add(result, operation.seen)
            return step
        if form.view is not None:
            source = operation.args[0]
            if source not in self.kept:
                self.aliases.add(result, [source])
                step.how = "look"
                return step
            seen = self._seen(operation, form)
            if seen is not None:
                self.kept[result] = seen
                self.aliases.add(result, [source])
                step.how = "view"
                return step
            step.form = form = Form("{out}[...] = " + form.view, form.view)
        if form.number is not None and _is_number(result) and (
            not form.universal or all(map(_is_number, operation.args))
        ):  # fmt: skip
            step.how = "number"
            self.numbers.add(result)
            return step
        if form.write is None or result in self._given:
            step.how = "fresh"
            return step
        self.kept[result] = np.ndarray(result.shape, result.dtype, self._memory)
        first = (0, -len(result.shape))
        joined = operation.card.role is Role.JOIN and operation.options.get("axis") in first
        if joined and self._house(operation.args, result):
            step.how = "join"
            return step
        step.how = "write"
        self._written.add(result)
        return step

    def _seen(self, operation: Operation, form: Form) -> np.ndarray | None:
        """Look at the first operand as the view does; None if that would copy."""
        assert form.view is not None
        source = self.kept[operation.args[0]]
        names = {"np": np, "x": source}
        names.update({f"k{i}": x for i, x in enumerate(operation.args)})
        others = [f"k{i}" for i in range(1, len(operation.args))]
        result = eval(form.view.format("x", *others, np=_NUMPY), names)
        return result if np.may_share_memory(result, source) or not result.size else None

    def _house(self, parts: Sequence[Any], whole: Variable) -> bool:
        """Give the arrays that are joined along the first axis their places in the whole."""
        row = math.prod(whole.shape[1:]) * np.dtype(whole.dtype).itemsize
        start, strangers = 0, []
        for part in parts:
            owners = self.aliases.of(part) if isinstance(part, Variable) else ()
            if len(owners) == 1 and self._may_move(owners[0], part, whole):
                self.homes[owners[0]] = whole, start * row
                self.aliases.move(owners[0], whole)
            else:
                strangers.append((start, part))
            start += part.shape[0]
        if len(strangers) == len(parts):
            return False
        self.strangers[whole] = strangers
        return True

    def _may_move(self, owner: Variable, part: Variable, whole: Variable) -> bool:
        if owner not in self._written or part not in self.kept or part.dtype != whole.dtype:
            return False
        there, here = self.kept[owner], self.kept[part]
        alike = here.flags.c_contiguous and here.nbytes == there.nbytes
        return bool(here.size) and alike and here.ctypes.data == there.ctypes.data


def _is_number(x: Any) -> bool:
    """Whether it is one real number in single or double precision, or one of Python."""
    if type(x) in (int, float) or isinstance(x, Opaque):
        return True
    return getattr(x, "shape", None) == () and str(x.dtype) in ("float32", "float64")
