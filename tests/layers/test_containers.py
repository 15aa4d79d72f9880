"""Containers: their values, their trees and what they refuse."""

from __future__ import annotations

import copy
import operator
from dataclasses import dataclass

import numpy as np
import pytest

import portanet as pn
from portanet.errors import ChildNameError, HyperparameterError, ShapeError


@dataclass(frozen=True)
class Times(pn.Layer):
    """y = factor * x with a count of calls."""

    factor: float

    def initial_parameters(self, rng):
        return {"factor": np.full((), self.factor, np.float32)}

    def initial_states(self, rng):
        return {"calls": 0}

    def __call__(self, x, ps, st):
        xp = pn.array_namespace(x, ps["factor"])
        return xp.multiply(ps["factor"], x), {"calls": st["calls"] + 1}


@dataclass(frozen=True)
class Difference(pn.Layer):
    """A layer of a pair, as a connection."""

    def initial_states(self, rng):
        return {"calls": 0}

    def __call__(self, x, ps, st):
        assert isinstance(x, tuple)
        first, *rest = x
        for other in rest:
            first = first - other
        return first, {"calls": st["calls"] + 1}


X = np.asarray([1.0, -2.0], np.float32)


def called(model, x, seed=0):
    ps, st = pn.setup(seed, model)
    before = copy.deepcopy((ps, st))
    y, new = model(x, ps, st)
    assert (ps, st) == before
    assert pn.trees.flatten(new)[1] == pn.trees.flatten(st)[1]
    return y, new


def test_chain_runs_in_order():
    y, st = called(pn.Chain(Times(3.0), np.abs, out=Times(-2.0)), X)
    assert np.array_equal(y, [-6.0, -12.0])
    assert st == {"layer_1": {"calls": 1}, "layer_2": {}, "out": {"calls": 1}}


def test_an_empty_chain_does_nothing():
    y, st = pn.Chain()(X, {}, {})
    assert y is X
    assert st == {}


@pytest.mark.parametrize(
    "model",
    [
        pn.Chain([Times(1.0), Times(2.0)]),
        pn.Chain((Times(1.0), Times(2.0))),
        pn.Chain({"layer_1": Times(1.0), "layer_2": Times(2.0)}),
    ],
)
def test_a_collection_is_a_chain_too(model):
    assert model == pn.Chain(Times(1.0), Times(2.0))


def test_nested_chains_stay_nested():
    assert len(pn.Chain(pn.Chain(Times(1.0), Times(2.0)), Times(3.0))) == 2


def test_chain_is_a_sequence_and_a_namespace():
    model = pn.Chain(Times(1.0), mid=Times(2.0), end=Times(3.0))
    assert model[0] == model["layer_1"] == model.layer_1 == Times(1.0)
    assert model[-1] == model[np.int64(2)] == model.end == Times(3.0)
    assert list(model) == [Times(1.0), Times(2.0), Times(3.0)]
    assert Times(2.0) in model
    assert len(model) == 3
    assert model.names == ("layer_1", "mid", "end")
    assert bool(pn.Chain()) is True


def test_a_slice_runs_with_the_whole_trees():
    model = pn.Chain(Times(2.0), Times(3.0), Times(5.0))
    ps, st = pn.setup(0, model)
    tail = model[1:]
    assert tail.names == ("layer_2", "layer_3")
    y, new = tail(X, ps, st)
    assert np.array_equal(y, 15 * X)
    assert list(new) == ["layer_2", "layer_3"]
    assert model[:0] == pn.Chain()


