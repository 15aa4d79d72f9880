"""Reading a file that other processes replace."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from portanet.io import safetensors as files

SIZE = 20_000
WRITER = f"""
import sys
import numpy as np
from portanet.io import safetensors

rng = np.random.default_rng(int(sys.argv[2]))
while True:
    n = int(rng.integers(1, {SIZE}))
    tree = {{"a": np.full(n, float(n)), "b": np.full({SIZE} - n, float(n)), "layer_1": {{}}}}
    safetensors.save(sys.argv[1], tree, {{"n": str(n)}})
"""


def torn(path: Path, seconds: float, writers: int = 2) -> tuple[int, int]:
    """Read a file while processes replace it; return the reads and how many files they saw.

    An `AssertionError` says what was mixed of two files.
    """
    files.save(path, {"a": np.full(1, 1.0), "b": np.full(SIZE - 1, 1.0), "layer_1": {}}, {"n": "1"})
    command = [sys.executable, "-c", WRITER, str(path)]
    processes = [subprocess.Popen([*command, str(seed)]) for seed in range(writers)]
    seen, reads, end = set(), 0, time.monotonic() + seconds
    try:
        while time.monotonic() < end or len(seen) < 2:
            tree = files.load(path)
            n = tree["a"].size
            assert tree.keys() == {"a", "b", "layer_1"}, tree
            assert tree["b"].size == SIZE - n, tree
            assert all((x == n).all() for x in (tree["a"], tree["b"])), tree
            assert 1 <= int(files.metadata(path)["n"]) < SIZE
            seen.add(n)
            reads += 1
            assert time.monotonic() < end + 60, "no process replaces the file"
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return reads, len(seen)
