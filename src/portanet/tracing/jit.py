"""jit: record a function once, then replay it."""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from portanet import trees
from portanet.backends import array_namespace, is_array
from portanet.random import Key
from portanet.tape import Box
from portanet.tracing.calling import matcher
from portanet.tracing.host import Counter, RecordedKey, RecordedNumber
from portanet.tracing.program import Program
from portanet.tracing.record import record
from portanet.tracing.simplify import simplify
from portanet.tracing.source import Writer

_MOST_PROGRAMS = 256


class CacheInfo(NamedTuple):
    """How often a jitted function was replayed, how often recorded, and how much it keeps."""

    hits: int
    misses: int
    programs: int
    kept_bytes: int


class Replay:
    """A program ready to run, with a workspace for every thread that runs it at the same time."""

    def __init__(self, program: Program, structure: Any, arguments: Any) -> None:
        self.source = Writer(program).source(structure)
        self.match = matcher(arguments, _is_input)
        self._idle: list[Callable[..., Any]] = []

    def __call__(self, inputs: Sequence[Any]) -> Any:
        try:
            run = self._idle.pop()
        except IndexError:
            run = self.source.workspace()
        outputs = run(*inputs)
        self._idle.append(run)
        return outputs


class Jitted:
    """A function that is recorded once for each structure, shape and dtype, then replayed."""

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self._replays: OrderedDict[Any, Replay] = OrderedDict()
        self._lock = threading.Lock()
        self._last: Replay | None = None
        self._hits = self._misses = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        last = self._last
        if last is not None and last.match is not None:
            inputs = last.match((args, kwargs))
            if inputs is not None:
                self._hits += 1
                return last(inputs)
        return self._look_up(args, kwargs)

    def _look_up(self, args: Any, kwargs: Any) -> Any:
        leaves, structure = trees.flatten((args, kwargs))
        inputs, signature = [], [structure]
        for leaf in leaves:
            kind = _KINDS.get(type(leaf)) or _kind(leaf)
            if kind is _STATIC:
                signature.append((type(leaf), leaf))
            elif kind is _TRACED:
                return self.function(*args, **kwargs)
            else:
                inputs.append(leaf)
                signature.append((type(leaf), leaf.shape, leaf.dtype) if kind is _ARRAY else kind)
        key = tuple(signature)
        replay = self._replays.get(key)
        if replay is not None:
            self._hits += 1
            self._last = replay
            return replay(inputs)
        return self._record(key, leaves, structure)

    def _record(self, key: Any, leaves: list[Any], structure: Any) -> Any:
        places = [i for i, leaf in enumerate(leaves) if _kind(leaf) is not _STATIC]
        inputs = [leaves[i] for i in places]
        built: list[Any] = []

        def flattened(*values: Any) -> list[Any]:
            given = list(leaves)
            for i, value in zip(places, values, strict=True):
                given[i] = value
            args, kwargs = trees.unflatten(structure, given)
            found, built[:] = _flatten_into(self.function(*args, **kwargs))
            return found

        xp = array_namespace(*(x for x in inputs if is_array(x)))
        program, outputs = record(flattened, inputs, xp)
        with self._lock:
            self._misses += 1
            arguments = trees.unflatten(structure, leaves)
            self._last = self._replays[key] = Replay(simplify(program), built[0], arguments)
            if len(self._replays) > _MOST_PROGRAMS:
                self._replays.popitem(last=False)
        return trees.unflatten(built[0], outputs)

    def cache_info(self) -> CacheInfo:
        """Return how often the function was replayed and recorded, and what is kept."""
        kept = sum(replay.source.kept_bytes for replay in self._replays.values())
        return CacheInfo(self._hits, self._misses, len(self._replays), kept)


def _flatten_into(tree: Any) -> tuple[list[Any], list[Any]]:
    leaves, structure = trees.flatten(tree)
    return leaves, [structure]


_ARRAY, _STATIC, _TRACED, _HOST = "array", "static", "traced", "host"
_KINDS: dict[type, str] = {}


def _kind(leaf: Any) -> str:
    if isinstance(leaf, Box | RecordedKey | RecordedNumber):
        return _TRACED
    kind = _HOST if isinstance(leaf, Key | Counter) else _ARRAY if is_array(leaf) else _STATIC
    _KINDS[type(leaf)] = kind
    return kind


def _is_input(leaf: Any) -> bool:
    return _kind(leaf) in (_ARRAY, _HOST)


def jit(function: Callable[..., Any]) -> Jitted:
    """Make a function that is recorded once and then replayed."""
    return Jitted(function)
