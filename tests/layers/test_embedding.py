"""Embedding."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet.errors import DTypeError, HyperparameterError, ShapeError


@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (0,), (2, 0)])
@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_embedding_is_torchs(backend, place, shape, dtype):
    torch = pytest.importorskip("torch")
    model = pn.Embedding(7, 3)
    ps, st = pn.setup(0, model)
    x = np.asarray(np.random.default_rng(1).integers(0, 7, shape), dtype=dtype)
    y, _ = model(backend.asarray(x), place(ps), st)
    expected = torch.nn.functional.embedding(torch.asarray(x), torch.asarray(ps["weight"]))
    assert y.shape == (*shape, 3)
    np.testing.assert_array_equal(backend.to_numpy(y), expected.numpy())


def test_rows_that_occur_twice_gather_their_gradients(backend, place):
    model = pn.Embedding(4, 2)
    ps, st = pn.setup(0, model)
    x = backend.asarray(np.asarray([[1, 3], [1, 1]]))
    gradient = pn.grad(lambda ps: backend.xp.sum(model(x, ps, st)[0]))(place(ps))
    np.testing.assert_array_equal(
        backend.to_numpy(gradient["weight"]),
        np.asarray([[0, 0], [3, 3], [0, 0], [1, 1]], np.float32),
    )


def test_the_default_weight_is_standard_normal():
    ps, _ = pn.setup(0, pn.Embedding(400, 50))
    assert ps["weight"].dtype == np.float32
    assert np.mean(ps["weight"]) == pytest.approx(0, abs=0.03)
    assert np.std(ps["weight"]) == pytest.approx(1, abs=0.03)


def test_the_output_shape_is_known_without_a_run():
    assert pn.output_shape(pn.Embedding(7, 3), (5,)) == (5, 3)


def test_bad_indices_are_refused(backend, place):
    model = pn.Chain(pn.Embedding(7, 3))
    ps, st = pn.setup(0, model)
    ps = place(ps)
    with pytest.raises(DTypeError) as caught:
        model(backend.asarray(np.zeros(3, np.float32)), ps, st)
    assert str(caught.value) == (
        "model.layer_1: x.dtype is an integer: float32: convert it with xp.astype(x, xp.int64)"
    )


@pytest.mark.parametrize("index", [-1, 7])
def test_an_index_outside_the_vocabulary_is_refused_on_the_host(index):
    model = pn.Embedding(7, 3)
    ps, st = pn.setup(0, model)
    with pytest.raises(ShapeError) as caught:
        model(np.asarray([0, index, 6]), ps, st)
    assert str(caught.value) == f"0 <= x < vocabulary: x has {index}, vocabulary is 7"


def test_hyperparameters():
    with pytest.raises(HyperparameterError, match=r"^Embedding: vocabulary >= 1: got 0$"):
        pn.Embedding(0, 3)
    assert eval(repr(pn.Embedding(7, 3)), vars(pn)) == pn.Embedding(7, 3)
