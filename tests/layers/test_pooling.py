"""Pooling layers are those of torch, for whatever options."""

from __future__ import annotations

import numpy as np
import pytest
from layers.images import check, draw, few, hypothesis

import portanet as pn
from portanet import functional
from portanet.errors import DTypeError, HyperparameterError, ShapeError

st = hypothesis.strategies


@pytest.fixture
def library(backend):
    if backend.name == "jax":
        pytest.skip("JAX would compile every shape that is drawn")
    return backend


def _native(name, rank, *args, **given):
    torch = pytest.importorskip("torch")
    return lambda x: getattr(torch.nn.functional, f"{name}{rank}d")(x, *args, **given)


def _each(draw, rank, low, high):
    return tuple(draw(st.lists(st.integers(low, high), min_size=rank, max_size=rank)))


@few
@hypothesis.given(
    data=st.data(), rank=st.integers(1, 3), batch=st.integers(1, 2), channels=st.integers(1, 3),
    kind=st.sampled_from(["max", "mean", "bare mean"]), jitted=st.booleans(), ties=st.booleans(),
    dtype=st.sampled_from(["float32", "float64"]), ceil=st.booleans(),
)  # fmt: skip
def test_windows(library, data, rank, batch, channels, kind, jitted, ties, dtype, ceil):
    window, stride = _each(data.draw, rank, 1, 3), _each(data.draw, rank, 1, 3)
    padding = tuple(data.draw(st.integers(0, k // 2)) for k in window)
    x = draw(batch, *_each(data.draw, rank, 5, 7), channels, dtype=dtype)
    x = np.round(x) if ties else x  # of equal entries the first one counts
    if kind == "max":
        dilation = _each(data.draw, rank, 1, 2)
        layer = pn.MaxPool(
            window, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil
        )
        oracle = _native("max_pool", rank, window, stride, padding, dilation, ceil)
    else:
        counted = kind == "mean"
        layer = pn.MeanPool(
            window, stride=stride, padding=padding, ceil_mode=ceil, count_padding=counted
        )
        oracle = _native("avg_pool", rank, window, stride, padding, ceil, counted)
    check(library, layer, x, oracle, jitted)


@few
@hypothesis.given(
    data=st.data(), rank=st.integers(1, 3), kind=st.sampled_from(["max", "mean"]),
    jitted=st.booleans(), ties=st.booleans(),
)  # fmt: skip
def test_bins(library, data, rank, kind, jitted, ties):
    x, size = draw(2, *_each(data.draw, rank, 1, 7), 2), _each(data.draw, rank, 1, 4)
    x = np.round(x) if ties else x
    layer = (pn.AdaptiveMaxPool if kind == "max" else pn.AdaptiveMeanPool)(size)
    check(library, layer, x, _native(f"adaptive_{kind.replace('mean', 'avg')}_pool", rank, size),
          jitted)  # fmt: skip


def test_the_norm_of_a_window_that_reaches_over_the_end(backend):
    x = backend.asarray(np.asarray([3.0, 4.0, 0.0, 0.0, 2.0]).reshape(1, 5, 1))
    y = functional.lp_pool(x, 2, ceil_mode=True)
    assert backend.to_numpy(y)[0, :, 0].tolist() == [5.0, 0.0, 2.0]
    assert functional.lp_pool(x, 2).shape == (1, 2, 1)


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
def test_norms(backend, p):
    pytest.importorskip("torch")
    x = draw(2, 4, 6, 3)
    for layer, window, stride in [
        (pn.LPPool((2, 3), p=p, stride=(1, 2)), (2, 3), (1, 2)),
        (pn.AdaptiveLPPool((2, 3), p=p), 2, 2),
        (pn.GlobalLPPool(p=p), (4, 6), 1),
    ]:
        check(
            backend,
            layer,
            x,
            lambda x, window=window, stride=stride: _norm(x, p, window, stride),
        )


def _norm(x, p, window, stride):
    torch = pytest.importorskip("torch")
    window = (window, window) if isinstance(window, int) else window
    stride = (stride, stride) if isinstance(stride, int) else stride
    parts = x.unfold(2, window[0], stride[0]).unfold(3, window[1], stride[1])
    return torch.linalg.vector_norm(parts, p, dim=(-2, -1))


def test_the_slope_of_a_norm_of_zeros_is_zero(backend):
    x = backend.asarray(np.zeros((1, 4, 1)))
    xp = backend.xp
    for p in (2.0, 3.0):
        slope = pn.grad(lambda x, p=p: xp.sum(functional.lp_pool(x, 2, p=p)))(x)
        np.testing.assert_array_equal(backend.to_numpy(slope), 0)


@pytest.mark.parametrize("kind", ["max", "mean"])
def test_whole_images(backend, kind):
    layer = (pn.GlobalMaxPool if kind == "max" else pn.GlobalMeanPool)()
    name = f"adaptive_{kind.replace('mean', 'avg')}_pool"
    check(backend, layer, np.round(draw(2, 5, 4, 3)), _native(name, 2, 1))
    check(backend, layer, draw(1, 7, 2), _native(name, 1, 1))


def test_pools_of_images_at_full_size(backend):
    """As LeNet has them: the fast ways of each library."""
    x = np.maximum(draw(3, 24, 24, 6), 0)
    check(backend, pn.MaxPool(2), x, _native("max_pool", 2, 2), jitted=True)
    check(backend, pn.MeanPool(2), x, _native("avg_pool", 2, 2), jitted=True)


def test_nan_is_the_largest(backend):
    x = draw(1, 6, 2)
    x[0, 3, 1] = np.nan
    y = backend.to_numpy(functional.max_pool(backend.asarray(x), 2))
    np.testing.assert_array_equal(np.isnan(y[0]), [[False, False], [False, True], [False, False]])


def test_what_is_padded_is_never_the_largest(backend):
    x = backend.asarray(-np.ones((1, 3, 1)))
    y = functional.max_pool(x, 3, stride=1, padding="same")
    np.testing.assert_array_equal(backend.to_numpy(y), -1)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: pn.MaxPool(0), "MaxPool: window >= 1: got 0"),
        (lambda: pn.MaxPool((2, 2), stride=(1,)), "MaxPool: stride has one entry for each of 2"),
        (lambda: pn.MeanPool(2, count_padding=1), "count_padding is True or False"),
        (lambda: pn.LPPool(2, p=0.5), "LPPool: p >= 1: got 0.5"),
        (lambda: pn.AdaptiveMaxPool((1, 0)), r"AdaptiveMaxPool: size\[1\] >= 1: got 0"),
    ],
)
def test_options_outside_their_domain(make, text):
    with pytest.raises(HyperparameterError, match=text):
        make()


def test_input_that_does_not_fit(backend):
    x = backend.asarray(draw(1, 3, 3, 2))
    for error, text, layer in [
        (ShapeError, r"padded x.shape\[2\] >= the window's extent: 3 < 4", pn.MaxPool((2, 4))),
        (ShapeError, "x.ndim == 3: 4 != 3", pn.MeanPool((2,))),
        (HyperparameterError, "padding < the window's extent: 2 >= 2", pn.LPPool(2, padding=2)),
        (ShapeError, "x.ndim == 3: 4 != 3", pn.AdaptiveMeanPool((2,))),
    ]:
        with pytest.raises(error, match=text):
            layer(x, {}, {})
    with pytest.raises(ShapeError, match=r"x.ndim >= 3: 2 < 3"):
        pn.GlobalMaxPool()(backend.asarray(draw(3, 2)), {}, {})
    with pytest.raises(ShapeError, match=r"x.shape\[1\] >= 1: 0 < 1"):
        pn.GlobalMaxPool()(backend.asarray(draw(3, 0, 2)), {}, {})
    with pytest.raises(DTypeError, match=r"x.dtype is floating"):
        pn.MaxPool(2)(backend.asarray(np.ones((1, 4, 1), np.int64)), {}, {})
