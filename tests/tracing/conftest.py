"""The tests of jit run where a program is recorded: on NumPy and array_api_strict, and on JAX."""

from __future__ import annotations

import pytest

from portanet.training.known.known_steps import STEPS


@pytest.fixture(autouse=True)
def _without_steps_of_other_tests():
    STEPS.clear()


@pytest.fixture
def recorder(backend):
    """Return a library whose functions `pn.jit` records."""
    if backend.adapter.jit == "none":
        pytest.skip(f"pn.jit runs functions on {backend.name} as they are")
    return backend


@pytest.fixture
def replayer(recorder):
    """Return a library whose functions `pn.jit` replays itself."""
    if recorder.adapter.jit == "library":
        pytest.skip(f"{recorder.name} compiles")
    return recorder
