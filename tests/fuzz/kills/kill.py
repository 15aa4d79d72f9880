"""Starting trainings and killing them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fuzz.kills.run import KEEP, checkpointer, train

LIFE = 0.4
"""Seconds that a training lives at most, once it has begun; more with each time it was killed."""


@dataclass(frozen=True)
class Outcome:
    """How often a training was killed, how many drafts that left, and what is wrong at its end."""

    kills: int
    drafts: int
    fault: str | None


def outcomes(kills: int, seed: int, epochs: int, life: float = LIFE) -> Iterator[Outcome]:
    """Yield what came of trainings that were killed until they were through."""
    rng, expected = np.random.default_rng(seed), train(None, epochs)
    done = 0
    while done < kills:
        with tempfile.TemporaryDirectory() as folder:
            own = drafts = 0
            while True:
                longest = life * (1 + own / 4)  # so that it comes to an end on a busy machine too
                found = _life(folder, epochs, rng.uniform(0, longest))
                if found is not None:
                    break
                own += 1
                drafts += len(_drafts(folder))
            done += own
            yield Outcome(own, drafts, _fault(folder, found, expected))


def _fault(folder: str, found: str, expected: str) -> str | None:
    """Return what is wrong at the end of a training."""
    if found != expected:
        return f"OTHER BITS: {found!r} != {expected!r}"
    if _drafts(folder):
        return f"drafts are left: {_drafts(folder)}"
    steps = checkpointer(folder).steps
    return None if KEEP <= len(steps) <= KEEP + 1 else f"kept are {steps}"


def _drafts(folder: str) -> list[str]:
    return [name for name in os.listdir(folder) if not name.startswith("step-")]


def _life(folder: str, epochs: int, seconds: float) -> str | None:
    """Run a training for some time; return what it came to, None if it was killed."""
    command = [sys.executable, "-m", "fuzz.kills.run", folder, str(epochs)]
    own = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=own) as process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        assert ready == "ready\n", "a training that was killed can be taken up"
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        # What it said may have been read with its first line: `communicate` would not find it.
        said = process.stdout.read()
    if process.returncode == -signal.SIGKILL:
        return None
    assert process.returncode == 0
    return said.strip()


def main(kills: int, seed: int, epochs: int) -> int:
    """Kill trainings, and say what became of them."""
    start, found = time.perf_counter(), []
    for outcome in outcomes(kills, seed, epochs):
        found.append(outcome)
        verdict = outcome.fault or "the same bits"
        print(f"killed {outcome.kills} times, {outcome.drafts} drafts, {verdict}", flush=True)
    total, drafts = sum(x.kills for x in found), sum(x.drafts for x in found)
    wrong = sum(x.fault is not None for x in found)
    seconds = time.perf_counter() - start
    print(
        f"{total} kills in {len(found)} trainings, {drafts} drafts, {wrong} wrong, {seconds:.0f} s"
    )
    return 1 if wrong else 0