def test_misspelt_children():
    model = pn.Chain(Times(1.0), Times(2.0))
    text = "Chain has no child 'layr_1': did you mean 'layer_1'? it has 'layer_1', 'layer_2'"
    with pytest.raises(ChildNameError) as caught:
        model["layr_1"]
    assert str(caught.value) == text
    with pytest.raises(AttributeError) as caught:
        _ = model.layr_1
    assert str(caught.value) == text
    assert not hasattr(model, "other")
    with pytest.raises(ChildNameError, match=r"^-2 <= index < 2, the number of layers .*: got 2$"):
        model[2]
    with pytest.raises(ChildNameError, match=r"'layer_3', …, 'layer_18'"):
        pn.Chain(*[pn.NoOp()] * 20)["x"]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: pn.Chain(3), "Chain: every part is a layer or a function: got 3"),
        (lambda: pn.Chain(pn.NoOp), "got the class NoOp: call it with its sizes"),
        (lambda: pn.Chain(pn.NoOp(), layer_1=pn.NoOp()), "two children have the name 'layer_1'"),
        (lambda: pn.Chain({"a b": pn.NoOp()}), "is a Python identifier: got 'a b'"),
        (lambda: pn.Chain({"class": pn.NoOp()}), "is a Python identifier: got 'class'"),
        (lambda: pn.Chain({3: pn.NoOp()}), "is a Python identifier: got 3"),
        (lambda: pn.Chain(run=pn.NoOp()), "Chain: 'run' is an attribute of its own"),
        (lambda: pn.Chain(layers=pn.NoOp()), "Chain: 'layers' is an attribute of its own"),
        (lambda: pn.Parallel(3), "Parallel: connection is a function, a layer or None: got 3"),
        (lambda: pn.Parallel(pn.NoOp), "Parallel: connection is a function, a layer or None"),
        (
            lambda: pn.BranchLayer(fusion="add"),
            "BranchLayer: fusion is a function, a layer or None",
        ),
        (lambda: pn.PairwiseFusion(None), "connection is a function or a layer: got None"),
        (lambda: pn.SkipConnection(pn.NoOp(), None), "connection is a function: got None"),
        (lambda: pn.SkipConnection(None, operator.add), "SkipConnection: every part is a layer"),
        (lambda: pn.RepeatedLayer(pn.NoOp(), 0), "repeats >= 1: got 0"),
        (lambda: pn.RepeatedLayer(pn.NoOp(), 2.0), "repeats is an integer: got 2.0"),
        (lambda: pn.RepeatedLayer(pn.NoOp(), 2, 1), "input_injection is True or False: got 1"),
        (lambda: pn.Maxout(), "Maxout: number of layers >= 1: got 0"),
        (lambda: pn.WrappedFunction(3), "function is a function: got 3"),
    ],
)
def test_bad_hyperparameters(make, text):
    with pytest.raises(HyperparameterError) as caught:
        make()
    assert text in str(caught.value)


def test_composition_is_flat_and_associative():
    a, b, c = Times(1.0), Times(2.0), Times(3.0)
    assert a >> b >> c == a >> (b >> c) == pn.Chain(a, b, c)
    assert (np.abs >> a) == pn.Chain(np.abs, a)
    assert (a >> np.abs >> b) == pn.Chain(a, np.abs, b)
    assert pn.Chain(first=a) >> b >> pn.Chain(last=c) == pn.Chain(first=a, layer_2=b, last=c)
    with pytest.raises(HyperparameterError, match="two children have the name 'first'"):
        pn.Chain(first=a) >> pn.Chain(first=b)
    with pytest.raises(TypeError, match="unsupported operand"):
        a >> 3


def test_parallel():
    model = pn.Parallel(operator.sub, Times(2.0), Times(3.0))
    assert np.array_equal(called(model, (X, 2 * X))[0], -4 * X)
    assert np.array_equal(called(model, X)[0], -X)
    y, st = called(pn.Parallel(None, a=Times(2.0), b=Times(3.0)), X)
    assert np.array_equal(y, (2 * X, 3 * X))
    assert list(st) == ["a", "b"]
    y, st = called(pn.Parallel(Difference(), Times(5.0), Times(3.0), Times(1.0)), X)
    assert np.array_equal(y, X)
    assert st["connection"] == {"calls": 1}


def test_parallel_wants_an_input_for_each_layer():
    model = pn.Chain(fork=pn.Parallel(None, Times(2.0), Times(3.0)))
    with pytest.raises(ShapeError) as caught:
        model((X, X, X), *pn.setup(0, model))
    assert str(caught.value) == ("model.fork: len(x) == 2 for the 2 layers of Parallel: 3 != 2")


