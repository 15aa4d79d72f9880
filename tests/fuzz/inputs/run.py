"""Making every bad call, and what came of it."""

from __future__ import annotations

import resource
import signal
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from fuzz.inputs.places import Call, Path, at, copied, places, replaced, spelled
from fuzz.inputs.probes import CALLABLE, Probe
from portanet.backends import backend_of, is_array, is_array_of
from portanet.errors import PortanetError

SECONDS = 1.0
"""No answer may take more of the processor; what is imported or compiled once, at a second try."""

PATIENCE = 30.0
"""Seconds after which a call is stopped: longer than the imports that a first call may wait for."""

MEMORY = 2**34
"""Bytes of addresses that the process may have: a size of 2**70 must not get what it asks for."""


class _Stopped(BaseException):
    """The call took more than `PATIENCE`."""


@dataclass(frozen=True)
class Fault:
    """A call that was answered by an error outside the family, or late, or not refused."""

    call: str
    place: str
    probe: str
    what: str

    def __str__(self) -> str:
        return f"{self.call}: {self.place} = {self.probe}: {self.what}"


@dataclass
class Count:
    """How many calls were refused, and how many had an answer after all."""

    refused: int = 0
    accepted: int = 0

    @property
    def calls(self) -> int:
        return self.refused + self.accepted


def faults(
    calls: Iterable[Call],
    probes: dict[str, Probe],
    count: Count,
    chosen: Callable[[Call, Path, str], bool] = lambda *_: True,
) -> Iterator[Fault]:
    """Try every probe at every place of every call, or those `chosen`."""
    for call in calls:
        for path in places(call):
            for name, probe in probes.items():
                if not chosen(call, path, name):
                    continue
                if name in CALLABLE and (callable(at(call, path)) or at(call, path) is None):
                    continue  # a function is a function, whatever it makes of its arguments
                before = count.accepted
                problem = _try(call, path, probe, count)
                if count.accepted > before and _is_strange(call, path, probe()):
                    problem = "taken, though it is no array of one library with the rest"
                if problem is not None and _is_late(problem):
                    problem = _try(call, path, probe, Count())
                if problem is not None:
                    yield Fault(call.name, spelled(path), name, problem)


def _is_strange(call: Call, path: Path, value: Any) -> bool:
    """Whether a value in the place of an array is none, or of another library than the rest."""
    if path not in call.arrays or value is None:  # None may say that there is no array
        return False
    given = (at(call, other) for other in call.arrays if other != path)
    others = [x for x in given if x is not None]
    return not (is_array_of(backend_of(*others), value) if others else is_array(value))


def _is_late(problem: str) -> bool:
    return problem.endswith(" seconds")


def _try(call: Call, path: tuple, probe: Probe, count: Count) -> str | None:
    args, options = replaced(call, path, probe())
    args, options = (args, options) if _is_endless(args, options) else copied((args, options))
    start = time.process_time()
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            warnings.filterwarnings("error", message="Explicitly requested dtype")
            with _limit():
                call.function(*args, **options)
        count.accepted += 1
    except _Stopped:
        pass
    except PortanetError as error:
        count.refused += 1
        try:
            text = str(error)
        except Exception as wrong:
            return f"a message that cannot be made: {wrong!r}"
        if len(text) > 2000:
            return f"a message of {len(text)} characters"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:120]}".replace("\n", " ")
    seconds = time.process_time() - start
    return f"{seconds:.1f} seconds" if seconds > SECONDS else None


@contextmanager
def _limit() -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise _Stopped

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def bounded_memory() -> Iterator[None]:
    """Let the process have no more addresses than `MEMORY`."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def _is_endless(*trees: object) -> bool:
    """Whether copying would not end."""
    try:
        copied(trees)
    except RecursionError:
        return True
    return False
