"""A quick part of the sweep of dtypes; ``python -m fuzz.dtypes`` is the whole."""

from __future__ import annotations

import os

import pytest

from fuzz.dtypes.cases import cases
from fuzz.dtypes.lengths import long_cases
from fuzz.dtypes.sweep import faults, integer_faults

ALL = {case.name: case for case in cases()}
LONG = {case.name: case for case in long_cases(lengths=(2050,))}


def _asked_for(library: str) -> bool:
    return os.environ.get("PORTANET_TEST_BACKEND", library) == library


@pytest.mark.parametrize("name", ALL)
def test_float16_at_400_and_narrow_integers(name):
    if not _asked_for("numpy"):
        pytest.skip("on NumPy")
    case = ALL[name]
    magnitude = 400.0 if case.takes(400.0) else 1.0
    found = [*faults(case, "numpy", "float16", magnitude, recorded=False)]
    found += integer_faults(case, "numpy", recorded=False)
    assert not found, found


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("name", LONG)
def test_sums_of_many(name, dtype):
    if not _asked_for("numpy"):
        pytest.skip("on NumPy")
    found = [*faults(LONG[name], "numpy", dtype, 1.0, recorded=name.startswith("xp."))]
    assert not found, found
