"""Recorded programs ready to run, held by one jitted function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from portanet import trees
from portanet.autodiff.hidden import refuse_hidden
from portanet.tracing.call.arguments import bare
from portanet.tracing.call.guards import Match
from portanet.tracing.call.hoist import Hoisted
from portanet.tracing.passes import optimized
from portanet.tracing.program import Program
from portanet.tracing.record.record import record
from portanet.tracing.write import branch_source, loop_source  # noqa: F401  how they are written
from portanet.tracing.write.source import Source, Writer
from portanet.tracing.write.trees import Unknown


class Replay:
    """A program as source, with a workspace for every thread that runs it at the same time.

    Attributes
    ----------
    call : callable or None
        Takes the arguments of a call; returns its outputs, or `OTHER` if it is another one's call.
    key : tuple
        What the cache finds it by.
    """

    def __init__(
        self,
        program: Program,
        source: Source,
        match: Match | None,
        counts: list[tuple[str, int]],
        following: Callable[..., Any],
    ) -> None:
        self.program = program
        self.counts = counts
        self.source = source
        self.key: Any = None
        self._idle: list[Callable[..., Any]] = []
        # What `call` refers to is not this replay, which lives as long as somebody holds it.
        self._workspace = lambda: following(source.workspace())
        self.call = match and match.replay(self._idle, self._workspace)

    def __call__(self, inputs: Sequence[Any]) -> Any:
        try:
            run = self._idle.pop()
        except IndexError:
            run = self._workspace()
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
        return "\n".join([str(self.source.listing), "operations after each pass:", *passes])


class LibraryReplay:
    """A function that the library's own compiler has made."""

    kept_bytes = 0
    key: Any = None

    def __init__(self, hoisted: Hoisted, structure: Any, match: Match | None) -> None:
        self._replay = lambda inputs: trees.unflatten(structure, hoisted(inputs))
        self.call = match and match.whole(self._replay)

    def __call__(self, inputs: Sequence[Any]) -> Any:
        return self._replay(inputs)

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
    try:
        is_traced = backend.is_traced if backend.hides_traces else None
        match = Match(args, kwargs, lambda x: id(x) in chosen, is_traced)
    except Unknown:
        match = None
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


def _split(tree: Any) -> tuple[list[Any], list[Any]]:
    leaves, structure = trees.flatten(tree)
    refuse_hidden(leaves, tree)
    return leaves, [structure]
