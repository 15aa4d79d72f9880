"""Every example runs on every library that is present, and prints the same numbers on each."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import portanet as pn

EXAMPLES = sorted((Path(__file__).parents[1] / "docs" / "examples").glob("*.py"))
# NumPy's BLAS now and then reports an invalid value where every value is valid; a real one would
# change the numbers.
WARNINGS = [
    *("-W", "error"),
    *("-W", "ignore:invalid value encountered in matmul:RuntimeWarning"),
    *("-W", "ignore:invalid value encountered in dot:RuntimeWarning"),
]
NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d*)?(?:e[-+]?\d+)?(?!\w)")


@functools.cache
def numbers_printed(script: Path, backend: str) -> np.ndarray:
    """Run a script and return the numbers on its standard output; timings go to standard error."""
    done = subprocess.run(
        [sys.executable, *WARNINGS, script, "--backend", backend],
        capture_output=True,
        text=True,
        env={**os.environ, "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return np.asarray([float(number) for number in NUMBER.findall(done.stdout)])


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_on_numpy(script, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert numbers_printed(script, "numpy").size > 0


@pytest.mark.parametrize("name", ["array_api_strict", "torch", "jax", "cupy"])
@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_prints_the_same_numbers_elsewhere(script, name, tmp_path, monkeypatch):
    if reason := pn.backends.available()[name]:
        pytest.skip(reason)
    monkeypatch.chdir(tmp_path)
    expected = numbers_printed(script, "numpy")
    actual = numbers_printed(script, name)
    np.testing.assert_allclose(actual, expected, rtol=2e-3, atol=2e-4)
