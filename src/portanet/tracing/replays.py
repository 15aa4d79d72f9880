"""Recorded programs ready to run, held by one jitted function."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from portanet import trees
from portanet.tracing.calling import matcher
from portanet.tracing.hoist import Hoisted
from portanet.tracing.program import Program
from portanet.tracing.record import record
from portanet.tracing.simplify import simplify
from portanet.tracing.source import Source, Writer


class Replay:
    """A program as source, with a workspace for every thread that runs it at the same time.

    Attributes
    ----------
    match : callable or None
        Takes the arguments of a call; returns the inputs, or None if the call is another one.
    """

    def __init__(self, program: Program, source: Source, match: Any) -> None:
        self.program = program
        self.source = source
        self.match = match
        self._idle: list[Callable[..., Any]] = []

    def __call__(self, inputs: Sequence[Any]) -> Any:
        try:
            run = self._idle.pop()
        except IndexError:
            run = self.source.workspace()
        outputs = run(*inputs)
        self._idle.append(run)
        return outputs

    @property
    def kept_bytes(self) -> int:
        """The bytes of all workspaces; one that runs at the moment counts as well."""
        return self.source.kept_bytes * max(len(self._idle), 1)

    def text(self) -> str:
        return self.source.text

    def explanation(self) -> str:
        program = self.program
        counts = Counter(operation.name for operation in program.operations)
        rows = [f"    {name}: {count}" for name, count in sorted(counts.items())]
        return "\n".join(
            [
                f"inputs: {len(program.inputs)}",
                f"operations: {len(program.operations)}",
                *rows,
                f"outputs: {len(program.outputs)}",
                f"buffers: {self.source.buffers}",
                f"kept bytes: {self.source.kept_bytes}",
            ]
        )


class LibraryReplay:
    """A function that the library's own compiler has made."""

    kept_bytes = 0

    def __init__(self, hoisted: Hoisted, structure: Any, match: Any) -> None:
        self.hoisted = hoisted
        self.structure = structure
        self.match = match

    def __call__(self, inputs: Sequence[Any]) -> Any:
        return trees.unflatten(self.structure, self.hoisted(inputs))

    def text(self) -> str:
        return "# compiled by the library of the arrays\n"

    def explanation(self) -> str:
        return "compiled by the library of the arrays"


def make(
    function: Callable[..., Any], leaves: list[Any], structure: Any, places: list[int], backend: Any
) -> tuple[Replay | LibraryReplay, Any]:
    """Run a function on ``(args, kwargs)`` given as a flat tree, and record it.

    Parameters
    ----------
    places : list of int
        Which leaves are inputs.
    backend : Backend

    Returns
    -------
    replay : callable
    outputs : tree
        What the function returned.
    """
    inputs = [leaves[i] for i in places]
    built: list[Any] = []

    def flattened(*values: Any) -> list[Any]:
        given = list(leaves)
        for i, value in zip(places, values, strict=True):
            given[i] = value
        args, kwargs = trees.unflatten(structure, given)
        outputs, built[:] = _split(function(*args, **kwargs))
        return outputs

    chosen = set(map(id, inputs))
    match = matcher(trees.unflatten(structure, leaves), lambda x: id(x) in chosen)
    if backend.jit == "library":
        hoisted = Hoisted(flattened, inputs, backend)
        return LibraryReplay(hoisted, built[0], match), trees.unflatten(built[0], hoisted.first)
    program, outputs = record(flattened, inputs, backend.xp)
    forms = backend.jit == "source"
    program = simplify(program, backend.xp if forms else None)
    source = Writer(program, outputs, inputs, forms).source(built[0])
    return Replay(program, source, match), trees.unflatten(built[0], outputs)


def _split(tree: Any) -> tuple[list[Any], list[Any]]:
    leaves, structure = trees.flatten(tree)
    return leaves, [structure]
