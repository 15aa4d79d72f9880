"""Recorded programs ready to run, held by one jitted function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from portanet import trees
from portanet.autodiff.hidden import refuse_hidden
from portanet.tracing.call.arguments import bare
from portanet.tracing.call.calling import matcher
from portanet.tracing.call.hoist import Hoisted
from portanet.tracing.passes import optimized
from portanet.tracing.program import Program
from portanet.tracing.record.record import record
from portanet.tracing.write import branch_source, loop_source  # noqa: F401  how they are written
from portanet.tracing.write.source import Source, Writer


class Replay:
    """A program as source, with a workspace for every thread that runs it at the same time.

    Attributes
    ----------
    match : callable or None
        Takes the arguments of a call; returns the inputs, or None if the call is another one.
    key : tuple
        What the cache finds it by.
    """

    def __init__(
        self,
        program: Program,
        source: Source,
        match: Any,
        counts: list[tuple[str, int]],
        following: Callable[..., Any],
    ) -> None:
        self.program = program
        self._following = following
        self.counts = counts
        self.source = source
        self.match = match
        self.key: Any = None
        self._idle: list[Callable[..., Any]] = []

    def __call__(self, inputs: Sequence[Any]) -> Any:
        try:
            run = self._idle.pop()
        except IndexError:
            run = self._following(self.source.workspace())
        outputs = run(*inputs)
        self._idle.append(run)
        return outputs

    @property
    def kept_bytes(self) -> int:
        """The bytes of all workspaces; one that runs at the moment counts as well."""
        return sum(part.kept_bytes for part in self.source.all()) * max(len(self._idle), 1)

    def text(self) -> str:
        return "\n".join(part.text for part in self.source.all())

    def explanation(self) -> str:
        passes = (f"    {name}: {count}" for name, count in self.counts)
        return "\n".join([str(self.source.drawing), "operations after each pass:", *passes])


class LibraryReplay:
    """A function that the library's own compiler has made."""

    kept_bytes = 0
    key: Any = None

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
    function: Callable[..., Any],
    leaves: list[Any],
    structure: Any,
    places: list[int],
    backend: Any,
    donated: Sequence[int] = (),
    mode: str | None = None,
) -> tuple[Replay | LibraryReplay, Any]:
    """Record a function on ``(args, kwargs)`` given as a flat tree, and run the program.

    So the first call gives what all later ones give, to the last bit.

    Parameters
    ----------
    places : list of int
        Which leaves are inputs.
    backend : Backend
    donated : sequence of int
        The inputs whose memory may be given to results.
    mode : str, optional
        For the library's compiler.

    Returns
    -------
    replay : callable
    outputs : tree
        What the program returned.
    """
    inputs = [leaves[i] for i in places]
    others = list(leaves)  # without the inputs, which a replay does not hold
    for i in places:
        others[i] = None
    built: list[Any] = []

    def flattened(*values: Any) -> list[Any]:
        given = list(others)
        for i, value in zip(places, values, strict=True):
            given[i] = value
        args, kwargs = trees.unflatten(structure, given)
        kwargs = {name: bare(x) for name, x in kwargs.items()}
        outputs, built[:] = _split(function(*map(bare, args), **kwargs))
        return outputs

    chosen = set(map(id, inputs))
    args, kwargs = trees.unflatten(structure, leaves)
    match = matcher(args, kwargs, lambda x: id(x) in chosen)
    if match is not None and backend.hides_traces:
        match = _of_untraced(match, backend)
    if backend.jit == "library":
        given = [places.index(i) for i in donated]
        hoisted = Hoisted(flattened, inputs, backend, given, mode)
        outputs = hoisted.first(inputs)
        return LibraryReplay(hoisted, built[0], match), trees.unflatten(built[0], outputs)

    def replay_of(inputs: list[Any]) -> Replay:
        program, outputs = record(flattened, inputs, backend.xp)
        done = optimized(program, backend)
        program = done.program
        free = [program.inputs[places.index(i)] for i in donated]
        forms = backend.jit == "source"
        source = Writer(program, outputs, inputs, forms, donated=free).source(built[0])
        return Replay(program, source, match, done.counts, backend.following)

    replay = backend.following(replay_of)(inputs)
    return replay, replay(inputs)


def _of_untraced(match: Callable[[Any, Any], Any], backend: Any) -> Callable[[Any, Any], Any]:
    def found(args: Any, kwargs: Any) -> Any:
        inputs = match(args, kwargs)
        traced = inputs is not None and any(map(backend.is_traced, inputs))
        return None if traced else inputs

    return found


def _split(tree: Any) -> tuple[list[Any], list[Any]]:
    leaves, structure = trees.flatten(tree)
    refuse_hidden(leaves, tree)
    return leaves, [structure]
