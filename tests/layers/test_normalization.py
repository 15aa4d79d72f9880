"""BatchNorm and LayerNorm."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet import functional
from portanet.errors import DTypeError, HyperparameterError, ParameterTreeError, ShapeError


def draw(*shape, dtype="float64"):
    return np.random.default_rng(len(shape)).normal(2, 3, shape).astype(dtype)


@pytest.fixture
def channels_last_norm():
    """Torch's BatchNorm with the channels in the last axis."""
    torch = pytest.importorskip("torch")

    def make(ps, **options):
        module = torch.nn.BatchNorm1d(len(ps["scale"]), dtype=torch.float64, **options)
        with torch.no_grad():
            module.weight.copy_(torch.asarray(ps["scale"]))
            module.bias.copy_(torch.asarray(ps["bias"]))

        def call(x):
            rows = torch.asarray(x.reshape(-1, x.shape[-1]))
            return module(rows).detach().numpy().reshape(x.shape)

        return module, call

    return make


@pytest.mark.parametrize("shape", [(6, 3), (4, 5, 3), (2, 3, 4, 3)])
def test_batch_norm_is_torchs_over_several_steps(backend, place, channels_last_norm, shape):
    model = pn.BatchNorm(3, epsilon=1e-3, momentum=0.3)
    st = place(pn.setup(0, model, dtype="float64")[1])
    ps = {"scale": np.asarray([1.0, 2.0, -1.0]), "bias": np.asarray([0.0, 1.0, 5.0])}
    module, call = channels_last_norm(ps, eps=1e-3, momentum=0.3)
    for step in range(3):
        x = draw(*shape) + step
        y, st = model(backend.asarray(x), place(ps), st)
        np.testing.assert_allclose(backend.to_numpy(y), call(x), rtol=1e-10, atol=1e-12)
    for name in ("running_mean", "running_var"):
        expected = getattr(module, name).numpy()
        np.testing.assert_allclose(backend.to_numpy(st[name]), expected, rtol=1e-12)
    module.eval()
    x = draw(*shape)
    y, after = model(backend.asarray(x), place(ps), pn.test_mode(st))
    np.testing.assert_allclose(backend.to_numpy(y), call(x), rtol=1e-10, atol=1e-12)
    assert after["running_mean"] is st["running_mean"]


