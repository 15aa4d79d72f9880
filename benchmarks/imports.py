"""What an import costs, in fresh interpreters."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

from benchmarks import timing
from benchmarks.report import duration, table


def imports() -> Iterator[str]:
    """Import NumPy, and portanet, which imports NumPy."""
    modules = ("numpy", "portanet", "autograd.numpy", "torch")
    calls = {module: _importer(module) for module in modules}
    rows = [
        [module, duration(t.seconds), f"{duration(abs(t.seconds - base))}"]
        for times in [timing.interleave(calls)]
        for base in [times["numpy"].seconds]
        for module, t in times.items()
    ]
    yield "### Import\n\n" + table(["module", "time", "beyond NumPy"], rows)


def _importer(module: str) -> Callable[[], object]:
    return lambda: subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
