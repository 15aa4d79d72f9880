"""``python -m fuzz.files --files 50000 --seed 0``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from fuzz.files.check import run
from fuzz.files.torn import torn

parser = argparse.ArgumentParser(description="Files at random against the library's verdict.")
parser.add_argument("--files", type=int, default=50_000)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--torn", type=float, default=20.0, help="seconds of reading a replaced file")
options = parser.parse_args()

start = time.perf_counter()
counts, faults = run(options.files, options.seed)
print(*faults, sep="\n", end="\n" if faults else "")
print(f"{options.files} files in {time.perf_counter() - start:.0f} s: {dict(counts)}")
with tempfile.TemporaryDirectory() as folder:
    reads, seen = torn(Path(folder, "torn.safetensors"), options.torn)
print(f"{reads} reads of {seen} files that replaced each other, none torn")
print(f"{len(faults)} faults")
sys.exit(bool(faults))