def test_batch_norm_without_affine_or_statistics(backend, place):
    model = pn.BatchNorm(3, affine=False, track_stats=False, epsilon=0.0)
    ps, st = pn.setup(0, model)
    assert (ps, st) == ({}, {"training": True})
    x = draw(50, 3)
    for mode in (pn.train_mode, pn.test_mode):
        y, _ = model(backend.asarray(x), ps, mode(st))
        expected = (x - x.mean(axis=0)) / x.std(axis=0)
        np.testing.assert_allclose(backend.to_numpy(y), expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_outputs_and_statistics_keep_the_dtype(dtype):
    for model in (pn.BatchNorm(3, pn.relu), pn.LayerNorm(3, pn.relu)):
        ps, st = pn.setup(0, model, dtype=dtype)
        y, st = model(draw(5, 3, dtype=dtype), ps, st)
        assert y.dtype == dtype
        assert all(st[k].dtype == dtype for k in st if k.startswith("running"))


def test_the_parameters_of_a_norm_get_their_gradients(backend, place):
    x = draw(5, 3)
    for model in (pn.BatchNorm(3), pn.LayerNorm(3)):
        ps, st = map(place, pn.setup(0, model, dtype="float64"))
        y, _ = model(backend.asarray(x), ps, st)

        def total(ps, model=model, st=st):
            y, _ = model(backend.asarray(x), ps, st)
            return backend.xp.sum(backend.xp.square(y))

        gradient = pn.grad(total)(ps)
        expected = np.sum(2 * backend.to_numpy(y), axis=0)
        np.testing.assert_allclose(
            backend.to_numpy(gradient["bias"]), expected, rtol=1e-9, atol=1e-12
        )


def test_the_gradients_of_batch_norm_are_torchs():
    torch = pytest.importorskip("torch")
    x, scale, bias, u = draw(4, 5, 3), draw(3), draw(3) + 1, draw(4, 5, 3)[::-1].copy()

    def ours(x, scale, bias):
        return functional.batch_norm(x, scale, bias)[0]

    def theirs(x, scale, bias):
        rows = torch.reshape(x, (-1, 3))
        y = torch.nn.functional.batch_norm(rows, None, None, scale, bias, training=True)
        return torch.reshape(y, x.shape)

    _, pullback = pn.vjp(ours, x, scale, bias)
    _, expected = torch.func.vjp(theirs, *map(torch.asarray, (x, scale, bias)))
    for actual, wanted in zip(pullback(u), expected(torch.asarray(u)), strict=True):
        np.testing.assert_allclose(actual, wanted.numpy(), rtol=1e-9, atol=1e-12)


def test_running_statistics_carry_no_derivative(backend, place):
    model = pn.BatchNorm(3)
    ps, st = map(place, pn.setup(0, model, dtype="float64"))

    def total(x):
        _, new = model(x, ps, st)
        return backend.xp.sum(new["running_mean"]) + backend.xp.sum(new["running_var"])

    gradient = pn.grad(total)(backend.asarray(draw(4, 3)))
    assert np.all(backend.to_numpy(gradient) == 0)


@pytest.mark.parametrize(("shape", "axes"), [(3, 1), ((4, 3), 2)])
def test_layer_norm_is_torchs(backend, place, shape, axes):
    torch = pytest.importorskip("torch")
    model = pn.LayerNorm(shape, epsilon=1e-3)
    x = draw(2, 4, 3)
    ps = {"scale": draw(*model.shape), "bias": draw(*model.shape) + 1}
    y, _ = model(backend.asarray(x), place(ps), {})
    expected = torch.nn.functional.layer_norm(
        torch.asarray(x), model.shape, torch.asarray(ps["scale"]), torch.asarray(ps["bias"]), 1e-3
    )
    np.testing.assert_allclose(backend.to_numpy(y), expected.numpy(), rtol=1e-10)


def test_the_gradients_of_layer_norm_are_torchs():
    torch = pytest.importorskip("torch")
    x, scale, bias, u = draw(4, 5), draw(5), draw(5) + 1, draw(5, 4).T.copy()

    def theirs(x, scale, bias):
        return torch.nn.functional.layer_norm(x, (5,), scale, bias)

    _, pullback = pn.vjp(functional.layer_norm, x, scale, bias)
    _, expected = torch.func.vjp(theirs, *map(torch.asarray, (x, scale, bias)))
    for actual, wanted in zip(pullback(u), expected(torch.asarray(u)), strict=True):
        np.testing.assert_allclose(actual, wanted.numpy(), rtol=1e-9, atol=1e-12)


def test_zero_size_batches(backend, place):
    empty = backend.asarray(np.zeros((0, 3), np.float32))
    norm = pn.LayerNorm(3)
    ps, st = map(place, pn.setup(0, norm))
    assert norm(empty, ps, st)[0].shape == (0, 3)
    norm = pn.BatchNorm(3)
    ps, st = map(place, pn.setup(0, norm))
    assert norm(empty, ps, pn.test_mode(st))[0].shape == (0, 3)


def test_one_value_a_channel_is_refused_in_training_only(backend, place):
    model = pn.Chain(pn.BatchNorm(3))
    ps, st = map(place, pn.setup(0, model))
    x = backend.asarray(np.ones((1, 3), np.float32))
    with pytest.raises(ShapeError) as caught:
        model(x, ps, st)
    assert str(caught.value) == (
        "model.layer_1: values a channel >= 2: 1 < 2 for x.shape (1, 3): a variance needs more "
        "than one value; use a larger batch, or pn.test_mode(st)"
    )
    model(x, ps, pn.test_mode(st))


def test_inputs_that_do_not_fit(backend, place):
    model = pn.BatchNorm(3)
    ps, st = map(place, pn.setup(0, model))
    cases = [
        (ShapeError, np.zeros(3, np.float32), "x.ndim >= 2: 1 < 2"),
        (ShapeError, np.zeros((5, 4), np.float32), "x.shape[-1] == features: 4 != 3"),
        (DTypeError, np.zeros((5, 3)), "x.dtype == scale.dtype: float64 != float32: "),
    ]
    for error, x, text in cases:
        with pytest.raises(error) as caught:
            model(backend.asarray(x), ps, st)
        assert str(caught.value).startswith(text)
    with pytest.raises(ParameterTreeError, match="'running_mean' in st: found 'training'"):
        model(backend.asarray(np.zeros((5, 3), np.float32)), ps, {"training": True})
    norm = pn.LayerNorm((4, 3))
    ps, st = map(place, pn.setup(0, norm))
    with pytest.raises(ShapeError) as caught:
        norm(backend.asarray(np.zeros((2, 3, 4), np.float32)), ps, st)
    assert str(caught.value) == "x.shape[-2:] == shape: (2, 3, 4) does not end with (4, 3)"


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: pn.BatchNorm(0), "BatchNorm: features >= 1: got 0"),
        (lambda: pn.BatchNorm(3, epsilon=-1.0), "BatchNorm: epsilon >= 0: got -1.0"),
        (lambda: pn.BatchNorm(3, momentum=1.5), "BatchNorm: 0 <= momentum <= 1: got 1.5"),
        (lambda: pn.BatchNorm(3, affine=None), "BatchNorm: affine is True or False: got None"),
        (lambda: pn.LayerNorm(-1), "LayerNorm: shape[0] >= 1: got -1"),
        (
            lambda: pn.LayerNorm(3, epsilon=float("nan")),
            "LayerNorm: epsilon is a finite number: got nan",
        ),
    ],
)
def test_hyperparameters(make, text):
    with pytest.raises(HyperparameterError) as caught:
        make()
    assert str(caught.value) == text
