"""Losses that a step can be recorded with, that it is recorded anew for, or that are refused."""

from __future__ import annotations

import dataclasses
import email.utils
import functools
import random
import threading

import numpy as np
import pytest
from tracing.same import check_same
from tracing.test_training import LIBRARY, Runs, counted, start, with_stats

import portanet as pn
from portanet import errors
from portanet.training import train_step
from portanet.training.known import weak_loss


def test_a_loss_made_anew_of_the_same_code_replays():
    runs = Runs()
    ts, batches = start(LIBRARY)
    note, weight = runs.logger.error, 2.0
    for _ in range(12):
        loss = lambda *args: (note("run"), weighted(weight, *args))[1]  # noqa: E731
        _, _, ts = train_step(loss, batches[0], ts)
    assert len(runs) == 1


def weighted(weight, *args):
    value, st, stats = with_stats(*args)
    return weight * value, st, stats


SCALE = 1.0


def scaled(*args):
    return by_scale(*args)


def by_scale(*args):
    return weighted(SCALE, *args)


class Owner:
    def __init__(self):
        self.scale = 1.0

    def loss(self, *args):
        return weighted(self.scale, *args)

    __call__ = loss


def _module(scale):
    global SCALE
    SCALE = scale
    return scaled


def _closures():
    current = 1.0

    def loss(*args):
        return weighted(current, *args)

    def set_to(scale):
        nonlocal current
        current = scale
        return loss

    return set_to


def _owners(take):
    owner = Owner()

    def set_to(scale):
        owner.scale = scale
        return take(owner)

    return set_to


AROUND = {
    "module": lambda: _module,
    "closure": _closures,
    "method": lambda: _owners(lambda owner: owner.loss),
    "object": lambda: _owners(lambda owner: owner),
    "partial": lambda: lambda scale: functools.partial(weighted, scale),
    "default": lambda: lambda scale: lambda *args, scale=scale: weighted(scale, *args),
    "lambda": lambda: lambda scale: lambda *args: weighted(scale, *args),
}


@pytest.mark.parametrize("make", AROUND.values(), ids=AROUND)
def test_what_a_loss_finds_around_it_is_watched(make):
    loss_at = make()
    ts, batches = start(LIBRARY)
    for scale in (1.0, 1.0, 3.0, 3.0, 1.0, 0.5):
        loss = loss_at(scale)
        expected, *_ = train_step(loss, batches[0], ts, jit=False)
        value, _, ts = train_step(loss, batches[0], ts)
        check_same(value, expected, 1e-10)


def test_losses_of_the_same_code_are_watched_each_for_itself():
    ts, batches = start(LIBRARY)
    setters = [_closures() for _ in range(3)]
    for scales in ((1.0, 1.0, 1.0), (1.0, 3.0, 1.0), (2.0, 3.0, 1.0), (2.0, 1.0, 1.0)):
        for set_to, scale in zip(setters, scales, strict=True):
            for loss in (set_to(scale), set_to(scale)):
                expected, *_ = train_step(loss, batches[0], ts, jit=False)
                check_same(train_step(loss, batches[0], ts)[0], expected, 1e-10)


@pytest.mark.parametrize("make", AROUND.values(), ids=AROUND)
def test_a_loss_that_changes_each_call_warns_once_and_runs_as_it_is(make):
    loss_at = make()
    ts, batches = start(LIBRARY)
    text = "train_step is recorded anew in nearly every call: the loss finds another '"

    def steps(ts):
        for i in range(40):
            expected, *_ = train_step(loss_at(1.0 + i), batches[0], ts, jit=False)
            value, _, ts = train_step(loss_at(1.0 + i), batches[0], ts)
            check_same(value, expected, 1e-10)

    with pytest.warns(UserWarning, match=text) as seen:
        steps(ts)
    assert len(seen) == 1
    assert seen[0].filename == __file__


RNG = np.random.default_rng(0)
DRAWS = {
    "generator": (lambda x: RNG.normal(size=x.shape), "'RNG'"),
    "numpy": (lambda x: np.random.normal(size=x.shape), "'numpy.random'"),  # noqa: NPY002
    "python": (lambda x: random.random(), "'random'"),
}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("draw", "name"), DRAWS.values(), ids=DRAWS)
def test_numbers_drawn_once_and_for_all_are_refused(draw, name, threads, monkeypatch):
    ts, batches = start(LIBRARY)
    monkeypatch.setattr(threading, "active_count", lambda: threads)

    def noisy(model, ps, st, data):
        x, y = data
        return with_stats(model, ps, st, (x + draw(x), y))

    with pytest.raises(errors.TracedValueError, match=f"the numbers of the generator {name} would"):
        train_step(noisy, batches[0], ts)
    for _ in range(2):
        train_step(noisy, batches[0], ts, jit=False)


