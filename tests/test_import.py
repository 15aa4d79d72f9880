"""Importing portanet is light, no array library but NumPy; and its rooms import one way."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import portanet

HEAVY = {
    "array_api_strict",
    "cupy",
    "jax",
    "jaxlib",
    "matplotlib",
    "ml_dtypes",
    "pytest",
    "safetensors",
    "scipy",
    "sklearn",
    "torch",
    "tqdm",
}

TRAIN_ON_NUMPY = """
import numpy as np
import portanet as pn

model = pn.Dense(2, 1)
ps, st = pn.setup(0, model)
ts = pn.training.TrainState(model, ps, st, pn.optimizers.SGD(0.1))
x = np.ones((3, 2), np.float32)
pn.training.train_step(pn.MSELoss(), (x, x[:, :1]), ts)
"""


def modules_loaded_by(program: str) -> set[str]:
    report = "\nimport sys; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", program + report], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("program", ["import portanet", TRAIN_ON_NUMPY])
def test_no_framework_is_imported(program):
    loaded = modules_loaded_by(program)
    assert "portanet" in loaded
    assert loaded & HEAVY == set()


ROOMS = (
    "errors once",
    "trees",
    "tape",
    "backends",
    "random",
    "checks devices parameters versions",
    "autodiff",
    "control tracing",
    "core functional",
    "initializers losses stateful",
    "layers optimizers",
    "inspection io testing training",
)
"""From below to above; those of one line do not import each other."""

LEVELS = {room: level for level, rooms in enumerate(ROOMS) for room in rooms.split()}
SOURCE = Path(portanet.__file__).parent


def imported_by(path: Path) -> set[str]:
    """Return the rooms that a file imports when it is loaded itself."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module == "portanet":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("portanet."):
            found.add(str(node.module).split(".")[1])
    return found


@pytest.mark.parametrize("room", LEVELS)
def test_imports_run_one_way(room):
    """Adapters, which are loaded when somebody asks for them, may look above."""
    files = [*SOURCE.glob(f"{room}.py"), *SOURCE.glob(f"{room}/**/*.py")]
    assert files
    for path in files:
        if path.relative_to(SOURCE).parts[0] == "backends" and path.parent.name != "backends":
            continue
        above = {name for name in imported_by(path) - {room} if LEVELS[name] >= LEVELS[room]}
        assert not above, f"{path.name} imports {above}"


def test_every_room_has_its_place():
    found = {
        path.stem for path in SOURCE.iterdir() if path.stem[0] != "_" and path.name != "py.typed"
    }
    assert found == set(LEVELS)
