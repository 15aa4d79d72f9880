"""Batches made ahead: the same ones, and no thread is left behind."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from portanet.data import DataLoader


class Dataset:
    def __init__(self, length, failing=None):
        self.length = length
        self.failing = failing
        self.asked = 0

    def __len__(self):
        return self.length

    def __getitem__(self, i):
        self.asked += 1
        if i == self.failing:
            raise ZeroDivisionError("a broken sample")
        return np.full(3, i)


def threads():
    return [t for t in threading.enumerate() if t.name == "portanet-prefetch"]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    assert threads() == []
    yield
    gc.collect()
    assert threads() == []


@pytest.mark.parametrize("prefetch", [1, 3, 100])
def test_the_same_batches(prefetch):
    plain = list(DataLoader(Dataset(10), 3))
    ahead = list(DataLoader(Dataset(10), 3, prefetch=prefetch))
    for one, other in zip(plain, ahead, strict=True):
        np.testing.assert_array_equal(one, other)


def test_no_more_are_made_than_asked_for():
    dataset = Dataset(100)
    batches = iter(DataLoader(dataset, 1, prefetch=2))
    assert threads() == []
    assert dataset.asked == 0
    next(batches)
    time.sleep(0.1)
    assert dataset.asked <= 1 + 2 + 1  # used, waiting, and one that finds no room
    batches.close()


def test_a_consumer_that_stops_early_stops_the_thread():
    for _ in DataLoader(Dataset(1000), 1, prefetch=2):
        break
    assert threads() == []
    batches = iter(DataLoader(Dataset(1000), 1, prefetch=2))
    next(batches)
    assert len(threads()) == 1
    del batches


def test_errors_are_carried_over_after_the_batches_before_them():
    seen = []
    batches = DataLoader(Dataset(10, failing=7), 2, prefetch=2)
    with pytest.raises(ZeroDivisionError, match="a broken sample") as caught:
        seen.extend(batch[0, 0] for batch in batches)
    assert seen == [0, 2, 4]
    assert any(frame.name == "__getitem__" for frame in caught.traceback)


def test_the_state_is_that_of_what_was_handed_out():
    loader = DataLoader(Dataset(10), 2, prefetch=4)
    batches = iter(loader)
    next(batches), next(batches)
    time.sleep(0.05)
    assert loader.state()["batch"] == 2
    batches.close()


def test_settings_of_the_context_hold_in_the_thread():
    def divided(rng, batch):
        return batch / 0.0

    loader = DataLoader(np.ones(3), 3, transform=divided, rng=0, prefetch=1)
    with np.errstate(divide="ignore"):
        assert np.isinf(next(iter(loader))).all()
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        next(iter(loader))


def test_a_program_ends_while_batches_are_waiting():
    program = """
import numpy as np
from portanet.data import DataLoader
batches = iter(DataLoader(np.arange(1000), 1, prefetch=2))
next(batches)
print("done")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "done\n"
    assert done.stderr == ""
