"""From a program to Python source: a flat list of calls, for NumPy on memory that is kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from portanet import trees
from portanet.tracing.calling import Text, literal
from portanet.tracing.forms import UFUNCS, Form, form_of
from portanet.tracing.host import HostFunction
from portanet.tracing.outputs import Owners, output_texts
from portanet.tracing.program import Operation, Program, Variable, variables
from portanet.tracing.storage import Slots, last_uses


@dataclass(slots=True)
class _Step:
    """One operation with its form and the way in which its result is held."""

    operation: Operation
    form: Form | None
    reads: list[Variable]
    how: str  # "write", "fresh", "view" of what is kept, "look" at what is not, or "call"


@dataclass
class Source:
    """The text of a program's replay and what it refers to.

    Attributes
    ----------
    text : str
        A function ``workspace(np, <constants>)`` that returns the replay.
    constants : dict
        What the constants' names stand for.
    kept_bytes, buffers : int
        The memory that one workspace holds between calls, and in how many pieces.
    """

    text: str
    constants: dict[str, Any] = field(default_factory=dict)
    kept_bytes: int = 0
    buffers: int = 0

    def workspace(self) -> Callable[..., tuple[Any, ...]]:
        """Return a replay with memory of its own: only one thread may call it at a time."""
        names: dict[str, Any] = {}
        exec(compile(self.text, "<portanet.jit>", "exec"), names)
        return names["workspace"](np, **self.constants)


class Writer:
    """Turns one program into its source.

    Parameters
    ----------
    program : Program
    values : sequence
        The outputs of the recorded run: results are given back as they were there.
    inputs : sequence
        The inputs of that run.
    forms : bool
        Whether the arrays are those of NumPy; otherwise each primitive's own function is called.
    """

    def __init__(
        self, program: Program, values: Sequence[Any], inputs: Sequence[Any], forms: bool
    ) -> None:
        self.program = program
        self.values = values
        self.inputs = inputs
        self.forms = forms
        self.owners = Owners()
        self.names: dict[Variable, str] = {v: f"a{i}" for i, v in enumerate(program.inputs)}
        self.constants: dict[str, Any] = {}
        self._constant_names: dict[Any, str] = {}
        self.shapes: dict[Variable, np.ndarray] = {}
        self.outputs = {y for y in program.outputs if isinstance(y, Variable)}
        self.steps = [self._step(operation) for operation in program.operations]

    def _step(self, operation: Operation) -> _Step:
        result = operation.result
        known = self.forms or isinstance(operation.primitive, HostFunction)
        form = form_of(operation) if known else None
        self.names[result] = f"v{len(self.names) - len(self.program.inputs)}"
        step = _Step(operation, form, operation.operands, "call")
        if form is None:
            self.owners.add(result, operation.seen)
            return step
        if form.view is not None:
            source = operation.args[0]
            if source not in self.shapes:
                self.owners.add(result, [source])
                step.how = "look"
                return step
            seen = self._seen(operation, form)
            if seen is not None:
                self.shapes[result] = seen
                self.owners.add(result, [source])
                step.how = "view"
                return step
            step.form = form = Form("{out}[...] = " + form.view, form.view)
        if form.write is None or (result in self.outputs and form.fresh is not None):
            step.how = "fresh"
        else:
            step.how = "write"
            self.shapes[result] = np.empty(result.shape, result.dtype)
        return step

    def _seen(self, operation: Operation, form: Form) -> np.ndarray | None:
        """Look at the first operand as the view does; None if that would copy."""
        assert form.view is not None
        source = self.shapes[operation.args[0]]
        names = {"np": np, "x": source}
        names.update({f"k{i}": x for i, x in enumerate(operation.args)})
        others = [f"k{i}" for i in range(1, len(operation.args))]
        result = eval(form.view.format("x", *others), names)
        return result if np.may_share_memory(result, source) or not result.size else None

    def source(self, structure: Any) -> Source:
        """Return the source of a replay whose outputs are the leaves of a tree."""
        lines, slots = self._body()
        texts = [Text(text) for text in output_texts(self)]
        outputs = literal(trees.unflatten(structure, texts))
        if outputs is None:
            whole = f"{self.constant(trees.unflatten)}({self.constant(structure)}, "
            outputs = f"{whole}({''.join(f'{text}, ' for text in texts)}))"
        kept = [f"    s{i} = np.empty({n}, np.uint8)" for i, n in enumerate(slots.sizes)]
        inputs = ", ".join(self.names[v] for v in self.program.inputs)
        body = [f"        {line}" for line in [*lines, f"return {outputs}"]]
        text = "\n".join([*kept, *self._made, f"    def replay({inputs}):", *body])
        functions = sorted(set(re.findall(r"np\.((?:\w+\.)*\w+)\(", text)) - {"empty"})
        for name in functions:
            text = text.replace(f"np.{name}(", f"{name.replace('.', '_')}(")
        aliases = [f"    {name.replace('.', '_')} = np.{name}" for name in functions]
        head = f"def workspace(np, {', '.join(self.constants)}):"
        whole = "\n".join([head, *aliases, text, "    return replay", ""])
        return Source(whole, self.constants, sum(slots.sizes), len(slots.sizes))

    def _body(self) -> tuple[list[str], Slots]:
        last = last_uses(self.steps, self.owners)
        held = {root for y in self.outputs for root in self.owners.of(y)}
        slots, places = Slots(), {}
        self._made: list[str] = []
        lines = []
        for number, step in enumerate(self.steps):
            result = step.operation.result
            if step.how == "write":
                places[result] = self._place(step, number, places, last, slots, held)
                self._made.append(f"    {self.names[result]} = {_cut(places[result], result)}")
            text = self._text(step)
            if step.how == "view":
                self._made.append(f"    {text}")
            else:
                lines.append(text)
            for variable in {r for v in [*step.reads, result] for r in self.owners.of(v)}:
                ended = last.get(variable, number) == number and variable not in held
                if ended and places.get(variable) is not None:
                    slots.give_back(places[variable])
                    places[variable] = None
        return lines, slots

    def _place(
        self, step: _Step, number: int, places: dict, last: dict, slots: Slots, held: set
    ) -> int:
        """Write over an operand that is not read again, or into free memory."""
        result = step.operation.result
        if step.form is not None and step.form.elementwise:
            for x in step.reads:
                over = last.get(x) == number and places.get(x) is not None
                alike = x.shape == result.shape and x.dtype == result.dtype
                if over and alike and x not in held:
                    slot, places[x] = places[x], None
                    return slot
        return slots.lend(max(result.size, 1) * np.dtype(result.dtype).itemsize)

    def _text(self, step: _Step) -> str:
        operation, form = step.operation, step.form
        name = self.names[operation.result]
        operands = [self._operand(x, operation) for x in operation.args]
        if form is None:
            options = "".join(
                f", {k}={self._operand(v, operation)}" for k, v in operation.options.items()
            )
            function = self.constant(operation.primitive.compute)
            return f"{name} = {function}({', '.join(operands)}{options})"
        ones = ""
        if "{ones}" in (form.write or ""):
            x = operation.args[0]
            ones = self.constant(np.ones(x.shape[0], x.dtype))
        if step.how == "write":
            assert form.write is not None
            return form.write.format(*operands, out=name, ones=ones)
        if step.how == "fresh":
            if form.fresh is not None:
                return f"{name} = {form.fresh.format(*operands, ones=ones)}"
            assert form.write is not None
            result = operation.result
            made = f"{name} = np.empty({result.shape!r}, {self.constant(result.dtype)}); "
            return made + form.write.format(*operands, out=name, ones=ones)
        assert form.view is not None
        return f"{name} = {form.view.format(*operands)}"

    def _operand(self, x: Any, operation: Operation) -> str:
        if isinstance(x, Variable):
            return self.names[x]
        if type(x) in (tuple, list) and any(True for _ in variables(x)):
            parts = "".join(f"{self._operand(part, operation)}, " for part in x)
            return f"({parts})" if type(x) is tuple else f"[{parts}]"
        if self.forms and operation.name in UFUNCS and type(x) in (int, float):
            # A number costs more than an array without axes.
            dtypes = [y.dtype for y in operation.args if getattr(y, "dtype", None) is not None]
            if dtypes and np.dtype(dtypes[0]).kind in "fc":
                return self.constant(np.asarray(x, dtypes[0]))
        return self.constant(x)

    def constant(self, x: Any) -> str:
        if x is None or type(x) in (bool, int) or (type(x) is float and np.isfinite(x)):
            return repr(x)
        if type(x) is tuple and all(type(part) is int for part in x):
            return repr(x)
        key: Any = id(x)
        if isinstance(x, np.ndarray) and not x.shape:
            key = x.dtype.str, x.tobytes()
        if key not in self._constant_names:
            self._constant_names[key] = f"c{len(self.constants)}"
            self.constants[self._constant_names[key]] = x
        return self._constant_names[key]


def _cut(slot: int, variable: Variable) -> str:
    dtype = np.dtype(variable.dtype)
    nbytes = variable.size * dtype.itemsize
    return f"s{slot}[:{nbytes}].view({dtype.str!r}).reshape({variable.shape!r})"
