"""A recorded call is the call: the first as the hundredth, whatever it returns, whatever fails."""

from __future__ import annotations

import collections
import dataclasses
import types

import numpy as np
import pytest
from tracing.same import check_same
from tracing.test_training import LIBRARY, Runs, counted, start, with_stats

import portanet as pn
from portanet.errors import TracedValueError
from portanet.tracing.call import replays
from portanet.training import train_step

X = np.asarray([1.0, 2.0])


def bits(tree):
    return [np.asarray(x).tobytes() for x in pn.trees.leaves(tree) if hasattr(x, "dtype")]


def noisy_network():
    model = pn.Chain(pn.Dense(8, 16), pn.BatchNorm(16, pn.relu), pn.Dropout(0.5), pn.Dense(16, 2))
    ts = pn.training.TrainState(model, *pn.setup(0, model), pn.optimizers.Adam(0.01))
    x = np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32)
    return ts, (x, (x[:, 0] > 0).astype(np.int32))


def test_two_runs_of_one_seed_are_the_same_to_the_last_bit():
    def run():
        ts, data = noisy_network()
        for _ in range(4):
            _, _, ts = train_step(pn.CrossEntropyLoss(logits=True), data, ts)
        return ts

    assert bits(run()) == bits(run())


def test_the_first_call_is_the_hundredth(replayer):
    w = replayer.asarray(np.random.default_rng(0).normal(size=(40, 40)).astype(np.float32))

    def function(w):
        xp = pn.array_namespace(w)
        return xp.mean(xp.tanh(w @ w) * 0.3, axis=0), xp.sum(w, axis=0), pn.sigmoid(w)

    jitted = pn.jit(function)
    first = bits(list(map(replayer.to_numpy, jitted(w))))
    for _ in range(3):
        assert bits(list(map(replayer.to_numpy, jitted(w)))) == first


@dataclasses.dataclass
class Metrics:
    error: object


class Slotted:
    __slots__ = ("error",)

    def __init__(self, error):
        self.error = error


NO_TREES = {
    "dataclass": (Metrics, r"is a Metrics, which is no tree, and Metrics\.error is"),
    "slots": (Slotted, r"is a Slotted, which is no tree, and Slotted\.error is"),
    "namespace": (lambda x: types.SimpleNamespace(a=[x]), r"SimpleNamespace\.a\[0\] is a traced"),
    "set": (lambda x: {x}, r"is a set, which is no tree, and set\{…\} is"),
    "objects": (lambda x: np.asarray([None, {"k": x}]), r"ndarray\[1\]\['k'\] is"),
    "nested": (lambda x: Metrics({"k": Metrics(x)}), r"Metrics\.error\['k'\]\.error is"),
}
MODES = {
    "jit": lambda f: pn.jit(f)(X),
    "vmap": lambda f: pn.vmap(f)(X),
    "grad": lambda f: pn.grad(lambda x: (np.sum(x), f(x)), has_aux=True)(X),
    "vjp": lambda f: pn.vjp(f, X),
    "jvp": lambda f: pn.jvp(f, (X,), (X,)),
}


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
@pytest.mark.parametrize(("kind", "text"), NO_TREES.values(), ids=NO_TREES)
def test_a_stand_in_cannot_leave_in_what_is_no_tree(mode, kind, text):
    for _ in range(2):
        with pytest.raises(TracedValueError, match=text):
            mode(lambda x: (x * 2.0, {"m": kind(x * 2.0)}))


def test_neither_can_it_in_the_statistics_of_a_loss(backend):
    ts, (batch, *_) = start(backend)

    def loss(*args):
        value, st, _ = with_stats(*args)
        return value, st, {"m": Metrics(value)}

    for jit in (None, False):
        with pytest.raises(TracedValueError, match=r"m' is a Metrics, which is no tree"):
            train_step(loss, batch, ts, jit=jit)


def test_keys_and_counters_cannot_either():
    with pytest.raises(TracedValueError, match=r"Metrics\.error is a traced"):
        pn.jit(lambda key, x: (x, Metrics(key.split()[0])))(pn.random.key(0), X)


def test_an_object_without_arrays_may_leave():
    fixed = Metrics("mine"), collections.Counter(a=1), Metrics(np.ones(2))
    for mode in ("jit", "vmap", "vjp"):
        MODES[mode](lambda x: (x, fixed))


@pytest.mark.parametrize("entry", ["weight", "bias", "surplus"])
def test_an_entry_put_into_the_parameters_counts(entry):
    ts, (batch, *_) = start(LIBRARY)
    for _ in range(2):
        _, _, ts = train_step(with_stats, batch, ts)
    layer = ts.parameters["layer_2"]
    layer[entry] = np.full(layer.get(entry, np.ones(2)).shape, 5.0)
    if entry == "surplus":
        with pytest.raises(pn.errors.PortanetError):
            train_step(with_stats, batch, ts, jit=False)
        with pytest.raises(pn.errors.PortanetError):
            train_step(with_stats, batch, ts)
        return
    plain = train_step(with_stats, batch, ts, jit=False)
    check_same(train_step(with_stats, batch, ts), plain, 1e-9, 1e-11)


