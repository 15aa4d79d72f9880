"""Steps in the order of their worth, within a time; what is done is never done again."""

from __future__ import annotations

import contextlib
import json
import signal
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Step:
    """Something to find out.

    Parameters
    ----------
    name : str
    seconds : float
        The most that it may take; it begins only if so many are left.
    run : callable
        Takes the seconds that it has and returns what it found.
    """

    name: str
    seconds: float
    run: Callable[[float], Mapping[str, Any]]


class OutOfTime(BaseException):
    """A step took longer than it may; like an interrupt, no library takes it for its own fault."""


class Session:
    """A run within `seconds` whose findings are in the file `results`."""

    def __init__(self, results: Path, seconds: float) -> None:
        self.results = results
        self._end = time.monotonic() + seconds

    def found(self) -> dict[str, dict[str, Any]]:
        """Return what is known of each step that did not fail, from this run or one before it."""
        lines = self.results.read_text().splitlines() if self.results.exists() else []
        rows = [json.loads(line) for line in lines if line.endswith("}")]
        return {row.pop("step"): row for row in rows if "error" not in row}

    def run(self, steps: Iterable[Step]) -> None:
        """Do what is not known yet and fits into the time that is left."""
        known = self.found()
        for step in steps:
            left = self._end - time.monotonic()
            if step.name in known:
                print(f"= {step.name}: known", flush=True)
            elif left < step.seconds:
                print(f"- {step.name}: {step.seconds:.0f} s needed, {left:.0f} left", flush=True)
            else:
                self._do(step)

    def _do(self, step: Step) -> None:
        began = time.monotonic()
        found: dict[str, Any]
        try:
            with _at_most(step.seconds):
                found = dict(step.run(step.seconds))
        except (Exception, OutOfTime) as error:  # the next step may do
            found = {"error": f"{type(error).__name__}: {error}"}
            print(traceback.format_exc(limit=-3), flush=True)
        sign = "!" if "error" in found else "+"
        found["took"] = round(time.monotonic() - began, 2)
        print(f"{sign} {step.name}: {_line(found)}", flush=True)
        with self.results.open("a") as file:
            file.write(json.dumps({"step": step.name, **found}) + "\n")


@contextlib.contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Raise `OutOfTime` in what runs longer."""

    def stop(*_: object) -> None:
        raise OutOfTime(f"more than {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _line(found: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in found.items())
