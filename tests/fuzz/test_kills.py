"""The quick part of the fuzzer that kills trainings."""

from __future__ import annotations

import signal

import pytest

pytest.importorskip("safetensors")

from fuzz.kills.kill import outcomes


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal on this system")
def test_trainings_that_are_killed_end_with_the_same_bits():
    found = list(outcomes(3, seed=0, epochs=2, life=0.3))
    assert [outcome.fault for outcome in found] == [None] * len(found)
    assert sum(outcome.kills for outcome in found) >= 3
