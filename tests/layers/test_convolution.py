"""Conv and ConvTranspose are those of torch, for whatever options."""

from __future__ import annotations

import math

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


@st.composite
def options(draw, rank):
    """Draw what both kinds share, with windows that fit into six entries."""

    def each(low, high):
        return tuple(draw(st.lists(st.integers(low, high), min_size=rank, max_size=rank)))

    window, dilation = each(1, 3), each(1, 2)
    padding = tuple(
        draw(st.integers(0, d * (k - 1))) for d, k in zip(dilation, window, strict=True)
    )
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    multiple = draw(st.integers(1, 2))
    return window, groups, multiple, {
        "stride": each(1, 3),
        "padding": padding,
        "dilation": dilation,
        "groups": groups,
        "use_bias": draw(st.booleans()),
    }  # fmt: skip


def _size(draw, rank):
    return tuple(draw(st.lists(st.integers(5, 8), min_size=rank, max_size=rank)))


def _native(name, rank, given):
    torch = pytest.importorskip("torch")
    given = {k: value for k, value in given.items() if k != "use_bias"}
    return lambda *xs: getattr(torch.nn.functional, f"{name}{rank}d")(*xs, **given)


@few
@hypothesis.given(
    data=st.data(), rank=st.integers(1, 3), batch=st.integers(0, 3), each=st.integers(1, 3),
    dtype=st.sampled_from(["float32", "float64"]), jitted=st.booleans(),
)  # fmt: skip
def test_conv(library, data, rank, batch, each, dtype, jitted):
    window, groups, multiple, given = data.draw(options(rank))
    layer = pn.Conv(window, groups * each, groups * multiple, **given)
    x = draw(batch, *_size(data.draw, rank), groups * each, dtype=dtype)
    check(library, layer, x, _native("conv", rank, given), jitted)


@few
@hypothesis.given(
    data=st.data(), rank=st.integers(1, 3), batch=st.integers(0, 2), each=st.integers(1, 3),
    dtype=st.sampled_from(["float32", "float64"]), jitted=st.booleans(),
)  # fmt: skip
def test_conv_transpose(library, data, rank, batch, each, dtype, jitted):
    window, groups, multiple, given = data.draw(options(rank))
    extra = tuple(data.draw(st.integers(0, s - 1)) for s in given["stride"])
    given |= {"output_padding": extra}
    layer = pn.ConvTranspose(window, groups * each, groups * multiple, **given)
    x = draw(batch, *_size(data.draw, rank), groups * each, dtype=dtype)
    check(library, layer, x, _native("conv_transpose", rank, given), jitted)


@pytest.mark.parametrize("jitted", [False, True])
@pytest.mark.parametrize(
    ("shape", "window", "out", "given"),
    [
        ((2, 28, 28, 1), (5, 5), 6, {}),
        ((2, 12, 12, 6), (5, 5), 16, {"padding": 2}),
        ((2, 9, 16, 3), (3, 3), 4, {"stride": 2}),
        ((2, 24, 2), (4,), 3, {"stride": 3}),
        ((1, 6, 6, 4), (1, 1), 5, {}),
        ((1, 6, 6, 4), (1, 1), 5, {"stride": 2}),
        ((1, 6, 6, 6), (3, 3), 6, {"groups": 6, "padding": 1}),
        ((1, 5, 5, 2), (1, 2), 1, {}),
    ],
)
def test_both_kinds_on_every_library(backend, shape, window, out, given, jitted):
    """Sizes at which NumPy has several windows in a row, or torch a weight of odd strides."""
    rank, channels = len(window), shape[-1]
    check(backend, pn.Conv(window, channels, out, **given), draw(*shape),
          _native("conv", rank, given), jitted)  # fmt: skip
    layer = pn.ConvTranspose(window, channels, out, **given)
    check(backend, layer, draw(*shape), _native("conv_transpose", rank, given), jitted)