def test_parameters_written_in_place_count():
    ts, (batch, *_) = start(LIBRARY)
    _, _, ts = train_step(with_stats, batch, ts)
    ts.parameters["layer_2"]["bias"][...] = 5.0
    plain = train_step(with_stats, batch, ts, jit=False)
    check_same(train_step(with_stats, batch, ts), plain, 1e-9, 1e-11)


def test_a_state_that_was_looked_at_stays_flat():
    ts, (batch, *_) = start(LIBRARY)
    runs = Runs()
    loss = counted(runs)
    for _ in range(4):
        _, _, ts = train_step(loss, batch, ts)
        assert ts.parameters["layer_2"]["bias"].shape == (2,)
        assert ts.optimizer_state is not None
    assert len(runs) == 1


class Fault(Exception):
    pass


FAULTY = """
def fail(*_, **__):
    raise Fault("in the planner")
"""
place = {"__name__": "portanet.tracing.plan", "Fault": Fault}
exec(FAULTY, place)
fail = place["fail"]


@pytest.mark.parametrize("place", ["optimized", "Writer", "record"])
def test_a_fault_of_ours_is_reported_and_the_function_runs_as_it_is(place, monkeypatch):
    monkeypatch.setattr(replays, place, fail)
    jitted = pn.jit(lambda x: x * 2.0)
    with pytest.warns(UserWarning, match=r"failed in portanet, with Fault: .* report this") as seen:
        np.testing.assert_array_equal(jitted(X), X * 2.0)
    assert [warning.filename for warning in seen] == [__file__]
    np.testing.assert_array_equal(jitted(X), X * 2.0)
    assert jitted.cache_info() == (0, 0, 0, 0)


def test_a_replay_that_fails_gives_way_to_the_function(monkeypatch):
    jitted = pn.jit(lambda x: x * 2.0)
    jitted(X)
    (replay,) = jitted._cache.recent
    replay._idle[:] = [fail]
    with pytest.warns(UserWarning, match="failed in portanet, with Fault: in the planner"):
        np.testing.assert_array_equal(jitted(X), X * 2.0)
    for _ in range(2):
        np.testing.assert_array_equal(jitted(X), X * 2.0)


REFUSING = """
def f(x):
    if hasattr(x, "owner"):
        raise ValueError("no lazy arrays")
    return 2 * x
"""


def test_what_another_library_refuses_to_record_is_no_fault_of_ours():
    other = {"__name__": "other.arrays"}
    exec(REFUSING, other)
    jitted = pn.jit(lambda x: other["f"](x) + 1.0)
    text = r"runs as it is: other does not take the arrays of a recording: ValueError: no lazy"
    with pytest.warns(UserWarning, match=text) as seen:
        np.testing.assert_array_equal(jitted(X), X * 2.0 + 1.0)
    assert "report" not in str(seen[0].message)
    np.testing.assert_array_equal(jitted(X), X * 2.0 + 1.0)


def test_errors_of_the_user_are_the_same_in_every_call():
    class Mine(Exception):
        pass

    def raising(x):
        raise Mine("of the user")

    jitted = pn.jit(raising)
    for _ in range(3):
        with pytest.raises(Mine, match="of the user"):
            jitted(X)


ERRORS = {
    "index": (lambda x, i: x[i], X, (np.asarray([1]), np.asarray([5]))),
    "take": (lambda x, i: np.take(x, i), X, (np.asarray([1]), np.asarray([5]))),
    "inverse": (lambda x, a: x @ np.linalg.inv(a), X, (np.eye(2), np.zeros((2, 2)))),
    "cholesky": (lambda x, a: x @ np.linalg.cholesky(a), X, (np.eye(2), -np.eye(2))),
}


@pytest.mark.parametrize(("function", "x", "others"), ERRORS.values(), ids=ERRORS)
def test_a_replay_raises_what_the_function_raises(function, x, others):
    """An error that depends on values; the next call is right again."""
    good, bad = others
    with pytest.raises(Exception) as plain:  # noqa: PT011
        function(x, bad)
    jitted = pn.jit(function)
    for _ in range(2):
        np.testing.assert_allclose(jitted(x, good), function(x, good))
        with pytest.raises(plain.type) as raised:
            jitted(x, bad)
        assert str(raised.value) == str(plain.value)
    assert jitted.cache_info()[:2] == (3, 1)
