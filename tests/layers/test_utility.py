"""Flatten, Reshape and SelectDim."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet.errors import HyperparameterError, ShapeError


@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 3), (2,), (0, 3, 4), (2, 0, 4)])
def test_flatten(backend, shape):
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    y, _ = pn.Flatten()(backend.asarray(x), {}, {})
    expected = x.reshape(shape[0], int(np.prod(shape[1:])))
    np.testing.assert_array_equal(backend.to_numpy(y), expected)


def test_flatten_needs_a_batch_axis(backend):
    with pytest.raises(ShapeError, match=r"^x.ndim >= 1: 0 < 1$"):
        pn.Flatten()(backend.asarray(np.zeros((), np.float32)), {}, {})


@pytest.mark.parametrize("batch", [0, 1, 5])
def test_reshape(backend, batch):
    x = np.arange(batch * 12, dtype=np.int64).reshape(batch, 12)
    y, _ = pn.Reshape((3, 4))(backend.asarray(x), {}, {})
    np.testing.assert_array_equal(backend.to_numpy(y), x.reshape(batch, 3, 4))


def test_reshape_refuses_another_number_of_entries(backend):
    model = pn.Chain(pn.Reshape((3, 4)))
    ps, st = pn.setup(0, model)
    with pytest.raises(ShapeError) as caught:
        model(backend.asarray(np.zeros((2, 5, 2), np.float32)), ps, st)
    assert str(caught.value) == (
        "model.layer_1: prod(x.shape[1:]) == prod(shape): 10 of (5, 2) != 12 of (3, 4)"
    )


@pytest.mark.parametrize(
    ("axis", "index", "key"),
    [
        (0, 1, np.s_[1]),
        (1, -1, np.s_[:, -1]),
        (-1, 2, np.s_[..., 2]),
        (1, range(1, 3), np.s_[:, 1:3]),
        (2, range(0, 4, 3), np.s_[..., 0:4:3]),
        (1, range(0), np.s_[:, 0:0]),
    ],
)
def test_select_dim(backend, axis, index, key):
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    y, _ = pn.SelectDim(axis, index)(backend.asarray(x), {}, {})
    np.testing.assert_array_equal(backend.to_numpy(y), x[key])


@pytest.mark.parametrize(
    ("axis", "index", "text"),
    [
        (3, 0, "-x.ndim <= axis < x.ndim: axis 3, x.ndim 3"),
        (1, 3, "index < x.shape[1]: 3 does not lie in 3 entries"),
        (-2, -4, "index < x.shape[1]: -4 does not lie in 3 entries"),
        (2, range(5), "index < x.shape[2]: range(0, 5) does not lie in 4 entries"),
    ],
)
def test_select_dim_refuses_what_is_not_there(backend, axis, index, text):
    with pytest.raises(ShapeError) as caught:
        pn.SelectDim(axis, index)(backend.asarray(np.zeros((2, 3, 4), np.float32)), {}, {})
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: pn.Reshape((3, -1)), "Reshape: shape[1] >= 1: got -1"),
        (lambda: pn.SelectDim(1.0, 0), "SelectDim: axis is an integer: got 1.0"),
        (lambda: pn.SelectDim(0, "a"), "SelectDim: index is an integer: got 'a'"),
        (
            lambda: pn.SelectDim(0, range(3, 0, -1)),
            "SelectDim: index is an integer or a range from 0 up, forwards: got range(3, 0, -1)",
        ),
    ],
)
def test_hyperparameters(make, text):
    with pytest.raises(HyperparameterError) as caught:
        make()
    assert str(caught.value) == text


@pytest.mark.parametrize(
    "model", [pn.Flatten(), pn.Reshape(4), pn.SelectDim(1, range(2)), pn.SelectDim(0, -1)]
)
def test_repr_round_trip(model):
    assert eval(repr(model), {**vars(pn), "range": range}) == model


@pytest.mark.parametrize(
    ("start", "end", "shape"),
    [(1, 2, (2, 12, 5)), (0, 1, (6, 4, 5)), (-2, -1, (2, 3, 20)), (2, 2, (2, 3, 4, 5))],
)
def test_some_axes_become_one(start, end, shape):
    x = np.arange(120.0).reshape(2, 3, 4, 5)
    y, _ = pn.Flatten(start, end)(x, {}, {})
    assert np.array_equal(y, x.reshape(shape))


@pytest.mark.parametrize(("start", "end"), [(2, 0), (4, -1), (1, 3), (-4, -1)])
def test_axes_that_are_not_there_are_refused(start, end):
    with pytest.raises(ShapeError) as caught:
        pn.Flatten(start, end)(np.ones((2, 3, 4)), {}, {})
    text = f"start <= end within x.ndim: axes {start} to {end} of x.ndim 3"
    assert str(caught.value) == text
