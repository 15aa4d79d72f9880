"""Starting trainings and killing them."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fuzz.kills.run import train

LIFE = 0.4
"""Seconds that a training lives at most, once it has begun."""


def outcomes(kills: int, seed: int, epochs: int) -> Iterator[tuple[int, bool]]:
    """Yield how often each training was killed, and whether it came to the right end."""
    rng, expected = np.random.default_rng(seed), train(None, epochs)
    done = 0
    while done < kills:
        with tempfile.TemporaryDirectory() as folder:
            path, own = Path(folder, "run.safetensors"), 0
            while (found := _life(path, epochs, rng.uniform(0, LIFE))) is None:
                own += 1
            done += own
            yield own, found == expected


def _life(path: Path, epochs: int, seconds: float) -> str | None:
    """Run a training for some time; return what it came to, None if it was killed."""
    command = [sys.executable, "-m", "fuzz.kills.run", str(path), str(epochs)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        assert ready == "ready\n", "a training that was killed can be taken up"
        try:
            rest, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            return None
    assert process.returncode == 0
    return rest.strip()


def main(kills: int, seed: int, epochs: int) -> int:
    """Kill trainings, and say what became of them."""
    start, total, wrong = time.perf_counter(), 0, 0
    for own, right in outcomes(kills, seed, epochs):
        total, wrong = total + own, wrong + (not right)
        print(f"killed {own} times, and {'the same bits' if right else 'OTHER BITS'}", flush=True)
    print(f"{total} kills, {wrong} wrong, {time.perf_counter() - start:.0f} s")
    return 1 if wrong else 0
