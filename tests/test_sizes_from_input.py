"""Layers that take their sizes from the input."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import portanet as pn
from portanet import trees
from portanet.errors import HyperparameterError, ShapeError


def waiting():
    return pn.Chain(
        pn.Dense(None, 4, pn.tanh),
        pn.SkipConnection(pn.Chain(pn.Dense(None, 3), scale=pn.Scale(None)), pn.Bilinear(None, 5)),
        pn.Dropout(0.5),
        head=pn.Dense(None, 2, use_bias=False),
    )


KNOWN = pn.Chain(
    pn.Dense(7, 4, pn.tanh),
    pn.SkipConnection(pn.Chain(pn.Dense(4, 3), scale=pn.Scale(3)), pn.Bilinear((3, 4), 5)),
    pn.Dropout(0.5),
    head=pn.Dense(5, 2, use_bias=False),
)


def example(*shape):
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def same(first, second):
    trees.check_same_structure(first, second)
    pairs = zip(trees.leaves(first), trees.leaves(second), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def test_the_sizes_are_those_that_the_layers_meet():
    assert pn.resolve(waiting(), example(2, 7)) == KNOWN
    assert pn.resolve(KNOWN, example(2, 7)) is KNOWN


def test_one_seed_gives_the_parameters_of_the_model_with_sizes(backend):
    x = backend.asarray(example(2, 7))
    ps, st = pn.setup(3, waiting(), x)
    assert same((ps, st), pn.setup(3, KNOWN))
    device = pn.device(backend.place)
    (y, _), (wanted, _) = (m(x, *device((ps, st))) for m in (waiting(), KNOWN))
    assert np.array_equal(backend.to_numpy(y), backend.to_numpy(wanted))


def test_the_model_that_waits_works_with_them_under_jit_and_in_training():
    model, x = pn.Chain(pn.Dense(None, 4, pn.tanh), pn.Dense(None, 1)), example(6, 3)
    ts = pn.training.TrainState(model, *pn.setup(0, model, x), pn.optimizers.SGD(0.1))
    losses = []
    for _ in range(3):
        value, _, ts = pn.training.train_step(pn.MSELoss(), (x, x[:, :1]), ts)
        losses.append(float(value))
    assert losses[2] < losses[1] < losses[0]
    wide = ts.parameters, ts.states
    assert pn.jit(lambda x, ps, st: model(x, ps, st)[0])(x, *wide).shape == (6, 1)


def test_an_example_is_anything_with_a_shape_and_a_dtype(backend):
    class Spec:
        shape = (2, 5)
        dtype = np.dtype("float64")

    for given in (Spec(), np.ones((2, 5), np.float16), backend.asarray(example(2, 5))):
        assert pn.resolve(pn.Dense(None, 3), given) == pn.Dense(5, 3)
    several = (example(2, 3), (np.zeros(2, np.int64), None))
    model = pn.Parallel(
        None, pn.Dense(None, 2), pn.Chain(operator.itemgetter(0), pn.Embedding(3, 4))
    )
    assert pn.resolve(model, several)["layer_1"] == pn.Dense(3, 2)


def test_nothing_runs_after_the_last_size_is_known():
    def never(x):
        raise AssertionError("not needed")

    model = pn.Chain(pn.Dense(None, 3), pn.Dense(None, 2), never)
    assert pn.resolve(model, example(2, 4)).layers[1] == pn.Dense(3, 2)


def test_layers_of_the_user_take_part():
    @dataclass(frozen=True)
    class Twice(pn.Container):
        parts: tuple[Any, ...]

        def __call__(self, x, ps, st):
            a, first = self.run("parts_1", x, ps, st)
            b, second = self.run("parts_2", a, ps, st)
            return b, {"parts_1": first, "parts_2": second}

    @pn.compact(inner=pn.Dense(None, 3), gain=np.ones(3))
    def gained(self, x):
        return self.inner(x) * self.gain

    found = pn.resolve(pn.Chain(Twice((pn.Dense(None, 4), gained))), example(2, 6))
    assert found.layer_1.parts[0] == pn.Dense(6, 4)
    assert found.layer_1.parts[1]["inner"] == pn.Dense(4, 3)


def test_one_description_in_two_places_gets_two_sizes():
    layer = pn.Dense(None, 4)
    assert pn.resolve(pn.Chain(layer, layer), example(2, 3)) == pn.Chain(
        pn.Dense(3, 4), pn.Dense(4, 4)
    )
    with pytest.raises(ShapeError, match=r"x\.shape\[-1\] == in_features: 4 != 3"):
        pn.resolve(pn.Chain(pn.RepeatedLayer(layer), pn.Dense(None, 1)), example(2, 3))


def test_what_is_shared_may_wait_too():
    model = pn.Tied(
        pn.Chain(pn.Dense(None, 3), pn.Dense(None, 3)), ("layer_1.weight", "layer_2.weight")
    )
    ps, _ = pn.setup(0, model, example(2, 3))
    assert ps["layer_1"]["weight"].shape == (3, 3)
    assert list(ps["layer_2"]) == ["bias"]


def test_it_prints_and_compares_as_it_was_written():
    assert repr(pn.Dense(None, 4)) == "Dense(None, 4)"
    assert pn.Dense(None, 4) == pn.Dense(None, 4) != pn.Dense(3, 4)
    assert hash(pn.Dense(None, 4)) == hash(pn.Dense(None, 4))
    assert str(pn.Chain(pn.Dense(None, 4), pn.Dense(4, 1))) == (
        "Chain(\n"
        "    layer_1 = Dense(None, 4),   # in_features from the input\n"
        "    layer_2 = Dense(4, 1),      # 5 parameters\n"
        ")         # Total: 5 parameters so far,\n"
        "          #        plus 0 states."
    )


TEXT = (
    r"^model\.layer_2: Dense\(None, 4\) takes in_features from its input: give one to look at, as "
    r"in pn\.setup\(rng, model, example\), or pn\.resolve\(model, example\) first$"
)


@pytest.mark.parametrize(
    "function",
    [lambda m: pn.setup(0, m), pn.parameter_count, pn.state_count],
    ids=["setup", "parameter_count", "state_count"],
)
def test_without_an_example_the_layer_that_waits_is_named(function):
    with pytest.raises(HyperparameterError, match=TEXT):
        function(pn.Chain(pn.NoOp(), pn.Dense(None, 4)))


def test_a_layer_that_the_example_does_not_reach_is_named():
    @dataclass(frozen=True)
    class First(pn.Container):
        used: pn.Layer
        unused: pn.Layer

        def __call__(self, x, ps, st):
            y, used = self.run("used", x, ps, st)
            return y, {"used": used, "unused": st["unused"]}

    model = pn.Chain(First(pn.Dense(None, 2), pn.Dense(None, 3)))
    with pytest.raises(HyperparameterError, match=r"model\.layer_1\.unused: .* did not reach it$"):
        pn.resolve(model, example(2, 3))


def test_an_input_of_another_size_is_refused_in_the_call():
    model = pn.Chain(pn.Dense(None, 4))
    ps, st = pn.setup(0, model, example(2, 3))
    with pytest.raises(
        ShapeError, match=r'^model\.layer_1: ps\["weight"\]\.shape == .*\(4, 3\) != '
    ):
        model(example(2, 5), ps, st)


def test_shapes_follow_too():
    assert pn.output_shape(waiting(), (7,)) == (2,)


KINDS = {
    "Conv": (lambda n: pn.Conv((3, 3), n, 4, groups=2), (2, 6, 6, 4)),
    "ConvTranspose": (lambda n: pn.ConvTranspose((3, 3), n, 4), (2, 6, 6, 4)),
    "BatchNorm": (lambda n: pn.BatchNorm(n), (4, 3)),
    "InstanceNorm": (lambda n: pn.InstanceNorm(n, affine=True, track_stats=True), (4, 3, 2)),
    "GroupNorm": (lambda n: pn.GroupNorm(n, 2), (2, 3, 4)),
    "LayerNorm": (lambda n: pn.LayerNorm(n), (2, 3, 4)),
    "RMSNorm": (lambda n: pn.RMSNorm(n), (2, 3, 4)),
    "RNNCell": (lambda n: pn.Recurrence(pn.RNNCell(n, 4)), (2, 3, 5)),
    "GRUCell": (lambda n: pn.BidirectionalRNN(pn.GRUCell(n, 4)), (2, 3, 5)),
    "LSTMCell": (lambda n: pn.StackedRecurrence([pn.LSTMCell(n, 5)] * 2, dropout=0.1), (2, 3, 5)),
    "StatefulRecurrentCell": (lambda n: pn.StatefulRecurrentCell(pn.GRUCell(n, 4)), (2, 5)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_layers_of_every_family_take_part(kind):
    make, shape = KINDS[kind]
    x, waiting, known = example(*shape), make(None), make(shape[-1])
    assert pn.resolve(waiting, x) == known
    ps, st = pn.setup(2, waiting, x)
    assert same((ps, st), pn.setup(2, known))
    assert same(waiting(x, ps, st), known(x, ps, st))
    with pytest.raises(HyperparameterError, match=" from its input: give one to look at, as in "):
        pn.setup(0, waiting)
    assert "from the input" in str(waiting)


@pytest.mark.parametrize(
    ("waiting", "known", "shape"),
    [
        (pn.MultiHeadAttention(None, 2), pn.MultiHeadAttention(6, 2), (2, 3, 6)),
        (pn.PReLU(None), pn.PReLU(6), (2, 6)),
        (pn.SpectralNorm(pn.Dense(None, 2)), pn.SpectralNorm(pn.Dense(6, 2)), (2, 6)),
        (
            pn.WeightNorm(pn.Conv((3,), None, 2)),
            pn.WeightNorm(pn.Conv((3,), 6, 2)),
            (2, 5, 6),
        ),
        (
            pn.SpectralNorm(pn.WeightNorm(pn.Dense(None, 2)), "weight_v"),
            pn.SpectralNorm(pn.WeightNorm(pn.Dense(6, 2)), "weight_v"),
            (2, 6),
        ),
    ],
    ids=lambda x: repr(x) if isinstance(x, pn.Layer) else "",
)
def test_layers_made_of_layers_wait_too(waiting, known, shape):
    x = example(*shape)
    assert pn.resolve(waiting, x) == known
    whole = pn.Chain(pn.Dropout(0.1), waiting)
    assert pn.resolve(whole, x) == pn.Chain(pn.Dropout(0.1), known)
    ps, st = pn.setup(3, waiting, x)
    assert same((ps, st), pn.setup(3, known))
    assert np.array_equal(waiting(x, ps, st)[0], known(x, ps, st)[0])
    assert "from the input" in str(whole)
    with pytest.raises(HyperparameterError, match="from its input"):
        pn.setup(3, waiting)


def test_attention_that_waits_takes_the_size_of_its_queries():
    query, memory = example(2, 3, 6), example(2, 4, 5)
    model = pn.MultiHeadAttention(None, 2, key_features=5)
    found = pn.resolve(model, (query, memory))
    assert found == pn.MultiHeadAttention(6, 2, key_features=5)
    with pytest.raises(HyperparameterError, match="features % heads == 0"):
        pn.resolve(pn.MultiHeadAttention(None, 4), query)
