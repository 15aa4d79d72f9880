"""Training states in files: a run that is taken up again is the run that never stopped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

import portanet as pn
from portanet import optimizers, trees
from portanet.errors import DTypeError, HyperparameterError, ParameterTreeError
from portanet.io import safetensors as files
from portanet.optimizers import schedules

pytest.importorskip("safetensors")

MODEL = pn.Chain(pn.Dense(3, 4, pn.tanh), pn.BatchNorm(4), pn.Dropout(0.3), pn.Dense(4, 1))
WARM = schedules.Sequence(
    (schedules.Polynomial(0.0, 0.1, 2), schedules.ExponentialDecay(0.1, 0.5)), (2,)
)
RULES = {
    "sgd": optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "adam": optimizers.Adam(0.01),
    "rmsprop": optimizers.RMSProp(),
    "chain": optimizers.chain(optimizers.ClipGlobalNorm(1.0), optimizers.AdamW(0.01)),
    "scheduled": optimizers.Scheduler(optimizers.Adam(), lr=WARM),
    "function": optimizers.Scheduler(optimizers.SGD(), lr=lambda step: 0.1 / (1 + step)),
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.safetensors"


def fresh(seed, rule, place=None):
    ps, st = pn.setup(seed, MODEL)
    ts = pn.training.TrainState(MODEL, ps, st, rule)
    return ts if place is None else pn.device(place)(ts)


def data(place="numpy"):
    rng = np.random.default_rng(0)
    xs = rng.normal(size=(8, 3)).astype(np.float32), rng.normal(size=(8, 1)).astype(np.float32)
    return pn.device(place)(xs)


def trained(ts, batch, steps, jit):
    values = []
    for _ in range(steps):
        value, _, ts = pn.training.train_step(pn.MSELoss(), batch, ts, jit=jit)
        values.append(float(value))
    return values, ts


def check_same(one, other):
    assert trees.flatten(one)[1] == trees.flatten(other)[1]  # with the rules, flags and the step
    host = pn.device("numpy")
    for a, b in zip(trees.leaves(one), trees.leaves(other), strict=True):
        assert type(a) is type(b)
        if hasattr(a, "shape"):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(host(a), host(b))
        else:
            assert a == b


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("name", RULES)
def test_a_run_goes_on_bit_for_bit(path, name, jit):
    _, ts = trained(fresh(0, RULES[name]), data(), 3, jit)
    files.save(path, ts)
    again = files.load(path, like=fresh(1, RULES[name]))
    assert again.step == 3
    check_same(ts, again)
    one, other = trained(ts, data(), 3, jit), trained(again, data(), 3, jit)
    assert one[0] == other[0]
    check_same(one[1], other[1])


def test_a_run_goes_on_on_every_library(backend, path):
    batch = data(backend.place)
    _, ts = trained(fresh(0, RULES["adam"], backend.place), batch, 2, False)
    files.save(path, ts)
    again = files.load(path, like=fresh(1, RULES["adam"], backend.place))
    check_same(ts, again)
    assert trained(ts, batch, 2, False)[0] == trained(again, batch, 2, False)[0]
    host = files.load(path, like=fresh(1, RULES["adam"]), device=backend.place)
    check_same(ts, host)


def test_rates_and_frozen_flags_are_kept(path):
    ts = fresh(0, optimizers.Adam(0.1))
    ts = optimizers.adjust(ts, 0.02, path="layer_1")
    ts = optimizers.adjust(ts, lr=0.003, epsilon=1e-6, path="layer_4.bias")
    ts = optimizers.freeze(ts, "layer_2")
    files.save(path, {"run": ts, "epoch": 7})
    # Whole numbers in the place of floats are floats.
    again = files.load(path, like={"run": fresh(1, optimizers.Adam(1)), "epoch": 0})
    assert again["epoch"] == 7
    check_same(ts.optimizer_state, again["run"].optimizer_state)
    state = again["run"].optimizer_state
    assert [rule.lr for rule in state.rules] == [0.02, 0.02, 0.1, 0.1, 0.003, 0.1]
    assert state.rules[0] is state.rules[1]
    assert state.frozen == (False, False, True, True, False, False)
    files.save(path, ts.optimizer_state)
    check_same(ts.optimizer_state, files.load(path, like=fresh(1, RULES["adam"]).optimizer_state))


def test_numbers_of_schedules_are_kept(path):
    rule = optimizers.Scheduler(optimizers.SGD(), lr=WARM)
    files.save(path, fresh(0, rule))
    other = schedules.Sequence(
        (schedules.Polynomial(0.5, 0.7, 9), schedules.ExponentialDecay(0.7, 0.9)), (9,)
    )
    like = fresh(0, optimizers.Scheduler(optimizers.SGD(0.7), lr=other))
    again = files.load(path, like=like)
    assert again.optimizer_state.rules[0] == rule


def test_another_optimizer_is_refused(path):
    files.save(path, fresh(0, RULES["adam"]))
    with pytest.raises(ParameterTreeError, match=r"missing \['optimizer_state\.rules\.layer_1"):
        files.load(path, like=fresh(0, RULES["sgd"]))

    @dataclass(frozen=True)
    class Eve(optimizers.Adam):
        """Has the fields and the state of Adam."""

    with pytest.raises(HyperparameterError, match="the same rules: 'Adam' != 'Eve'"):
        files.load(path, like=fresh(0, Eve()))


def test_numbers_out_of_range_are_refused(path):
    ts = fresh(0, RULES["adam"])
    tree = ts.to_state_dict()
    tree["optimizer_state"] = tree["optimizer_state"].to_state_dict()
    tree["optimizer_state"]["rules"]["layer_1"]["bias"]["lr"] = -1.0
    files.save(path, tree)
    with pytest.raises(HyperparameterError, match="lr >= 0"):
        files.load(path, like=ts)
    tree["step"] = float("nan")
    files.save(path, tree)
    with pytest.raises(DTypeError, match="'step' float64 in int"):
        files.load(path, like=ts)


def test_parameters_that_are_not_trained_stay(path):
    ps = {"w": np.ones(2), "n": np.arange(3), "b": None, "name": "x"}
    ts = pn.training.TrainState(pn.Dense(1, 1), ps, {}, optimizers.SGD(0.1))
    files.save(path, ts)
    like = {"w": np.zeros(2), "n": np.zeros(3, int), "b": None, "name": ""}
    like = pn.training.TrainState(pn.Dense(1, 1), like, {}, optimizers.SGD(0.3))
    again = files.load(path, like=like)
    check_same(ts.optimizer_state, again.optimizer_state)
    assert again.parameters["name"] == "x"
    np.testing.assert_array_equal(again.parameters["n"], [0, 1, 2])
