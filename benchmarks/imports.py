"""What an import costs, in fresh interpreters."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator

from benchmarks import timing
from benchmarks.report import duration, table


def imports() -> Iterator[str]:
    """Import NumPy, and portanet, which imports NumPy, as they are when they are installed.

    An installer compiles modules once; where Python may not write what it has compiled, every
    import of a checkout compiles them all again.
    """
    modules = ("numpy", "portanet", "autograd.numpy", "torch")
    with tempfile.TemporaryDirectory() as compiled:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        calls = {module: _importer(module, environment) for module in modules}
        for call in calls.values():
            call()
        rows = [
            [module, duration(t.seconds), f"{duration(abs(t.seconds - base))}"]
            for times in [timing.interleave(calls)]
            for base in [times["numpy"].seconds]
            for module, t in times.items()
        ]
    yield "### Import\n\n" + table(["module", "time", "beyond NumPy"], rows)


def _importer(module: str, environment: dict[str, str]) -> Callable[[], object]:
    command = [sys.executable, "-c", f"import {module}"]
    return lambda: subprocess.run(command, check=True, env=environment)
