"""Importing portanet is light: no array library but NumPy, and nothing else that is heavy."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {
    "array_api_strict",
    "cupy",
    "jax",
    "jaxlib",
    "matplotlib",
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
