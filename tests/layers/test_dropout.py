"""Dropout."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet.errors import DTypeError, HyperparameterError, ShapeError


def test_entries_are_dropped_or_scaled(backend):
    model, n = pn.Dropout(0.3), 20_000
    ps, st = pn.setup(0, model)
    y, _ = model(backend.asarray(np.ones(n, np.float32)), ps, st)
    values = backend.to_numpy(y)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(np.unique(values), np.asarray([0, 1 / 0.7], np.float32))
    assert abs(np.mean(values == 0) - 0.3) < 5 * np.sqrt(0.3 * 0.7 / n)
    assert np.mean(values) == pytest.approx(1, abs=0.03)


def test_a_call_is_pure_and_the_next_one_differs(backend):
    model = pn.Dropout(0.5)
    ps, st = pn.setup(0, model)
    x = backend.asarray(np.ones((4, 50), np.float32))
    y, after = model(x, ps, st)
    again, _ = model(x, ps, st)
    following, _ = model(x, ps, after)
    np.testing.assert_array_equal(backend.to_numpy(y), backend.to_numpy(again))
    assert np.any(backend.to_numpy(y) != backend.to_numpy(following))
    assert st["key"] != after["key"]
    assert set(after) == set(st)


def test_every_host_library_drops_the_same_entries(backend):
    if backend.adapter.own_draws:
        pytest.skip("draws its own numbers on the device")
    model = pn.Dropout(0.5)
    ps, st = pn.setup(0, model)
    x = np.ones((4, 50), np.float32)
    y, _ = model(backend.asarray(x), ps, st)
    np.testing.assert_array_equal(backend.to_numpy(y), model(x, ps, st)[0])


def test_neighbours_differ():
    model = pn.Chain(pn.Dropout(0.5), pn.Dropout(0.5))
    _, st = pn.setup(0, model)
    assert st["layer_1"]["key"] != st["layer_2"]["key"]


def test_test_mode_is_the_identity():
    model = pn.Dropout(0.5)
    ps, st = pn.setup(0, model)
    st = pn.test_mode(st)
    x = np.ones((4, 5), np.float32)
    y, after = model(x, ps, st)
    assert y is x
    assert after == st


@pytest.mark.parametrize(("p", "expected"), [(0.0, 1.0), (1.0, 0.0)])
def test_the_ends_of_p(backend, p, expected):
    model = pn.Dropout(p)
    ps, st = pn.setup(0, model)
    y, _ = model(backend.asarray(np.ones((4, 5), np.float32)), ps, st)
    assert np.all(backend.to_numpy(y) == expected)


@pytest.mark.parametrize("axes", [0, (0, 1), -2])
def test_the_mask_is_constant_along_the_other_axes(axes):
    model = pn.Dropout(0.5, axes=axes)
    ps, st = pn.setup(0, model)
    y, _ = model(np.ones((30, 20, 10), np.float32), ps, st)
    others = tuple(set(range(3)) - {axis % 3 for axis in model.axes})
    assert np.all(np.ptp(y, axis=others) == 0)
    assert np.ptp(y) == 2


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_dtype_is_kept_and_does_not_change_the_mask(dtype):
    model = pn.Dropout(0.5)
    ps, st = pn.setup(0, model)
    y, _ = model(np.ones((4, 5), dtype), ps, st)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, model(np.ones((4, 5), np.float32), ps, st)[0])


def test_the_mask_is_a_constant_of_the_derivative(backend):
    model = pn.Dropout(0.5)
    ps, st = pn.setup(0, model)
    x = backend.asarray(np.linspace(1, 2, 20))
    y, _ = model(x, ps, st)
    gradient = pn.grad(lambda x: backend.xp.sum(model(x, ps, st)[0]))(x)
    np.testing.assert_allclose(
        backend.to_numpy(gradient), backend.to_numpy(y) / backend.to_numpy(x), rtol=1e-14
    )


def test_an_empty_batch():
    model = pn.Dropout(0.5)
    ps, st = pn.setup(0, model)
    assert model(np.ones((0, 5), np.float32), ps, st)[0].shape == (0, 5)


def test_bad_input():
    with pytest.raises(HyperparameterError, match=r"^Dropout: 0 <= p <= 1: got 1.5$"):
        pn.Dropout(1.5)
    with pytest.raises(HyperparameterError, match=r"^Dropout: p is a finite number: got nan$"):
        pn.Dropout(float("nan"))
    model = pn.Chain(pn.Dropout(0.5, axes=2))
    ps, st = pn.setup(0, model)
    with pytest.raises(ShapeError) as caught:
        model(np.ones((4, 5), np.float32), ps, st)
    assert str(caught.value) == "model.layer_1: -x.ndim <= axis < x.ndim: axis 2, x.ndim 2"
    with pytest.raises(DTypeError, match=r"^model.layer_1: x.dtype is floating: int64: convert"):
        model(np.ones((4, 5, 6), np.int64), ps, st)


def test_drop_path_drops_whole_samples(backend):
    model, n = pn.DropPath(0.3), 4000
    ps, st = pn.setup(0, model)
    y, _ = model(backend.asarray(np.ones((n, 2, 3), np.float32)), ps, st)
    values = backend.to_numpy(y)
    np.testing.assert_array_equal(np.unique(values), np.asarray([0, 1 / 0.7], np.float32))
    assert np.all(np.ptp(values, axis=(1, 2)) == 0)
    assert abs(np.mean(values == 0) - 0.3) < 5 * np.sqrt(0.3 * 0.7 / n)


def test_alpha_dropout_keeps_the_moments(backend):
    x = np.random.default_rng(0).normal(size=200_000).astype(np.float32)
    for p in (0.1, 0.5):
        model = pn.AlphaDropout(p)
        y = backend.to_numpy(model(backend.asarray(x), *pn.setup(0, model))[0])
        assert abs(y.mean()) < 0.02
        assert abs(y.std() - 1) < 0.02
    model = pn.AlphaDropout(1.0)
    assert np.all(backend.to_numpy(model(backend.asarray(x[:9]), *pn.setup(0, model))[0]) == 0)


def test_alpha_dropout_is_the_formula_of_the_paper():
    x = np.linspace(-2, 2, 1001)
    key = pn.random.key(0)
    kept = pn.functional.dropout(np.ones_like(x), 0.4, key) > 0
    alpha = -1.6732632423543772 * 1.0507009873554805
    scale = (0.6 + alpha**2 * 0.6 * 0.4) ** -0.5
    expected = scale * np.where(kept, x, alpha) - scale * 0.4 * alpha
    np.testing.assert_allclose(pn.functional.alpha_dropout(x, 0.4, key), expected, rtol=1e-12)


def test_a_variational_mask_stays_until_it_is_to_change(backend):
    model = pn.VariationalHiddenDropout(0.5)
    ps, st = pn.setup(0, model)
    x = backend.asarray(np.ones((4, 50), np.float32))
    first, st = model(x, ps, st)
    second, after = model(x, ps, st)
    np.testing.assert_array_equal(*map(backend.to_numpy, (first, second)))
    assert after == st
    third, after = model(x, ps, pn.update_state(st, "update_mask", True))
    assert np.any(backend.to_numpy(third) != backend.to_numpy(first))
    assert set(after) == set(st)
    assert not after["update_mask"]
    fourth, _ = model(x, ps, after)
    np.testing.assert_array_equal(*map(backend.to_numpy, (third, fourth)))
    unchanged, _ = model(x, ps, pn.update_state(pn.test_mode(st), "update_mask", True))
    assert unchanged is x
