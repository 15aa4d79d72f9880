"""Layers written in place."""

from __future__ import annotations

import copy
import threading

import numpy as np
import pytest

import portanet as pn
from portanet.errors import ChildNameError, HyperparameterError, ParameterTreeError, ShapeError

X = np.asarray([[1.0, -2.0, 3.0]], np.float32)


@pn.compact(
    dense=pn.Dense(3, 2),
    scale=np.asarray([2.0, 3.0]),
    offset=pn.trainable(lambda rng: rng.normal(size=2)),
    calls=pn.non_trainable(0),
    power=2,
)
def model(self, x):
    self.calls = self.calls + 1
    return self.scale * self.dense(x) ** self.power + self.offset


def test_the_kinds_of_parts():
    ps, st = pn.setup(0, model)
    assert {
        name: set(entry) if isinstance(entry, dict) else None for name, entry in ps.items()
    } == {
        "dense": {"weight", "bias"},
        "scale": None,
        "offset": None,
    }
    assert st == {"dense": {}, "calls": 0}
    assert ps["scale"].dtype == ps["offset"].dtype == np.float32
    assert pn.setup(0, model, dtype="float64")[0]["scale"].dtype == np.float64


def test_the_value():
    ps, st = pn.setup(0, model)
    y, new = model(X, ps, st)
    dense = X @ ps["dense"]["weight"].T + ps["dense"]["bias"]
    np.testing.assert_allclose(y, ps["scale"] * dense * dense + ps["offset"], rtol=1e-6)
    assert y.dtype == np.float32
    assert new == {"dense": {}, "calls": 1}


def test_nothing_is_changed():
    start = np.ones(2, np.float32)

    @pn.compact(start=start)
    def layer(self, x):
        return x * self.start

    ps, st = pn.setup(0, layer)
    ps["start"][0] = 7.0
    assert np.array_equal(start, [1.0, 1.0])
    assert np.array_equal(pn.setup(0, layer)[0]["start"], [1.0, 1.0])
    ps, st = pn.setup(0, model)
    before = copy.deepcopy((ps, st))
    model(X, ps, st)
    assert st == before[1]
    assert np.array_equal(ps["scale"], before[0]["scale"])


def test_states_pass_from_call_to_call():
    @pn.compact(calls=pn.non_trainable(0))
    def counter(self, x):
        self.calls = self.calls + 1
        return x + self.calls

    @pn.compact(counter=counter)
    def thrice(self, x):
        return self.counter(self.counter(self.counter(x)))

    assert thrice(0, *pn.setup(0, thrice)) == (6, {"counter": {"calls": 3}})


def test_collections_of_layers():
    @pn.compact(row=[pn.Dense(3, 3), pn.Dense(3, 3)], sides={"a": pn.Dense(3, 1), "b": pn.NoOp()})
    def layer(self, x):
        for part in self.row:
            x = part(x)
        return self.sides["a"](x), self.sides["b"](x)

    ps, st = pn.setup(0, layer)
    assert list(ps) == list(st) == ["row_1", "row_2", "sides_a", "sides_b"]
    (a, b), _ = layer(X, ps, st)

    def dense(name, x):
        return x @ ps[name]["weight"].T + ps[name]["bias"]

    np.testing.assert_allclose(b, dense("row_2", dense("row_1", X)), rtol=1e-5)
    np.testing.assert_allclose(a, dense("sides_a", b), rtol=1e-5)


def test_trees_of_parameters():
    @pn.compact(pair={"a": np.ones(2), "b": np.zeros(3)})
    def layer(self, x):
        return x * self.pair["a"]

    assert pn.parameter_count(layer) == 5
    assert set(pn.setup(0, layer)[0]["pair"]) == {"a", "b"}


def test_modes_reach_the_states():
    @pn.compact(training=pn.non_trainable(True), drop=pn.Dropout(0.5))
    def layer(self, x):
        return self.drop(x) if self.training else -x

    ps, st = pn.setup(0, layer)
    y, _ = layer(X, ps, pn.test_mode(st))
    assert np.array_equal(y, -X)