@pytest.mark.parametrize("name", ["conv", "conv_transpose"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_nan_stays_where_it_is_seen(backend, name, value):
    """Zeros that are multiplied by it, where several windows share a row, do not spread it."""
    x, w = draw(1, 8, 8, 2), draw(3, 3, 2, 2, seed=1)
    function = getattr(functional, name)
    y = np.array(backend.to_numpy(function(backend.asarray(x), backend.asarray(w))))
    x[0, 3, 3, 0] = value
    spoilt = backend.to_numpy(function(backend.asarray(x), backend.asarray(w)))
    window = slice(1, 4) if name == "conv" else slice(3, 6)
    assert not np.any(np.isfinite(spoilt[0, window, window]))
    y[0, window, window] = spoilt[0, window, window]
    np.testing.assert_allclose(spoilt, y, rtol=1e-12, atol=1e-12)


def test_conv_to_any_order(backend):
    if backend.name == "jax":
        pytest.skip("JAX's own derivatives")
    xp, rng = backend.xp, np.random.default_rng(3)
    x, w, v = (backend.asarray(rng.normal(size=s)) for s in ((2, 8, 2), (3, 2, 2), (2, 8, 2)))

    def third(x, w):
        return xp.sum(functional.conv(x, w, padding="same") ** 3)

    def along(f):
        return lambda x, w: pn.jvp(lambda x: f(x, w), (x,), (v,))[1]

    # The third derivative of a sum of cubes is that of a linear map's cubes.
    actual = along(along(along(third)))(x, w)
    expected = 6 * xp.sum(functional.conv(v, w, padding="same") ** 3)
    np.testing.assert_allclose(backend.to_numpy(actual), backend.to_numpy(expected), rtol=1e-10)
    reverse = pn.grad(lambda x: along(along(third))(x, w))(x)
    np.testing.assert_allclose(
        np.sum(backend.to_numpy(reverse) * backend.to_numpy(v)), backend.to_numpy(actual),
        rtol=1e-10,
    )  # fmt: skip


LAYERS = {
    "conv": lambda x, w: functional.conv(x, w, stride=2, padding=1),
    "conv_transpose": lambda x, w: functional.conv_transpose(x, w, stride=2),
    "max_pool": lambda x, w: functional.max_pool(x * w[0, 0, 0], 2, stride=1),
    "mean_pool": lambda x, w: functional.mean_pool(x * w[0, 0, 0], 2),
    "upsample": lambda x, w: functional.upsample(x * w[0, 0, 0], size=5, mode="linear"),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("axes", [(0, None), (None, 0), (0, 0)])
def test_vmap_is_one_by_one(backend, name, axes):
    """The values, and the slopes of each entry of the batch."""
    xp, function = backend.xp, LAYERS[name]
    arrays = [draw(3, 2, 6, 2), draw(3, 3, 2, 2, seed=1)]
    arrays = [x if axis == 0 else x[0] for x, axis in zip(arrays, axes, strict=True)]

    def both(x, w):
        return function(x, w), pn.grad(lambda x, w: xp.sum(function(x, w) ** 2), (0, 1))(x, w)

    y, slopes = pn.vmap(both, in_axes=axes)(*map(backend.asarray, arrays))
    for i in range(3):
        entry = (x[i] if axis == 0 else x for x, axis in zip(arrays, axes, strict=True))
        wanted, others = both(*map(backend.asarray, entry))
        for a, b in zip((y, *slopes), (wanted, *others), strict=True):
            np.testing.assert_allclose(
                backend.to_numpy(a)[i], backend.to_numpy(b), rtol=1e-11, atol=1e-12
            )


@pytest.mark.parametrize(("window", "stride"), [((3,), 2), ((2,), 3), ((4,), 1)])
def test_same_padding_keeps_the_ratio_of_the_sizes(window, stride):
    x = draw(1, 6, 2)
    down = pn.Conv(window, 2, 3, stride=stride, padding="same")
    up = pn.ConvTranspose(window, 2, 3, stride=stride, padding="same")
    ps, states = pn.setup(0, down, dtype="float64")
    assert down(x, ps, states)[0].shape == (1, -(-6 // stride), 3)
    ps, states = pn.setup(0, up, dtype="float64")
    assert up(x, ps, states)[0].shape == (1, 6 * stride, 3)


@pytest.mark.parametrize(("activation", "gain"), [(pn.identity, 1), (pn.relu, math.sqrt(2))])
@pytest.mark.parametrize("kind", [pn.Conv, pn.ConvTranspose])
def test_default_bounds(kind, activation, gain):
    ps, _ = pn.setup(0, kind((3, 3), 8, 64, activation, groups=2))
    fan_in = 9 * 8 // 2
    bound = gain * math.sqrt(3 / fan_in)
    assert 0.98 * bound < np.max(np.abs(ps["weight"])) <= bound * (1 + 1e-6)
    assert 0.9 / math.sqrt(fan_in) < np.max(np.abs(ps["bias"])) <= 1 / math.sqrt(fan_in)
    assert ps["weight"].dtype == np.float32


def test_the_activation_and_own_initializers():
    layer = pn.Conv((2,), 1, 1, pn.relu, init_weight=pn.initializers.ones(), use_bias=False)
    ps, states = pn.setup(0, layer)
    x = np.asarray([1, -2, 4], np.float32).reshape(1, 3, 1)
    np.testing.assert_array_equal(layer(x, ps, states)[0][0, :, 0], [0, 2])


@pytest.mark.parametrize("kind", [pn.Conv, pn.ConvTranspose])
def test_the_channels_follow_from_the_input(kind):
    x = draw(2, 5, 4, dtype="float32")
    ps, states = pn.setup(0, kind((3,), None, 6, groups=2), x)
    expected, _ = pn.setup(0, kind((3,), 4, 6, groups=2))
    assert ps["weight"].shape == expected["weight"].shape
    y, _ = kind((3,), None, 6, groups=2)(x, ps, states)
    np.testing.assert_array_equal(y, kind((3,), 4, 6, groups=2)(x, ps, states)[0])


def test_the_summary_counts_the_products_of_every_window():
    model = pn.Chain(pn.Conv((5, 5), 1, 6), pn.Conv((1, 1), 6, 2))
    total = pn.summary(model, np.zeros((3, 28, 28, 1), np.float32)).total
    assert total.multiply_adds == 3 * 24 * 24 * (25 * 6 + 6 * 2)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: pn.Conv((), 1, 1), "Conv: window has at least one size"),
        (lambda: pn.Conv((3, 0), 1, 1), r"Conv: window\[1\] >= 1: got 0"),
        (lambda: pn.Conv((3, 3), 1, 1, stride=(1, 2, 3)), "stride has one entry for each of 2"),
        (lambda: pn.Conv((3,), 1, 1, padding="full"), "padding is \"same\", \"valid\" or numbers"),
        (lambda: pn.Conv((3,), 1, 1, padding=((1, 2), (1, 2))), "each of 1 axes"),
        (lambda: pn.Conv((3,), 1, 1, padding=(-1,)), "padding >= 0"),
        (lambda: pn.Conv((3,), 3, 4, groups=2), "in_channels % groups == 0, where groups is 2"),
        (lambda: pn.Conv((3,), 4, 3, groups=2), "out_channels % groups == 0, where groups is 2"),
        (lambda: pn.ConvTranspose((3,), 4, 3, output_padding=-1), "output_padding >= 0"),
    ],
)  # fmt: skip
def test_options_outside_their_domain(make, text):
    with pytest.raises(HyperparameterError, match=text):
        make()


def test_input_that_does_not_fit(backend, place):
    layer = pn.Conv((5, 3), 2, 3)
    ps, states = pn.setup(0, layer)
    ps = place(ps)
    for error, text, x in [
        (ShapeError, r"padded x.shape\[1\] >= the window's extent: 4 < 5", draw(1, 4, 8, 2)),
        (ShapeError, r"x.ndim == 4: 3 != 4", draw(1, 8, 2)),
        (ShapeError, r"x.shape\[-1\] == in_channels: 3 != 2", draw(1, 8, 8, 3)),
    ]:
        with pytest.raises(error, match=text):
            layer(backend.asarray(x.astype("float32")), ps, states)
    with pytest.raises(DTypeError, match="float64 != float32"):
        layer(backend.asarray(draw(1, 8, 8, 2)), ps, states)
    x, w = backend.asarray(draw(1, 1, 2)), backend.asarray(draw(2, 1, 2))
    with pytest.raises(ShapeError, match=r"y.shape\[1\] >= 1: 0 of x.shape\[1\] = 1"):
        functional.conv_transpose(x, w, padding=1)
    with pytest.raises(ShapeError, match=r"bias.shape == \(out,\): \(2,\) != \(1,\)"):
        functional.conv_transpose(x, w, backend.asarray(draw(2)))
    with pytest.raises(HyperparameterError, match="output_padding < stride: got 2"):
        functional.conv_transpose(x, w, stride=2, output_padding=2)
    with pytest.raises(HyperparameterError, match="groups is an integer >= 1: got 0"):
        functional.conv(x, w, groups=0)
