"""TrainState and the steps of training."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest

from portanet import errors, optimizers, trees
from portanet.backends import array_namespace
from portanet.core import Layer
from portanet.parameters.component_vector import ComponentVector
from portanet.training import TrainState, apply_gradients, compute_gradients, train_step


@dataclasses.dataclass(frozen=True)
class Affine(Layer):
    """weight * x + bias, and a count of the calls in the state."""

    def initial_parameters(self, rng):
        return {"weight": np.ones((), np.float32), "bias": np.zeros((), np.float32)}

    def initial_states(self, rng):
        return {"calls": np.zeros((), np.float32), "training": True}

    def __call__(self, x, ps, st):
        return ps["weight"] * x + ps["bias"], {**st, "calls": st["calls"] + 1.0}


def squared_error(model, ps, st, data):
    x, y = data
    prediction, st = model(x, ps, st)
    xp = array_namespace(prediction)
    error = prediction - y
    return xp.mean(error * error), st, {"largest": xp.max(xp.abs(error))}


def fresh(backend, rule=None, dtype="float64"):
    def array(value):
        return backend.asarray(np.asarray(value, dtype))

    ps = {"weight": array(2.0), "bias": array(0.5)}
    st = {"calls": array(0.0), "training": True}
    data = array([1.0, 2.0, 3.0]), array([0.0, 1.0, 5.0])
    return TrainState(Affine(), ps, st, rule or optimizers.SGD(0.1)), data


def host(backend, tree):
    return trees.map_leaves(
        lambda x: np.asarray(backend.to_numpy(x)) if hasattr(x, "shape") else x, tree
    )


# By hand: predictions 2.5, 4.5, 6.5; errors 2.5, 3.5, 1.5.
VALUE = (2.5**2 + 3.5**2 + 1.5**2) / 3
GRADS = {"weight": 2 * (2.5 * 1 + 3.5 * 2 + 1.5 * 3) / 3, "bias": 2 * (2.5 + 3.5 + 1.5) / 3}


def test_compute_gradients(backend) -> None:
    ts, data = fresh(backend)
    grads, value, stats, after = compute_gradients(squared_error, data, ts)
    assert value.shape == ()
    np.testing.assert_allclose(backend.to_numpy(value), VALUE)
    for name, expected in GRADS.items():
        np.testing.assert_allclose(backend.to_numpy(grads[name]), expected)
    np.testing.assert_allclose(backend.to_numpy(stats["largest"]), 3.5)
    assert float(after.states["calls"]) == 1.0
    assert float(ts.states["calls"]) == 0.0
    assert after.parameters is ts.parameters
    assert after.step == 0


def test_statistics_and_states_are_plain_arrays(backend) -> None:
    ts, data = fresh(backend)
    _, _, stats, after = compute_gradients(squared_error, data, ts)
    for x in (stats["largest"], after.states["calls"]):
        np.asarray(backend.to_numpy(x))
        assert not getattr(x, "requires_grad", False)


def test_apply_gradients(backend) -> None:
    ts, data = fresh(backend)
    grads, *_ = compute_gradients(squared_error, data, ts)
    after = apply_gradients(ts, grads)
    np.testing.assert_allclose(
        backend.to_numpy(after.parameters["weight"]), 2.0 - 0.1 * GRADS["weight"]
    )
    assert (ts.step, after.step) == (0, 1)


def test_train_step_returns_the_loss_before_the_update(backend) -> None:
    ts, data = fresh(backend)
    value, stats, after = train_step(squared_error, data, ts)
    np.testing.assert_allclose(backend.to_numpy(value), VALUE)
    np.testing.assert_allclose(backend.to_numpy(stats["largest"]), 3.5)
    assert after.step == 1
    assert float(after.states["calls"]) == 1.0


def test_nothing_given_is_changed(backend) -> None:
    ts, data = fresh(backend, optimizers.Adam(0.1))
    _, _, ts = train_step(squared_error, data, ts)
    before = copy.deepcopy(host(backend, (ts, data)))
    train_step(squared_error, data, ts)
    for actual, expected in zip(
        trees.leaves(host(backend, (ts, data))), trees.leaves(before), strict=True
    ):
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_training_fits_and_keeps_the_dtype(backend, dtype) -> None:
    """Least squares in closed form: weight 2.5, bias -3."""
    ts, data = fresh(backend, optimizers.Adam(0.2), dtype)
    for _ in range(400):
        _, _, ts = train_step(squared_error, data, ts)
    assert ts.step == 400
    assert ts.parameters["weight"].dtype == backend.dtype(dtype)
    np.testing.assert_allclose(backend.to_numpy(ts.parameters["weight"]), 2.5, rtol=1e-3)
    np.testing.assert_allclose(backend.to_numpy(ts.parameters["bias"]), -3.0, rtol=1e-3)


def test_component_vector_parameters(backend) -> None:
    ts, data = fresh(backend)
    flat = TrainState(ts.model, ComponentVector(ts.parameters), ts.states, ts.optimizer)
    for _ in range(3):
        _, _, ts = train_step(squared_error, data, ts)
        _, _, flat = train_step(squared_error, data, flat)
    for name in ("weight", "bias"):
        actual, expected = flat.parameters[name], ts.parameters[name]
        assert float(actual) == float(expected)


def test_loss_objects_take_pairs() -> None:
    losses = pytest.importorskip("portanet.losses")
    ts, (x, y) = fresh(HostBackend())
    grads, value, stats, _ = compute_gradients(losses.MSELoss(), (x, y), ts)
    np.testing.assert_allclose(value, VALUE)
    np.testing.assert_allclose(grads["weight"], GRADS["weight"])
    assert stats == {}


class HostBackend:
    """The part of the `backend` fixture that NumPy alone needs."""

    @staticmethod
    def asarray(x):
        return x


@pytest.mark.parametrize(
    ("returned", "kind", "text"),
    [
        (
            lambda value, st: value,
            errors.DTypeError,
            "loss(model, ps, st, data) returns a tuple of 3, (value, st, stats): got {type}: "
            "without statistics, return value, st, {{}}",
        ),
        (
            lambda value, st: (value, st),
            errors.DTypeError,
            "loss(model, ps, st, data) returns a tuple of 3, (value, st, stats): got tuple of 2: "
            "without statistics, return value, st, {{}}",
        ),
        (
            lambda value, st: (1.0, st, {}),
            errors.DTypeError,
            "the value of the loss is an array of shape (): got float: return what the array "
            "functions gave, without float() or item(), which cut the derivative",
        ),
        (
            lambda value, st: (value, st, {}),
            errors.ShapeError,
            "value.shape == (): (3,) != (): reduce the loss to one number, for example with "
            "xp.mean",
        ),
    ],
)
def test_bad_returns_of_a_loss(backend, returned, kind, text) -> None:
    ts, data = fresh(backend)
    kinds = []

    def loss(model, ps, st, data):
        value, st = model(data[0], ps, st)
        kinds.append(type(value).__name__)
        return returned(value, st)

    with pytest.raises(kind) as caught:
        train_step(loss, data, ts)
    assert str(caught.value) == text.format(type=kinds[0])
    assert ts.step == 0


def test_wrong_gradients_are_refused(backend) -> None:
    ts, _ = fresh(backend)
    with pytest.raises(errors.ParameterTreeError) as caught:
        apply_gradients(ts, {"weight": ts.parameters["weight"]})
    assert str(caught.value) == (
        "gradients mirror the parameters that optimizers.setup was given: missing ['bias'], "
        "unexpected none"
    )


def test_the_model_must_be_a_layer_and_the_optimizer_a_rule() -> None:
    with pytest.raises(errors.HyperparameterError, match="the rule is a portanet"):
        TrainState(Affine(), {"w": np.ones(1)}, {}, 0.1)  # type: ignore[arg-type]
    with pytest.raises(errors.HyperparameterError, match="model is a layer"):
        TrainState(Affine, {"w": np.ones(1)}, {}, optimizers.SGD(0.1))  # type: ignore[arg-type]


def test_adjust_freeze_and_thaw_take_a_train_state(backend) -> None:
    ts, data = fresh(backend)
    frozen = optimizers.freeze(optimizers.adjust(ts, 0.0), "bias")
    assert frozen.optimizer_state["weight"].rule.lr == 0.0
    _, _, frozen = train_step(squared_error, data, frozen)
    assert float(frozen.parameters["weight"]) == 2.0
    _, _, moved = train_step(squared_error, data, optimizers.adjust(frozen, 0.1))
    assert float(moved.parameters["bias"]) == 0.5
    assert float(moved.parameters["weight"]) != 2.0
    _, _, thawed = train_step(squared_error, data, optimizers.thaw(ts))
    assert float(thawed.parameters["bias"]) != 0.5


def test_a_run_can_be_taken_up_again(backend) -> None:
    ts, data = fresh(backend, optimizers.Adam(0.1))
    _, _, ts = train_step(squared_error, data, ts)
    again = TrainState(
        ts.model, ts.parameters, ts.states, ts.optimizer, ts.optimizer_state, ts.step
    )
    _, _, expected = train_step(squared_error, data, ts)
    _, _, actual = train_step(squared_error, data, again)
    assert actual.step == 2
    assert float(actual.parameters["weight"]) == float(expected.parameters["weight"])


def test_is_an_immutable_tree(backend) -> None:
    ts, _ = fresh(backend, optimizers.SGD(0.1, momentum=0.9))
    assert [path for path, _ in trees.flatten_with_paths(ts)] == [
        "parameters.bias",
        "parameters.weight",
        "states.calls",
        "states.training",
        "optimizer_state.bias.0",
        "optimizer_state.weight.0",
    ]
    with pytest.raises(dataclasses.FrozenInstanceError):
        ts.step = 3


def test_printed(backend) -> None:
    ts, _ = fresh(backend)
    assert str(ts) == repr(ts)
    lines = str(ts).splitlines()
    assert lines[0] == "TrainState"
    assert "    parameters: 2" in lines
    assert "    states: 2" in lines
    assert "    optimizer: SGD(lr=0.1, momentum=0.0, nesterov=False, dampening=0.0)" in lines
    assert lines[-1] == "    step: 0"