def test_gradients(backend):
    @pn.compact(dense=pn.Dense(3, 2), scale=np.asarray([2.0, 3.0]))
    def layer(self, x):
        return self.scale * self.dense(x)

    ps, st = pn.setup(0, layer, device=backend.place)
    x = backend.asarray(X)
    xp = pn.array_namespace(x)
    gradient = pn.grad(lambda ps: xp.sum(layer(x, ps, st)[0]))(ps)
    weight, bias = (backend.to_numpy(ps["dense"][name]) for name in ("weight", "bias"))
    expected = (X @ weight.T + bias)[0]
    np.testing.assert_allclose(backend.to_numpy(gradient["scale"]), expected, rtol=1e-5)
    np.testing.assert_allclose(
        backend.to_numpy(gradient["dense"]["weight"]), np.outer([2.0, 3.0], X[0]), rtol=1e-5
    )


def test_threads_do_not_meet():
    @pn.compact(total=pn.non_trainable(0.0))
    def layer(self, x):
        for _ in range(200):
            self.total = self.total + x
        return self.total

    results = {}

    def work(x):
        results[x] = layer(x, {}, {"total": 0.0})

    threads = [threading.Thread(target=work, args=(float(i),)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {float(i): (200.0 * i, {"total": 200.0 * i}) for i in range(8)}


def test_printing():
    assert repr(model) == (
        "model(dense=Dense(3, 2), scale=float32[2], offset=<lambda>, calls=0, power=2)"
    )
    assert (
        str(pn.Chain(model))
        == """\
Chain(
    layer_1 = model(
        scale = float32[2],    # 2 parameters
        offset = <lambda>,     # 2 parameters
        calls = 0,             # 1 state
        power = 2,
        dense = Dense(3, 2),   # 8 parameters
    ),
)         # Total: 12 parameters,
          #        plus 1 state."""
    )


def test_compact_layers_compose_and_are_equal_only_to_themselves():
    chain = pn.Dense(1, 3) >> model
    assert chain[1] is model
    assert model == model
    assert hash(model) == hash(model)
    assert copy.copy(model) != model


def test_errors_carry_the_path():
    outer = pn.Chain(model)
    ps, st = pn.setup(0, outer)
    with pytest.raises(ShapeError) as caught:
        outer(X[:, :2], ps, st)
    assert str(caught.value) == "model.layer_1.dense: x.shape[-1] == in_features: 2 != 3"


def test_missing_entries():
    ps, st = pn.setup(0, model)
    del ps["scale"]
    with pytest.raises(ParameterTreeError, match=r"^'scale' in ps: found 'dense', 'offset'"):
        model(X, ps, st)
    with pytest.raises(ParameterTreeError, match=r"^'calls' in st: found 'dense'"):
        model(X, ps, {"dense": {}})


def test_unknown_names():
    @pn.compact(dense=pn.NoOp())
    def typo(self, x):
        return self.dens(x)

    with pytest.raises(ChildNameError) as caught:
        typo(X, *pn.setup(0, typo))
    assert str(caught.value) == "typo has no child 'dens': did you mean 'dense'? it has 'dense'"


@pytest.mark.parametrize("name", ["weight", "power", "other"])
def test_only_states_are_set(name):
    @pn.compact(weight=np.ones(1), power=2)
    def layer(self, x):
        setattr(self, name, x)
        return x

    with pytest.raises(ChildNameError, match=rf"^only a state can be set .*: '{name}' is none"):
        layer(X, *pn.setup(0, layer))


@pytest.mark.parametrize(
    "part", [[pn.NoOp(), 3], {"a": np.ones(1), "b": "text"}, (pn.NoOp(), np.ones(1))]
)
def test_mixtures_are_refused(part):
    with pytest.raises(HyperparameterError, match=r"^compact: part mixes layers or arrays"):
        pn.compact(part=part)


@pytest.mark.parametrize("value", [np.arange(3), pn.trainable(lambda rng: 3), pn.trainable([1.0])])
def test_parameters_are_floating_arrays(value):
    layer = pn.compact(weight=value)(lambda self, x: x)
    with pytest.raises(HyperparameterError, match=r"^the parameter 'weight' begins as floating"):
        pn.setup(0, layer)


def test_names_of_parts():
    with pytest.raises(HyperparameterError, match="begins with a letter: got '_weight'"):
        pn.compact(_weight=np.ones(1))
    with pytest.raises(HyperparameterError, match="two parts have the name 'row_1'"):
        pn.compact(row=[pn.NoOp()], row_1=np.ones(1))(lambda self, x: x)
