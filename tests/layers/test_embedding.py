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


def test_padding_is_zero_and_gets_no_gradient(backend, place):
    model = pn.Embedding(4, 2, padding_index=1)
    ps, st = pn.setup(0, model)
    assert np.all(ps["weight"][1] == 0)
    ps = {"weight": ps["weight"] + np.float32(1)}
    x = backend.asarray(np.asarray([0, 1, 1, 3]))
    y, pullback = pn.vjp(lambda ps: model(x, ps, st)[0], place(ps))
    expected = np.where(np.asarray([0, 1, 1, 3])[:, None] == 1, 0, ps["weight"][[0, 1, 1, 3]])
    np.testing.assert_array_equal(backend.to_numpy(y), expected)
    gradient = pullback(backend.asarray(np.ones((4, 2), np.float32)))[0]["weight"]
    np.testing.assert_array_equal(backend.to_numpy(gradient), [[1, 1], [0, 0], [0, 0], [1, 1]])


def test_one_hot_vectors_are_indices(backend, place):
    model = pn.Embedding(4, 2)
    ps, st = pn.setup(0, model)
    x = np.asarray([[2, 0], [3, 3]])
    y, _ = model(backend.asarray(np.eye(4, dtype=bool)[x]), place(ps), st)
    np.testing.assert_array_equal(backend.to_numpy(y), ps["weight"][x])
    with pytest.raises(ShapeError, match=r"^x\.shape\[-1\] == vocabulary: 3 != 4$"):
        model(backend.asarray(np.ones((2, 3), bool)), place(ps), st)


def test_a_table_with_several_axes(backend, place):
    model = pn.Embedding((4, 5), 2)
    ps, st = pn.setup(0, model)
    rows, columns = np.asarray([[3, 0]]), np.asarray([[1, 4]])
    y, _ = model((backend.asarray(rows), backend.asarray(columns)), place(ps), st)
    np.testing.assert_array_equal(backend.to_numpy(y), ps["weight"][rows, columns])
    assert pn.output_shape(model, ((2,), (2,))) == (2, 2)
    with pytest.raises(ShapeError, match=r"^x is a tuple of 2 arrays, as many as vocabulary has"):
        model((backend.asarray(rows),), place(ps), st)
    with pytest.raises(ShapeError, match=r"^x\[1\]\.shape == x\[0\]\.shape: \(1,\) != \(1, 2\)$"):
        model((backend.asarray(rows), backend.asarray(columns[0, :1])), place(ps), st)


def test_bad_padding_is_refused():
    with pytest.raises(HyperparameterError, match=r"^Embedding: padding_index < vocabulary: got 7"):
        pn.Embedding(7, 3, padding_index=7)
    with pytest.raises(HyperparameterError, match="padding_index needs one vocabulary: got"):
        pn.Embedding((7, 2), 3, padding_index=1)
    with pytest.raises(HyperparameterError, match=r"^EmbeddingBag: reduction is one of 'mean'"):
        pn.EmbeddingBag(7, 3, reduction="min")


def test_bags_are_those_of_the_function(backend, place):
    model = pn.EmbeddingBag(7, 3, reduction="max", padding_index=2)
    ps, st = pn.setup(0, model)
    rng = np.random.default_rng(0)
    x, offsets = backend.asarray(rng.integers(0, 7, size=9)), backend.asarray(np.asarray([0, 4]))
    options = {"reduction": "max", "padding_index": 2}
    for given in ((x, offsets), (backend.xp.reshape(x, (3, 3)), None)):
        y, _ = model(given if given[1] is not None else given[0], place(ps), st)
        expected = pn.functional.embedding_bag(given[0], place(ps)["weight"], given[1], **options)
        np.testing.assert_array_equal(backend.to_numpy(y), backend.to_numpy(expected))
    assert pn.output_shape(model, (5,)) == (3,)
    with pytest.raises(ShapeError, match=r"^x\.ndim == 1 for bags in a row: 2 != 1$"):
        model((backend.xp.reshape(x, (3, 3)), offsets), place(ps), st)
