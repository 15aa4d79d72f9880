"""Programs started as several processes."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import portanet

PROGRAMS = Path(__file__).parent / "programs"
SECONDS = 240
"""A launch that takes longer hangs, on however busy a machine."""


@dataclass(frozen=True)
class Done:
    code: int
    output: str
    errors: str

    def check(self, *lines: str) -> None:
        """Hold that all processes ended well and that the first printed these lines."""
        assert self.code == 0, self.errors
        assert set(lines) <= set(self.output.splitlines()), self.output


def _beside_python(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join([str(Path(sys.executable).parent), *_path()]))


def _path() -> list[str]:
    return os.environ.get("PATH", "").split(os.pathsep)


MPIRUN = _beside_python("mpirun")
HAS_MPI = MPIRUN is not None and importlib.util.find_spec("mpi4py") is not None
needs_mpi = pytest.mark.skipif(not HAS_MPI, reason="mpi4py or mpirun is not installed")
sweep = pytest.mark.skipif(
    not os.environ.get("PORTANET_SWEEPS"), reason="many processes: with PORTANET_SWEEPS=1"
)


def started_by_mpi(program: str, count: int, *arguments: str) -> Done:
    assert MPIRUN is not None
    options = ["--allow-run-as-root", "--oversubscribe", "-n", str(count)]
    return _run([MPIRUN, *options, sys.executable, "-W", "error"], program, arguments)


def started_by_torch(program: str, count: int, *arguments: str) -> Done:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    return _run([*torchrun, "--nproc-per-node", str(count)], program, arguments)


def alone(program: str, *arguments: str) -> Done:
    return _run([sys.executable, "-W", "error"], program, arguments)


def _run(command: list[str], program: str, arguments: tuple[str, ...]) -> Done:
    source = str(Path(portanet.__file__).parents[1])
    own = {"PYTHONPATH": source, "OMP_NUM_THREADS": "1", "JAX_ENABLE_X64": "1"}
    environment = {**os.environ, **own}
    whole = [*command, str(PROGRAMS / program), *arguments]
    process = subprocess.Popen(
        whole, env=environment, text=True, errors="replace", start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        output, errors = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, errors = process.communicate()
        pytest.fail(f"{program} hangs:\n{output}\n{errors}")
    return Done(process.returncode, output, errors)
