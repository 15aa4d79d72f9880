"""From a program to Python source: a flat list of calls, for NumPy on memory that is kept."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from portanet import trees
from portanet.tracing.plan import check
from portanet.tracing.plan.blocks import BlockLoop, in_loops
from portanet.tracing.plan.outputs import output_texts
from portanet.tracing.plan.steps import Plan, Step
from portanet.tracing.plan.storage import Storage, aligned, is_free, nbytes, rounded
from portanet.tracing.program import Inner, Operation, Program, Variable
from portanet.tracing.write.expressions import seen
from portanet.tracing.write.listing import Listing
from portanet.tracing.write.shaping import Shaping
from portanet.tracing.write.trees import Text, literal

_LARGE = 1 << 14  # entries of an array that is worth a statement to let go of


@dataclass
class Source:
    """The text of a program's replay and what it refers to.

    Attributes
    ----------
    text : str
        A function ``workspace(np, <constants>)`` that returns the replay.
    constants : dict
        What the constants' names stand for.
    kept_bytes : int
        The memory that one workspace holds between calls.
    listing : Listing or None
        What the program does, to be shown.
    """

    text: str
    constants: dict[str, Any]
    kept_bytes: int
    listing: Listing | None

    def all(self) -> list[Source]:
        """Return this source and those of the loops in it."""
        inner = [x for x in self.constants.values() if isinstance(x, Inner)]
        return [self, *(source for x in inner for source in source_of(x).all())]

    def workspace(self) -> Callable[..., tuple[Any, ...]]:
        """Return a replay with memory of its own: only one thread may call it at a time."""
        names: dict[str, Any] = {}
        exec(compile(self.text, "<portanet.jit>", "exec"), names)
        constants = {
            name: source_of(x).workspace() if isinstance(x, Inner) else x
            for name, x in self.constants.items()
        }
        return names["workspace"](np, **constants)


@functools.singledispatch
def written(inner: Any) -> Source:
    """Write the source of a part of a program: each kind registers how."""
    raise NotImplementedError(type(inner).__name__)


def source_of(inner: Inner) -> Source:
    """Return the source of a part of a program, written once."""
    if inner.source is None:
        inner.source = written(inner)
    return inner.source


class Writer(Shaping):
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
    plan : Plan, optional
    donated : iterable of Variable
        The inputs over which results may be written.
    """

    def __init__(
        self,
        program: Program,
        values: Sequence[Any],
        inputs: Sequence[Any],
        forms: bool,
        plan: Plan | None = None,
        donated: Iterable[Variable] = (),
    ) -> None:
        super().__init__(forms)
        self.program = program
        self.values = values
        self.inputs = inputs
        self.plan = plan or Plan(program, forms)
        self.items = in_loops(self.plan)
        self.storage = Storage(self.items, self.plan, donated)
        check.storage(self.items, self.plan, self.storage)
        self.names = {v: f"a{i}" for i, v in enumerate(program.inputs)}
        for i, operation in enumerate(program.operations):
            self.names[operation.result] = f"v{i}"
        self._started: set[int] = set()
        self._places: dict[Any, str] = {}
        self._lookers: dict[Variable, dict[str, None]] = {}

    def source(self, structure: Any) -> Source:
        """Return the source of a replay whose outputs are the leaves of a tree."""
        self._write_items()
        texts = [Text(text) for text in output_texts(self)]
        outputs = literal(trees.unflatten(structure, texts))
        if outputs is None:
            whole = f"{self.constant(trees.unflatten)}({self.constant(structure)}, "
            outputs = f"{whole}({''.join(f'{text}, ' for text in texts)}))"
        inputs = [self.names[v] for v in self.program.inputs]
        return self._finished("replay", inputs, [*self._lines, f"return {outputs}"])

    def _write_items(self) -> None:
        for number, item in enumerate(self.items):
            if isinstance(item, BlockLoop):
                self._write_loop(item, number)
            else:
                self._write_step(item)
            self._drop(item, number)

    def _finished(self, name: str, inputs: Sequence[str], lines: Sequence[str]) -> Source:
        """Return the source of a function with the body `lines`."""
        sizes = self.storage.kept_sizes
        ends = list(itertools.accumulate(sizes.values(), initial=0))
        kept = [f"    s = {self.constant(aligned)}({ends[-1]})"] if sizes else []
        kept += [
            f"    s{i} = s[{start}:{start + n}]"
            for (i, n), start in zip(sizes.items(), ends, strict=False)
        ]
        body = [f"        {line}" for line in lines]
        text = "\n".join([*kept, *self._made, f"    def {name}({', '.join(inputs)}):", *body])
        aliases = [f"    {alias} = np.{path}" for alias, path in sorted(self.functions.items())]
        head = f"def workspace(np, {', '.join(self.constants)}):"
        whole = "\n".join([head, *aliases, text, f"    return {name}", ""])
        listing = Listing(self.program, self.items, self.plan, self.storage)
        return Source(whole, self.constants, sum(sizes.values()), listing)

    def _write_step(self, step: Step) -> None:
        result, operation = step.result, step.operation
        name, names = self.names[result], self.names
        if result in self.storage.places:
            self._write_place(result, result.shape)
            name = names[result]
        if step.form is None:
            self._lines.append(f"{name} = {self._call(operation, names)})")
        elif step.how == "number":
            self._lines.append(f"{name} = {self._operators(step)}")
        elif step.how == "write":
            self._lines.append(self._filled(step, names))
        elif step.how == "fresh" and step.form.fresh is None:
            dtype = self.constant(result.dtype)
            empty = self.function("empty")
            self._lines.append(f"{name} = {empty}({result.shape!r}, {dtype})")
            self._lines.append(self._filled(step, names))
        elif step.how == "fresh":
            text = self._with_axes(step, self._text(step.form.fresh, step, names))
            self._lines.append(f"{name} = {text}")
        elif step.how == "join":
            self._join(operation)
        else:
            text = f"{name} = {self._text(step.form.view, step, names)}"
            if step.how == "look" or self._is_new(result):
                self._lines.append(text)
            else:
                self._made.append(f"    {text}")

    def _drop(self, item: Step | BlockLoop, number: int) -> None:
        """Let go of large arrays that are not kept, as soon as nothing reads them any more."""
        if isinstance(item, Step) and item.how in ("look", "call", "fresh"):
            for owner in self.plan.aliases.of(item.result):
                self._lookers.setdefault(owner, {})[self.names[item.result]] = None
        for variable in (*item.results, *item.reads):
            for owner in self.plan.aliases.of(variable):
                ended = self.storage.live_until[owner] == number and owner not in self.plan.held
                names = self._lookers.pop(owner, {}) if ended else {}
                if self.names[owner] in names and owner.size >= _LARGE:
                    self._lines.append(f"del {', '.join(names)}")

    def _write_place(self, variable: Variable, shape: tuple[int, ...]) -> None:
        """Name the memory of a variable: once and for all, or anew in each call."""
        slot, start = self.storage.places[variable]
        key = slot, start, variable.dtype, shape
        if key in self._places:
            self.names[variable] = self._places[key]
            return
        self._places[key] = self.names[variable]
        text = f"{self.names[variable]} = {seen(f's{slot}', variable, shape, start)}"
        result = self.storage.given.get(slot)
        if result is None:
            self._made.append(f"    {text}")
            return
        if slot not in self._started:
            self._started.add(slot)
            self._lines.append(f"s{slot} = {self._aligned(result)}")
            self._lines.append(f"{self.names[result]} = {seen(f's{slot}', result, result.shape)}")
        self._lines.append(text)

    def _aligned(self, variable: Variable) -> str:
        return f"{self.constant(aligned)}({rounded(nbytes(variable))})"

    def _new(self, result: Variable) -> str:
        """Return the memory of a result that the caller gets."""
        text = seen(self._aligned(result), result, result.shape)
        if result not in self.storage.taken:
            return text
        given = self.names[self.storage.taken[result]]
        others = [name for v in self.program.inputs if (name := self.names[v]) != given]
        free = f"{self.constant(is_free)}({given}, [{', '.join(others)}])"
        return f"{given} if {free} else {text}"

    def _write_loop(self, loop: BlockLoop, number: int) -> None:
        for step in loop.steps:
            if (x := step.result) in self.storage.places:
                self._write_place(x, (loop.rows, *x.shape[1:]) if x in loop.inner else x.shape)
        names = dict(self.names)
        kept: dict[str, str] = {}
        cut: dict[str, str] = {}
        for x in (*loop.reads, *(step.result for step in loop.steps)):
            if not loop.is_cut(x):
                continue
            rows = "[: k.stop - k.start]" if x in loop.inner else "[k]"
            group = kept if x in self.plan.kept and not self._is_new(x) else cut
            group[f"{self.names[x]}k"] = f"{self.names[x]}{rows}"
            names[x] = f"{self.names[x]}k"
        pieces = "".join(f", {text}" for text in kept.values())
        slices = self.constant(loop.slices())
        self._made.append(f"    b{number} = [(k{pieces},) for k in {slices}]")
        given = set(self.storage.given.values())
        fresh = [step.result for step in loop.steps if step.how == "fresh"]
        for x in fresh:
            if x not in given:
                self._lines.append(f"{self.names[x]} = {self._new(x)}")
        self._lines.append(f"for k{''.join(f', {name}' for name in kept)}, in b{number}:")
        self._lines += [f"    {name} = {text}" for name, text in cut.items()]
        self._lines += [f"    {self._filled(step, names, loop)}" for step in loop.steps]

    def _join(self, operation: Operation) -> None:
        """Copy the parts of a joined array that do not lie there already."""
        whole = operation.result
        for start, part in self.plan.strangers[whole]:
            rows = f"{self.names[whole]}[{start}:{start + part.shape[0]}]"
            self._lines.append(f"{rows} = {self._operand(part, self.names)}")