def test_numbers_that_another_thread_may_have_drawn(monkeypatch):
    """Nobody can tell that this function of the library draws: each step runs as it is."""
    ts, batches = start(LIBRARY)
    runs = Runs()
    loss = counted(runs, lambda *args: (email.utils.make_msgid(), with_stats(*args))[1])
    monkeypatch.setattr(threading, "active_count", lambda: 2)
    for _ in range(3):
        expected, *_ = train_step(with_stats, batches[0], ts, jit=False)
        check_same(train_step(loss, batches[0], ts)[0], expected, 1e-10)
    assert len(runs) >= 3
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    with pytest.raises(errors.TracedValueError, match="the numbers of the generator 'random'"):
        train_step(loss, batches[0], ts)


def test_shapes_that_change_each_time_warn_once_and_run_as_they_are():
    runs = Runs()
    loss = counted(runs)
    ts, _ = start(LIBRARY)
    plain = ts

    def steps(ts, plain):
        for n in range(2, 32):
            batch = np.ones((n, 3)), np.ones((n, 2))
            _, _, plain = train_step(with_stats, batch, plain, jit=False)
            _, _, ts = train_step(loss, batch, ts)
        return ts, plain

    text = r"jit\(train_step\) is recorded anew in nearly every call: the shape of an array was"
    with pytest.warns(UserWarning, match=text) as seen:
        ts, plain = steps(ts, plain)
    assert [warning.filename for warning in seen] == [__file__]
    check_same(ts, plain, 1e-9, 1e-11)
    assert len(runs) == 30


def test_a_smaller_last_batch_has_a_program_of_its_own():
    runs = Runs()
    loss = counted(runs)
    ts, (batch, *_) = start(LIBRARY)
    for _ in range(6):
        for rows in (6, 6, 4):
            _, _, ts = train_step(loss, tuple(x[:rows] for x in batch), ts)
    assert len(runs) == 2


def test_data_that_cannot_be_recorded_says_what_to_write():
    ts, (batch, *_) = start(LIBRARY)
    text = r"by its hash: Row has none: .* train_step\(\.\.\., jit=False\) takes"
    with pytest.raises(errors.ArgumentError, match=text):
        train_step(row_loss, Row(*batch), ts)
    train_step(row_loss, Row(*batch), ts, jit=False)

    def misused(model, ps, st, data):
        raise errors.ArgumentError("mine")

    with pytest.raises(errors.ArgumentError, match=r"^mine$"):
        train_step(misused, batch, ts)


@dataclasses.dataclass
class Row:
    x: np.ndarray
    y: np.ndarray


def row_loss(model, ps, st, row):
    return with_stats(model, ps, st, (row.x, row.y))


def test_what_cannot_be_recorded_says_what_to_write():
    ts, batches = start(LIBRARY)

    def branching(*args):
        value, st, stats = with_stats(*args)
        return (value if value > 1.0 else 2.0 * value), st, stats

    with pytest.raises(errors.TracedValueError, match=r"train_step\(\.\.\., jit=False\) takes"):
        train_step(branching, batches[0], ts)
    train_step(branching, batches[0], ts, jit=False)


def test_a_loss_of_portanet_that_is_made_anew_is_the_same_loss(monkeypatch):
    """``train_step(pn.MSELoss(), …)`` in a loop looks around the loss once, not at each step."""
    looked = []

    class Counted(weak_loss.Surroundings):
        def __init__(self, *roots, **options):
            looked.append(roots)
            super().__init__(*roots, **options)

    monkeypatch.setattr(weak_loss, "Surroundings", Counted)
    x = np.linspace(-1.0, 1.0, 8)[:, None]
    model = pn.Dense(1, 1)
    ts = pn.training.TrainState(model, *pn.setup(0, model, dtype="float64"), pn.optimizers.SGD())
    other, kept = ts, pn.HuberLoss(delta=0.5)
    for step in range(6):
        value, _, ts = pn.training.train_step(pn.HuberLoss(delta=0.5), (x, 3 * x), ts)
        expected, _, other = pn.training.train_step(kept, (x, 3 * x), other)
        assert value == expected
        if step == 1:
            looked.clear()
    assert not looked
    for delta in (0.1, 0.5, 0.1):
        loss = pn.HuberLoss(delta=delta)
        value, _, after = pn.training.train_step(loss, (x, 3 * x), ts)
        expected, _, plain = pn.training.train_step(loss, (x, 3 * x), ts, jit=False)
        np.testing.assert_allclose(value, expected, rtol=1e-12)
        weights = [state.parameters["weight"] for state in (after, plain)]
        np.testing.assert_allclose(*weights, rtol=1e-12)
