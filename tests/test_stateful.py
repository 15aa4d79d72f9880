"""The model that carries its parameters and states."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import portanet as pn
from portanet.errors import ArgumentError, HyperparameterError

X = np.asarray([[1.0, 5.0], [3.0, 5.0]], np.float32)


def moving(backend=None):
    model = pn.Chain(pn.BatchNorm(2), pn.Dense(2, 1))
    return model, *pn.setup(0, model, device=backend.place if backend else None)


def test_a_call_returns_the_output_and_moves_the_states():
    model, ps, st = moving()
    before = copy.deepcopy(st)
    expected, new = model(X, ps, st)
    bound = pn.StatefulModel(model, ps, st)
    assert np.array_equal(bound(X), expected)
    mean = bound.states["layer_1"]["running_mean"]
    np.testing.assert_allclose(mean, [0.2, 0.5], rtol=1e-6)  # 0.1 of the mean of the batch
    assert np.array_equal(mean, new["layer_1"]["running_mean"])
    assert np.array_equal(st["layer_1"]["running_mean"], before["layer_1"]["running_mean"])


def test_other_parameters_for_one_call():
    model, ps, st = moving()
    bound = pn.StatefulModel(model, ps, st)
    other = pn.trees.map_leaves(np.zeros_like, ps)
    assert np.array_equal(bound(X, other), np.zeros((2, 1)))
    assert bound.parameters is ps


def test_modes():
    bound = pn.StatefulModel(*moving())
    assert bound.test_mode() is bound
    assert bound.states["layer_1"]["training"] is False
    bound(X)
    assert np.array_equal(bound.states["layer_1"]["running_mean"], np.zeros(2))
    assert bound.train_mode().states["layer_1"]["training"] is True


def test_derivatives_leave_plain_states_behind(backend):
    model, ps, st = moving(backend)
    x = backend.asarray(X)
    bound = pn.StatefulModel(model, ps, st)

    def loss(ps):
        xp = pn.array_namespace(x)
        return xp.sum(bound(x, ps))

    gradient = pn.grad(loss)(ps)["layer_2"]["bias"]
    assert np.array_equal(backend.to_numpy(gradient), [2.0])
    mean = bound.states["layer_1"]["running_mean"]
    assert type(mean) is type(st["layer_1"]["running_mean"])
    assert not getattr(mean, "requires_grad", False)
    np.testing.assert_allclose(backend.to_numpy(mean), [0.2, 0.5], rtol=1e-6)


def test_states_that_depend_on_the_variable_are_stored_as_constants(backend):
    @pn.compact(last=pn.non_trainable(np.zeros(2)))
    def memory(self, x):
        self.last = x
        return x * x

    x = backend.asarray(np.asarray([1.0, 2.0], np.float32))
    bound = pn.StatefulModel(memory, *pn.setup(0, memory, device=backend.place))
    pn.grad(lambda x: pn.array_namespace(x).sum(bound(x)))(x)
    assert type(bound.states["last"]) is type(x)
    assert not getattr(bound.states["last"], "requires_grad", False)
    assert np.array_equal(backend.to_numpy(bound.states["last"]), [1.0, 2.0])


def test_the_model_is_a_layer():
    with pytest.raises(HyperparameterError, match=r"^StatefulModel: model is a portanet.Layer"):
        pn.StatefulModel(np.tanh, {}, {})


def test_printing():
    bound = pn.StatefulModel(pn.Dense(3, 4), {}, {})
    assert repr(bound) == "StatefulModel(Dense(3, 4))"
    assert str(bound) == "StatefulModel(Dense(3, 4)   # 16 parameters)"


def test_a_call_within_jit_that_would_change_the_states_is_refused(backend):
    model, ps, st = moving(backend)
    bound = pn.StatefulModel(model, ps, st)
    x = backend.asarray(X)
    with pytest.raises(ArgumentError, match="which no replay can do"):
        pn.jit(lambda x: bound(x))(x)
    assert bound.states is st
    expected = bound.test_mode()(x)
    for _ in range(2):
        found = pn.jit(lambda x: bound(x))(x)
        np.testing.assert_allclose(backend.to_numpy(found), backend.to_numpy(expected), rtol=1e-6)
