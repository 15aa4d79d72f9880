"""Upsample, PixelShuffle and the padding layers are those of torch."""

from __future__ import annotations

import numpy as np
import pytest
from layers.images import check, draw, few, hypothesis

import portanet as pn
from portanet import functional
from portanet.errors import HyperparameterError, ShapeError

st = hypothesis.strategies
MODES = {"nearest": (1, 2, 3), "linear": (1,), "bilinear": (2,), "trilinear": (3,), "bicubic": (2,)}


@pytest.fixture
def library(backend):
    if backend.name == "jax":
        pytest.skip("JAX would compile every shape that is drawn")
    return backend


def _interpolate(mode, aligned, **given):
    torch = pytest.importorskip("torch")
    aligned = None if mode == "nearest" else aligned
    return lambda x: torch.nn.functional.interpolate(x, mode=mode, align_corners=aligned, **given)


def _each(draw, rank, numbers):
    return tuple(draw(st.lists(numbers, min_size=rank, max_size=rank)))


@few
@hypothesis.given(
    data=st.data(), mode=st.sampled_from(list(MODES)), aligned=st.booleans(), jitted=st.booleans(),
    by_scale=st.booleans(),
)  # fmt: skip
def test_upsample(library, data, mode, aligned, jitted, by_scale):
    rank = data.draw(st.sampled_from(MODES[mode]))
    aligned = aligned and mode != "nearest"
    x = draw(2, *_each(data.draw, rank, st.integers(2, 5)), 2)
    if by_scale:
        scale = _each(data.draw, rank, st.sampled_from([0.5, 1.0, 1.5, 2.0, 3.0]))
        given = {"scale_factor": scale}
        layer = pn.Upsample(scale, mode=mode, align_corners=aligned)
    else:
        given = {"size": _each(data.draw, rank, st.integers(1, 8))}
        layer = pn.Upsample(size=given["size"], mode=mode, align_corners=aligned)
    check(library, layer, x, _interpolate(mode, aligned, **given), jitted)


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("jitted", [False, True])
def test_upsample_on_every_library(backend, mode, jitted):
    x = draw(1, 3, 4, 2)
    check(backend, pn.Upsample(2, mode=mode), x, _interpolate(mode, False, scale_factor=2), jitted)


def test_aligned_corners_keep_them(backend):
    """Here Lux's layer ignores its option."""
    x = draw(1, 3, 4, 1)
    for aligned in (False, True):
        layer = pn.Upsample(size=(5, 7), mode="bilinear", align_corners=aligned)
        y = backend.to_numpy(layer(backend.asarray(x), {}, {})[0])
        np.testing.assert_allclose(y[:, ::2, ::2] if aligned else x, x, rtol=1e-12)
        assert np.allclose(y[:, ::2, ::2], x) == aligned


def test_nan_stays_between_its_neighbours(backend):
    x = draw(1, 5, 1)
    x[0, 2, 0] = np.nan
    y = functional.upsample(backend.asarray(x), scale=2, mode="linear")
    found = np.isnan(backend.to_numpy(y)[0, :, 0])
    np.testing.assert_array_equal(np.flatnonzero(found), [3, 4, 5, 6])


@pytest.mark.parametrize("jitted", [False, True])
def test_pixel_shuffle(backend, jitted):
    torch = pytest.importorskip("torch")
    native = torch.nn.functional
    check(backend, pn.PixelShuffle(2), draw(2, 3, 2, 12), lambda x: native.pixel_shuffle(x, 2),
          jitted)  # fmt: skip
    check(backend, pn.PixelUnshuffle(3), draw(2, 3, 6, 2), lambda x: native.pixel_unshuffle(x, 3),
          jitted)  # fmt: skip


