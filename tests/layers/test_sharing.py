"""Parameters that are frozen, shared, or computed by another network."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet import trees
from portanet.errors import HyperparameterError, ParameterTreeError, ShapeError

X = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
MODEL = pn.Chain(pn.Dense(3, 3, pn.tanh), pn.BatchNorm(3), head=pn.Dense(3, 3))


def loss(model, st, x=X):
    return lambda ps: pn.array_namespace(x).sum(model(x, ps, st)[0] ** 2)


def test_a_frozen_layer_computes_what_it_did():
    ps, st = pn.setup(0, MODEL)
    frozen, rest, states = pn.freeze(MODEL, ps, st, ["layer_1", "head.weight"])
    assert trees.map_leaves(np.shape, rest) == {
        "layer_2": {"scale": (3,), "bias": (3,)},
        "head": {"bias": (3,)},
    }
    y, new = MODEL(X, ps, st)
    z, moved = frozen(X, rest, states)
    assert np.array_equal(y, z)
    assert np.array_equal(moved["layer"]["layer_2"]["running_mean"], new["layer_2"]["running_mean"])
    assert moved["frozen"] == states["frozen"]
    model, whole, back = pn.unfreeze(frozen, rest, states)
    assert (model, back) == (MODEL, st)
    for path in ("layer_1", "layer_2", "head"):
        for name, leaf in ps[path].items():
            assert whole[path][name] is leaf


def test_a_model_that_met_its_sizes_in_setup_can_be_frozen():
    model = pn.Chain(pn.Dense(None, 2), pn.Dense(None, 1))
    ps, st = pn.setup(0, model, X)
    for names in (None, "layer_1"):
        frozen, rest, states = pn.freeze(model, ps, st, names)
        assert np.array_equal(frozen(X, rest, states)[0], model(X, ps, st)[0])
        assert "Dense(None, 2)" in str(frozen)


def test_only_what_is_left_is_trained(backend):
    place = pn.device(backend.place)
    frozen, ps, st = pn.freeze(MODEL, *pn.setup(0, MODEL), names="layer_1")
    x, ps, st = place((X, ps, st))
    gradient = pn.grad(loss(frozen, st, x))(ps)
    assert list(gradient) == ["layer_2", "head"]
    whole = pn.unfreeze(frozen, ps, st)
    wanted = pn.grad(loss(MODEL, whole[2], x))(whole[1])["head"]["weight"]
    actual = backend.to_numpy(gradient["head"]["weight"])
    np.testing.assert_allclose(actual, backend.to_numpy(wanted), rtol=1e-5)


def test_a_fresh_frozen_layer_counts_its_parameters_among_the_states():
    layer = pn.Frozen(pn.Dense(3, 2))
    assert (pn.parameter_count(layer), pn.state_count(layer)) == (0, 8)
    part = pn.Frozen(pn.Dense(3, 2), "weight")
    assert (pn.parameter_count(part), pn.state_count(part)) == (2, 6)
    ts = pn.training.TrainState(part, *pn.setup(0, part), pn.optimizers.SGD(0.1))
    _, _, after = pn.training.train_step(pn.MSELoss(), (X, X[:, :2]), ts)
    same = ts.states["frozen"]["weight"], after.states["frozen"]["weight"]
    assert np.array_equal(*same)
    assert not np.array_equal(ts.parameters["bias"], after.parameters["bias"])


@pytest.mark.parametrize(
    ("make", "kind", "text"),
    [
        (lambda: pn.Frozen(np.tanh), HyperparameterError, "Frozen: layer is a portanet.Layer"),
        (lambda: pn.Frozen(pn.NoOp(), []), HyperparameterError, "Frozen: names are dotted paths"),
        (
            lambda: pn.Frozen(MODEL, ["head", "head.bias"]),
            HyperparameterError,
            "Frozen: names are paths that do not meet, not 'head' and 'head.bias'",
        ),
        (
            lambda: pn.setup(0, pn.Frozen(MODEL, "neck")),
            ParameterTreeError,
            "'neck' in ps: there is no such entry",
        ),
        (
            lambda: pn.setup(0, pn.Frozen(pn.Dense(None, 2)), X),
            HyperparameterError,
            "Dense(None, 2) takes in_features from its input",
        ),
        (
            lambda: pn.unfreeze(pn.NoOp(), {}, {}),
            HyperparameterError,
            "unfreeze: layer is a pn.Fro",
        ),
        (
            lambda: pn.unfreeze(pn.Frozen(pn.NoOp()), {}, {}),
            ParameterTreeError,
            "st has the entries 'frozen' and 'layer'",
        ),
        (lambda: pn.Tied(MODEL), HyperparameterError, "Tied: a group holds at least two paths"),
        (
            lambda: pn.Tied(MODEL, ("head.bias", "head")),
            HyperparameterError,
            "Tied: a group holds paths that do not meet, not 'head.bias' and 'head'",
        ),
        (
            lambda: pn.setup(0, pn.Tied(MODEL, ("head.bias", "neck.bias"))),
            ParameterTreeError,
            "'neck.bias' in ps: there is no such entry",
        ),
        (
            lambda: pn.setup(0, pn.Tied(MODEL, ("head.bias", "layer_1.weight"))),
            ShapeError,
            'ps["head.bias"].shape == ps["layer_1.weight"].shape: (3,) != (3, 3)',
        ),
        (
            lambda: pn.setup(0, pn.Tied(MODEL, ("head", "layer_2"))),
            ParameterTreeError,
            "'head' and 'layer_2' in ps hold the same entries",
        ),
    ],
)
def test_what_does_not_fit_is_refused(make, kind, text):
    with pytest.raises(kind) as caught:
        make()
    assert str(caught.value).startswith(text)


def test_gradients_of_what_is_shared_add_up(backend):
    tied = pn.Tied(MODEL, ("layer_1.weight", "head.weight"))
    ps, st = pn.setup(0, tied)
    whole = {**ps, "head": {**ps["head"], "weight": ps["layer_1"]["weight"]}}
    place = pn.device(backend.place)
    x, ps, st, whole = place((X, ps, st, whole))
    apart = pn.grad(loss(MODEL, st, x))(whole)
    together = pn.grad(loss(tied, st, x))(ps)
    wanted = backend.to_numpy(apart["layer_1"]["weight"] + apart["head"]["weight"])
    np.testing.assert_allclose(backend.to_numpy(together["layer_1"]["weight"]), wanted, rtol=1e-5)
    assert sorted(together["head"]) == ["bias"]


def test_whole_layers_may_be_one():
    tied = pn.Tied(pn.Chain(pn.Dense(3, 3), pn.tanh, pn.Dense(3, 3)), ("layer_1", "layer_3"))
    ps, st = pn.setup(0, tied)
    assert pn.parameter_count(tied) == 12
    y, _ = tied(X, ps, st)
    weight, bias = ps["layer_1"]["weight"], ps["layer_1"]["bias"]
    wanted = np.tanh(X @ weight.T + bias) @ weight.T + bias
    np.testing.assert_allclose(y, wanted, rtol=1e-5)


def test_it_prints_the_model_with_what_is_shared():
    tied = pn.Tied(pn.Chain(pn.Dense(3, 3), pn.Dense(3, 3)), ("layer_1.weight", "layer_2.weight"))
    assert repr(tied) == (
        "Tied(Chain(Dense(3, 3), Dense(3, 3)), ('layer_1.weight', 'layer_2.weight'))"
    )
    assert str(tied).startswith(
        "Tied(\n    group_1 = ('layer_1.weight', 'layer_2.weight'),\n"
        "    layer_1 = Dense(3, 3),   # 12 parameters\n"
        "    layer_2 = Dense(3, 3),   # 3 parameters\n"
    )


def test_an_error_inside_keeps_its_path():
    tied = pn.Tied(MODEL, ("layer_1.weight", "head.weight"))
    with pytest.raises(ShapeError, match=r"^model\.layer_1: x\.shape\[-1\] == in_features: 2 != 3"):
        tied(X[:, :2], *pn.setup(0, tied))


def test_a_hypernetwork_gives_its_core_the_parameters(backend):
    core = pn.Chain(pn.Dense(3, 2, pn.tanh), pn.Dense(2, 1))
    model = pn.HyperNet(pn.Dense(5, pn.parameter_count(core)), core)
    assert pn.parameter_count(model) == 5 * 11 + 11
    ps, st = pn.setup(0, model)
    z = np.random.default_rng(2).normal(size=5).astype(np.float32)
    vector, _ = model.generator(z, ps["generator"], st["generator"])
    wanted, _ = core(X, pn.ravel(pn.setup(0, core)[0])[1](vector), st["core"])
    place = pn.device(backend.place)
    x, z, ps, st = place((X, z, ps, st))
    y, _ = model((z, x), ps, st)
    np.testing.assert_allclose(backend.to_numpy(y), wanted, rtol=1e-5, atol=1e-6)
    gradient = pn.grad(_objective(model, z, x, st))(ps)
    assert trees.map_leaves(lambda g: tuple(g.shape), gradient) == trees.map_leaves(
        lambda p: tuple(p.shape), ps
    )
    assert np.any(backend.to_numpy(gradient["generator"]["weight"]) != 0)


def _objective(model, z, x, st):
    return lambda ps: pn.array_namespace(x).sum(model((z, x), ps, st)[0] ** 2)


def test_a_hypernetwork_that_does_not_fit_is_refused():
    model = pn.HyperNet(pn.Dense(5, 3), pn.Dense(2, 3))
    ps, st = pn.setup(0, model)
    z, x = np.ones(5, np.float32), np.ones((1, 2), np.float32)
    text = r"^size of the generator's output == parameter_count\(core\): 3 of \(3,\) != 9$"
    with pytest.raises(ShapeError, match=text):
        model((z, x), ps, st)
    with pytest.raises(ShapeError, match=r"^len\(x\) == 2: a tuple \(z, x\)"):
        model(x, ps, st)


def test_layer_map_walks_over_leaves_with_their_paths():
    model = pn.Chain(pn.Dense(3, 3), pn.SkipConnection(pn.Chain(a=pn.Dense(3, 3)), np.add))
    ps, st = pn.setup(0, model)
    seen = []

    def double(path, layer, ps, st):
        seen.append(path)
        return layer, trees.map_leaves(lambda p: 2 * p, ps), st

    new, twice, states = pn.layer_map(double, model, ps, st)
    assert seen == ["layer_1", "layer_2.layers.a"]
    assert (new, states) == (model, st)
    for before, after in zip(trees.leaves(ps), trees.leaves(twice), strict=True):
        assert np.array_equal(2 * before, after)


def test_layer_map_replaces_layers_in_containers_of_every_kind():
    model = pn.Chain(
        pn.Parallel(pn.Bilinear(2, 2), pn.Dense(3, 2), other=pn.Dense(3, 2)),
        pn.RepeatedLayer(pn.Dense(2, 2)),
        pn.Tied(pn.Chain(pn.Dense(2, 2), pn.Dense(2, 2)), ("layer_1.bias", "layer_2.bias")),
    )
    text = repr(pn.layer_map(lambda path, x: pn.NoOp(), model))
    assert text == (
        "Chain(Parallel(NoOp(), NoOp(), other=NoOp()), RepeatedLayer(NoOp()), "
        "Tied(Chain(NoOp(), NoOp()), ('layer_1.bias', 'layer_2.bias')))"
    )
    assert pn.layer_map(lambda path, x: x, model) == model


def test_layer_map_refuses_trees_and_results_that_do_not_fit():
    model = pn.Chain(pn.Dense(1, 1))
    with pytest.raises(ParameterTreeError, match=r"a tree has no entry model\.layer_1$"):
        pn.layer_map(lambda path, x, ps: (x, ps), model, {})
    with pytest.raises(ParameterTreeError, match=r"returns 2 things, the layer first: got Dense"):
        pn.layer_map(lambda path, x, ps: x, model, pn.setup(0, model)[0])
    with pytest.raises(HyperparameterError, match=r"^layer_map: model is a portanet\.Layer"):
        pn.layer_map(lambda path, x: x, np.tanh)