def test_branches_share_a_tuple():
    model = pn.BranchLayer(Difference(), lambda pair: pair[0] + pair[1])
    y, _ = called(model, (X, 3 * X))
    assert np.array_equal(y, (-2 * X, 4 * X))
    fused = pn.BranchLayer(Times(2.0), Times(3.0), fusion=operator.sub)
    assert np.array_equal(called(fused, X)[0], -X)
    y, st = called(pn.BranchLayer(Times(2.0), Times(3.0), fusion=Difference()), X)
    assert np.array_equal(y, -X)
    assert st["fusion"] == {"calls": 1}


def test_pairwise_fusion():
    layers = Times(2.0), Times(3.0)
    model = pn.PairwiseFusion(operator.sub, *layers)
    assert np.array_equal(called(model, (X, 5 * X, 7 * X))[0], (3 * (2 - 5) - 7) * X)
    assert np.array_equal(called(model, X)[0], (3 * (2 - 1) - 1) * X)
    y, st = called(pn.PairwiseFusion(Difference(), *layers), (X, 5 * X, 7 * X))
    assert np.array_equal(y, (3 * (2 - 5) - 7) * X)
    assert st["connection"] == {"calls": 2}
    with pytest.raises(ShapeError, match=r"^len\(x\) == 3 for the 2 layers .*: 2 != 3$"):
        called(model, (X, X))


def test_skip_connection_gives_the_transformed_first():
    y, st = called(pn.SkipConnection(Times(3.0), operator.sub), X)
    assert np.array_equal(y, 2 * X)
    assert list(st) == ["layers"]
    y, st = called(pn.SkipConnection(Times(3.0), Difference()), X)
    assert np.array_equal(y, 2 * X)
    assert st == {"layers": {"calls": 1}, "connection": {"calls": 1}}


def test_repeated_layer_feeds_its_output_back():
    y, st = called(pn.RepeatedLayer(Times(2.0), 5), X)
    assert np.array_equal(y, 32 * X)
    assert st == {"model": {"calls": 5}}
    y, _ = called(pn.RepeatedLayer(Difference(), 3, True), X)
    assert np.array_equal(y, -2 * X)
    assert pn.RepeatedLayer(Times(2.0)).repeats == 10


def test_maxout(backend):
    model = pn.Maxout(Times(1.0), Times(-2.0), Times(0.5))
    ps, st = pn.setup(0, model, device=backend.place)
    y, _ = model(backend.asarray(X), ps, st)
    assert np.array_equal(backend.to_numpy(y), [1.0, 4.0])
    x = backend.asarray(X)
    gradient = pn.grad(lambda x: pn.array_namespace(x).sum(model(x, ps, st)[0]))(x)
    assert np.array_equal(backend.to_numpy(gradient), [1.0, -2.0])


def test_maxout_from_a_factory_has_separate_parameters():
    ps, _ = pn.setup(0, pn.Maxout(lambda: pn.Dense(3, 2), 2))
    assert not np.array_equal(ps["layer_1"]["weight"], ps["layer_2"]["weight"])


def test_containers_against_torch():
    torch = pytest.importorskip("torch")
    model = pn.Chain(
        pn.Dense(3, 4, pn.tanh), pn.SkipConnection(pn.Dense(4, 4, pn.relu), operator.add)
    )
    ps, st = pn.setup(0, model)
    x = np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32)
    first, second = ps["layer_1"], ps["layer_2"]["layers"]
    tensors = {key: torch.asarray(value) for key, value in first.items()}
    hidden = torch.tanh(torch.nn.functional.linear(torch.asarray(x), **tensors))
    tensors = {key: torch.asarray(value) for key, value in second.items()}
    expected = torch.relu(torch.nn.functional.linear(hidden, **tensors)) + hidden
    np.testing.assert_allclose(model(x, ps, st)[0], expected.numpy(), rtol=1e-5, atol=1e-6)


def test_gradients_of_a_chain(backend):
    model = pn.Chain(Times(2.0), Times(3.0))
    ps, st = pn.setup(0, model, device=backend.place)
    x = backend.asarray(X)
    gradient = pn.grad(lambda ps: pn.array_namespace(x).sum(model(x, ps, st)[0]))(ps)
    assert float(backend.to_numpy(gradient["layer_1"]["factor"])) == pytest.approx(-3.0)
    assert float(backend.to_numpy(gradient["layer_2"]["factor"])) == pytest.approx(-2.0)