@pytest.mark.parametrize("factor", [2, (3,), (2, 3), (1, 2, 2)])
def test_pixel_unshuffle_is_the_inverse(backend, factor):
    rank = 2 if isinstance(factor, int) else len(factor)
    x = backend.asarray(draw(2, *(6,) * rank, 2))
    back = functional.pixel_shuffle(functional.pixel_unshuffle(x, factor), factor)
    np.testing.assert_array_equal(backend.to_numpy(back), backend.to_numpy(x))


PADS = {
    "constant": lambda widths: pn.ConstantPad(widths, value=2.5),
    "zero": pn.ZeroPad,
    "reflect": pn.ReflectionPad,
    "replicate": pn.ReplicationPad,
    "circular": pn.CircularPad,
}


@few
@hypothesis.given(
    data=st.data(), rank=st.integers(1, 3), kind=st.sampled_from(list(PADS)), jitted=st.booleans()
)
def test_padding(library, data, rank, kind, jitted):
    torch = pytest.importorskip("torch")
    widths = _each(data.draw, rank, st.tuples(st.integers(0, 2), st.integers(0, 2)))
    x = draw(2, *_each(data.draw, rank, st.integers(3, 5)), 2)
    flat = [n for pair in reversed(widths) for n in pair]
    mode = {"zero": "constant"}.get(kind, kind)
    value = {"constant": 2.5, "zero": 0.0}.get(kind)
    oracle = lambda x: torch.nn.functional.pad(x, flat, mode, value)  # noqa: E731
    check(library, PADS[kind](widths), x, oracle, jitted)


@pytest.mark.parametrize("widths", [1, (1, 2), ((1, 0), (0, 2))])
def test_symmetric_padding_is_numpys(backend, widths):
    x = draw(3, 4)
    y = functional.pad(backend.asarray(x), widths, "symmetric")
    np.testing.assert_array_equal(backend.to_numpy(y), np.pad(x, widths, "symmetric"))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: pn.Upsample(), "exactly one of scale and size is given"),
        (lambda: pn.Upsample(2, size=3), "exactly one of scale and size is given"),
        (lambda: pn.Upsample(2, align_corners=True), "align_corners is for modes that interpolate"),
        (lambda: pn.Upsample(2, mode="cubic"), "mode is one of 'nearest', 'linear'"),
        (lambda: pn.Upsample((2, 0.0)), "0 < scale < inf"),
        (lambda: pn.Upsample((2, 2, 2), mode="bilinear"), "scale has one entry for each of 2 axes"),
        (lambda: pn.Upsample(size=(2,), mode="bilinear"), "size has one entry for each of 2 axes"),
        (lambda: pn.PixelShuffle(0), "PixelShuffle: factor >= 1: got 0"),
        (lambda: pn.ZeroPad(-1), "ZeroPad: padding >= 0: got -1"),
        (lambda: pn.ZeroPad("same"), "ZeroPad: padding is numbers: got 'same'"),
        (lambda: pn.CircularPad(((1, 2, 3),)), "padding is a number, or one or a pair"),
    ],
)
def test_options_outside_their_domain(make, text):
    with pytest.raises(HyperparameterError, match=text):
        make()


def test_input_that_does_not_fit(backend):
    x = backend.asarray(draw(1, 3, 3, 2))
    for text, layer in [
        ("x.ndim == 3 for mode 'linear': x.ndim is 4", pn.Upsample(2, mode="linear")),
        ("x.ndim == 3: 4 != 3", pn.Upsample((2,))),
        (r"x.shape\[-1\] % prod\(factor\) == 0: 2 % 4 != 0", pn.PixelShuffle(2)),
        (r"x.shape\[1\] % factor == 0: 3 % 2 != 0", pn.PixelUnshuffle(2)),
        ("x.ndim == 3: 4 != 3", pn.ReflectionPad((1,))),
    ]:
        with pytest.raises(ShapeError, match=text):
            layer(x, {}, {})
    with pytest.raises(HyperparameterError, match=r"x.shape\[1\] \* scale >= 1: 3 \* 0.1 < 1"):
        functional.upsample(x, scale=0.1)
