"""Convolution, its transposes and pooling: values against torch, derivatives by differences."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet import functional
from portanet.errors import HyperparameterError, ShapeError

RNG = np.random.default_rng(11)


def _array(*shape):
    return RNG.normal(size=shape)


CONVOLUTIONS = {
    "1-d": (_array(2, 7, 3), _array(3, 3, 4), {}),
    "1-d strided": (_array(2, 8, 2), _array(3, 2, 2), {"stride": 2, "padding": 1}),
    "1-d dilated": (_array(1, 9, 2), _array(3, 2, 2), {"dilation": 3, "padding": 2}),
    "2-d": (_array(2, 5, 6, 2), _array(3, 2, 2, 3), {"stride": (2, 1), "padding": (1, 0)}),
    "2-d groups": (_array(1, 4, 5, 4), _array(2, 2, 2, 6), {"groups": 2}),
    "depthwise": (_array(1, 4, 4, 3), _array(2, 2, 1, 3), {"groups": 3, "padding": 1}),
    "pointwise": (_array(2, 3, 3, 4), _array(1, 1, 4, 2), {}),
    "3-d": (_array(1, 3, 4, 3, 2), _array(2, 2, 2, 2, 2), {"stride": (1, 2, 1)}),
}  # fmt: skip


def _first(x):
    """Channels first, as torch has them."""
    return np.moveaxis(x, -1, 1).copy()


def _kernel_first(w):
    return np.moveaxis(w, (-1, -2), (0, 1)).copy()


def _torch_function(name, rank):
    torch = pytest.importorskip("torch")
    return torch, getattr(torch.nn.functional, f"{name}{rank}d")


def _check(backend, function, arrays):
    """The gradient, both orders of it, against central differences along one direction."""
    xp = backend.xp

    def loss(*xs):
        y = function(*xs)
        return xp.sum(y * y * y / 3 + y)

    directions = [np.sin(np.arange(2.0, 2.0 + x.size)).reshape(x.shape) for x in arrays]
    gradient = pn.grad(loss, tuple(range(len(arrays))))
    step = 1e-5

    def at(s):
        return [backend.asarray(x + s * v) for x, v in zip(arrays, directions, strict=True)]

    tangents = tuple(map(backend.asarray, directions))
    up, down = (float(backend.to_numpy(loss(*at(s)))) for s in (step, -step))
    expected = pytest.approx((up - down) / (2 * step), rel=1e-6, abs=1e-6)
    parts = map(backend.to_numpy, gradient(*at(0)))
    assert sum(np.sum(g * v) for g, v in zip(parts, directions, strict=True)) == expected
    forward, second = (pn.jvp(f, tuple(at(0)), tangents)[1] for f in (loss, gradient))
    assert float(backend.to_numpy(forward)) == expected
    for s, g, h in zip(second, gradient(*at(step)), gradient(*at(-step)), strict=True):
        difference = (backend.to_numpy(g) - backend.to_numpy(h)) / (2 * step)
        np.testing.assert_allclose(backend.to_numpy(s), difference, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_conv(backend, name):
    x, w, options = CONVOLUTIONS[name]
    torch, native = _torch_function("conv", x.ndim - 2)
    expected = native(torch.asarray(_first(x)), torch.asarray(_kernel_first(w)), **options)
    y = functional.conv(backend.asarray(x), backend.asarray(w), **options)
    np.testing.assert_allclose(
        backend.to_numpy(y), np.moveaxis(expected.numpy(), 1, -1), rtol=1e-12, atol=1e-13
    )
    _check(backend, lambda x, w: functional.conv(x, w, **options), (x, w))


@pytest.mark.parametrize(
    ("x", "w", "options"),
    [
        (_array(2, 4, 3), _array(3, 2, 3), {"stride": 2}),
        (_array(2, 4, 3), _array(3, 2, 3), {"stride": 2, "padding": 1, "output_padding": 1}),
        (_array(1, 3, 4, 4), _array(2, 3, 1, 4), {"stride": (2, 3), "groups": 2}),
        (_array(1, 3, 3, 2), _array(2, 2, 2, 2), {"dilation": 2, "padding": (1, 0)}),
    ],
)
def test_conv_transpose(backend, x, w, options):
    torch, native = _torch_function("conv_transpose", x.ndim - 2)
    expected = native(torch.asarray(_first(x)), torch.asarray(_kernel_first(w)), **options)
    y = functional.conv_transpose(backend.asarray(x), backend.asarray(w), **options)
    np.testing.assert_allclose(
        backend.to_numpy(y), np.moveaxis(expected.numpy(), 1, -1), rtol=1e-12, atol=1e-13
    )
    _check(backend, lambda x, w: functional.conv_transpose(x, w, **options), (x, w))


def test_conv_over_four_axes(backend):
    x, w = _array(1, 3, 2, 3, 2, 1), _array(2, 1, 2, 1, 1, 2)
    patches = np.lib.stride_tricks.sliding_window_view(x[0, ..., 0], w.shape[:4])
    expected = np.tensordot(patches, w[..., 0, :], axes=4)
    y = functional.conv(backend.asarray(x), backend.asarray(w))
    np.testing.assert_allclose(backend.to_numpy(y)[0], expected, rtol=1e-12)
    _check(backend, functional.conv, (x, w))


def test_conv_pads_each_end_and_keeps_the_size(backend):
    x, w = _array(1, 7, 6, 2), _array(4, 3, 2, 3)
    pairs = ((1, 2), (1, 1))
    plain = functional.conv(
        backend.asarray(np.pad(x, ((0, 0), *pairs, (0, 0)))), backend.asarray(w)
    )
    for padding in (pairs, "same"):
        y = functional.conv(backend.asarray(x), backend.asarray(w), padding=padding)
        np.testing.assert_allclose(
            backend.to_numpy(y), backend.to_numpy(plain), rtol=1e-12, atol=1e-13
        )
        assert y.shape == (1, 7, 6, 3)


def test_conv_keeps_float32(backend):
    x, w = (backend.asarray(a.astype(np.float32)) for a in CONVOLUTIONS["2-d"][:2])
    xp = backend.xp
    gradients = pn.grad(lambda x, w: xp.sum(functional.conv(x, w)), (0, 1))(x, w)
    assert [functional.conv(x, w).dtype, *(g.dtype for g in gradients)] == [x.dtype] * 3


@pytest.mark.parametrize(
    ("x", "window", "options"),
    [
        (_array(2, 6, 3), 2, {}),
        (_array(2, 7, 3), 3, {"stride": 2, "padding": 1}),
        (_array(1, 5, 6, 2), (2, 3), {"stride": (1, 2)}),
        (_array(1, 4, 4, 4, 1), 2, {"padding": 1}),
    ],
)
def test_pools(backend, x, window, options):
    rank = x.ndim - 2
    for name, own, extra in (
        ("max_pool", functional.max_pool, {}),
        ("avg_pool", functional.mean_pool, {}),
        ("avg_pool", functional.mean_pool, {"count_padding": False}),
    ):
        torch, native = _torch_function(name, rank)
        theirs = {"count_include_pad": False} if extra else {}
        expected = native(torch.asarray(_first(x)), window, **options, **theirs).numpy()
        y = own(backend.asarray(x), window, **options, **extra)
        np.testing.assert_allclose(
            backend.to_numpy(y), np.moveaxis(expected, 1, -1), rtol=1e-13, atol=1e-15
        )
        _check(backend, lambda x, own=own, extra=extra: own(x, window, **options, **extra), (x,))


def test_dilated_max_pool(backend):
    x = _array(1, 7, 2)
    torch, native = _torch_function("max_pool", 1)
    expected = native(torch.asarray(_first(x)), 2, stride=1, dilation=3).numpy()
    y = functional.max_pool(backend.asarray(x), 2, stride=1, dilation=3)
    np.testing.assert_array_equal(backend.to_numpy(y), np.moveaxis(expected, 1, -1))


def test_max_pool_gives_the_first_of_equal_entries_the_derivative(backend):
    x = backend.asarray(np.ones((1, 4, 1)))
    xp = backend.xp
    gradient = pn.grad(lambda x: xp.sum(functional.max_pool(x, 2)))(x)
    np.testing.assert_array_equal(backend.to_numpy(gradient)[0, :, 0], [1.0, 0.0, 1.0, 0.0])


def test_what_does_not_fit_is_refused(backend):
    x, w = backend.asarray(np.ones((1, 5, 4))), backend.asarray(np.ones((3, 2, 4)))
    with pytest.raises(ShapeError, match=r"x.shape\[-1\] == weight.shape\[-2\] \* groups: 4 != 2"):
        functional.conv(x, w)
    with pytest.raises(ShapeError, match=r"padded x.shape\[1\] >= the window's extent: 5 < 9"):
        functional.conv(x, w, groups=2, dilation=4)
    with pytest.raises(ShapeError, match=r"weight.ndim == x.ndim >= 3"):
        functional.conv(x, w[0, ...])
    with pytest.raises(HyperparameterError, match="stride holds integers >= 1: got 0"):
        functional.conv(x, w, groups=2, stride=0)
    with pytest.raises(HyperparameterError, match="'full'"):
        functional.conv(x, w, groups=2, padding="full")
    with pytest.raises(HyperparameterError, match="padding < the window's extent"):
        functional.max_pool(x, 2, padding=2)


def test_means_of_large_windows_keep_their_digits(backend):
    x = np.random.default_rng(0).uniform(0.1, 1.0, size=(1, 6000, 64)).astype(np.float32)
    wanted = np.mean(x, axis=1, dtype=np.float64)[0]
    for shape in ((1, 6000, 64), (1, 60, 100, 64)):
        y = functional.mean_pool(backend.asarray(x.reshape(shape)), shape[1:-1])
        np.testing.assert_allclose(backend.to_numpy(y).reshape(-1), wanted, rtol=6e-7)
