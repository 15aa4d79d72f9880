"""Functions of float16 and bfloat16 against PyTorch in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as tf

import portanet as pn
from portanet import functional as F

HALF = torch.tensor(np.random.default_rng(0).normal(size=(4, 64)) * 400).half()
WIDE = HALF.double()
FUNCTIONS = {
    "layer_norm": (F.layer_norm, tf.layer_norm(WIDE, (64,))),
    "rms_norm": (F.rms_norm, tf.rms_norm(WIDE, (64,), eps=1e-5)),
    "group_norm": (lambda x: F.group_norm(x, groups=2), tf.group_norm(WIDE, 2)),
    "batch_norm": (lambda x: F.batch_norm(x)[0], tf.batch_norm(WIDE, None, None, training=True)),
    "instance_norm": (
        lambda x: F.instance_norm(x[:, :, None])[0][..., 0],
        tf.instance_norm(WIDE[:, None, :])[:, 0, :],
    ),
    "cosine_similarity": (lambda x: F.cosine_similarity(x, x), torch.ones(4)),
    "weight_norm": (
        lambda x: F.weight_norm(x, x[:, :1]), WIDE * WIDE[:, :1] / WIDE.norm(dim=1, keepdim=True)
    ),
    "lp_pool": (
        lambda x: F.lp_pool(x[:, :, None], 64)[:, 0, 0], WIDE.norm(dim=1)
    ),
    "mean_pool": (lambda x: F.mean_pool(x[:, :, None], 64)[:, 0, 0], WIDE.mean(1)),
    "vector_norm": (
        lambda x: pn.array_namespace(x).linalg.vector_norm(x, axis=1), WIDE.norm(dim=1)
    ),
    "matrix_norm": (lambda x: pn.array_namespace(x).linalg.matrix_norm(x), WIDE.norm()),
    "std": (lambda x: pn.array_namespace(x).std(x, axis=1), WIDE.std(1, correction=0)),
}  # fmt: skip


@pytest.fixture(params=["float16", "bfloat16"])
def half(request, backend):
    """Return a function that puts a tensor on the library in 16 bits."""
    wide = {"float16": ["array_api_strict"], "bfloat16": ["array_api_strict", "numpy", "cupy"]}
    if backend.name in wide[request.param]:
        pytest.skip(f"{backend.name} has no {request.param}")
    dtype = backend.dtype(request.param)
    return lambda x: backend.xp.astype(backend.asarray(np.asarray(x, np.float32)), dtype)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_squares_and_sums_around_400(half, backend, name):
    function, want = FUNCTIONS[name]
    x = half(HALF.float().numpy())
    got = function(x)
    assert got.dtype == x.dtype
    error = 0.02 if backend.adapter.dtype_name(x.dtype) == "bfloat16" else 0.003
    got = backend.to_numpy(pn.astype(got, "float32"))
    np.testing.assert_allclose(got, want.numpy(), rtol=4 * error, atol=error)


def test_cumulative_sums_do_not_stall(half, backend):
    x, xp = half(np.ones(5000)), backend.xp
    for total in (
        xp.cumulative_sum(x, axis=0),
        xp.cumulative_sum(x, axis=0, include_initial=True),
        pn.jvp(lambda x: xp.cumulative_sum(x, axis=0), (x,), (x,))[1],
        pn.jit(lambda x: xp.cumulative_sum(x, axis=0))(x),
    ):
        assert total.dtype == x.dtype
        np.testing.assert_allclose(float(total[-1]), 5000, rtol=2**-8)


def test_running_statistics_are_kept_in_float32(half, backend):
    x = half(HALF.float().numpy())
    mean, variance = (backend.asarray(np.full(64, n, np.float32)) for n in (1234.567, 1e5))
    y, new_mean, new_variance = F.batch_norm(x, None, None, mean, variance)
    assert y.dtype == x.dtype
    wide = torch.tensor(backend.to_numpy(pn.astype(x, "float32"))).double()
    want = 0.9 * 1234.567 + 0.1 * wide.mean(0), 0.9 * 1e5 + 0.1 * wide.var(0)
    for got, expected in zip((new_mean, new_variance), want, strict=True):
        assert got.dtype == mean.dtype
        np.testing.assert_allclose(backend.to_numpy(got), expected.numpy(), rtol=1e-5)


def test_softmaxes_of_long_columns(half, backend):
    x = half(np.zeros((4096, 3)))
    total = backend.to_numpy(backend.xp.sum(pn.astype(F.softmax(x, axis=0), "float32"), axis=0))
    np.testing.assert_allclose(total, [1.0] * 3, rtol=1e-3)
    for y in (F.logsumexp(x, axis=0), -F.log_softmax(x, axis=0)[0, :]):
        got = backend.to_numpy(pn.astype(y, "float32"))
        np.testing.assert_allclose(got, [np.log(4096)] * 3, rtol=0.01)


def test_means_of_losses_and_regions(half, backend):
    xp = backend.xp
    labels = backend.asarray(np.zeros(40_000, np.int64))
    loss = pn.CrossEntropyLoss(logits=True, ignore_index=-1)
    cases = [
        (loss(half(np.zeros((40_000, 10))), labels), np.log(10)),
        (pn.DiceLoss()(half(np.zeros((1, 300, 300))), half(np.ones((1, 300, 300)))), 1.0),
        (pn.MSELoss()(half(np.full((2, 3), 400.0)), half(np.full((2, 3), 200.0))), 40_000.0),
        (xp.mean(half(np.full((70_000,), 3.0))), 3.0),
    ]
    for got, want in cases:
        np.testing.assert_allclose(float(got), want, rtol=0.01)


def test_the_epsilon_of_a_loss_is_that_of_its_arrays(half, backend):
    p = half(np.zeros((1, 2)))
    value = float(pn.BinaryCrossEntropyLoss()(p, p + 1.0))
    np.testing.assert_allclose(value, -np.log(float(backend.xp.finfo(p.dtype).eps)), rtol=0.01)
    gradient = pn.grad(lambda p: pn.BinaryCrossEntropyLoss()(p, backend.xp.ones_like(p)))(p)
    assert gradient.dtype == p.dtype
    assert np.isfinite(backend.to_numpy(pn.astype(gradient, "float32"))).all()


def test_gradients_are_rounded_once(half, backend):
    x = half(HALF.float().numpy())
    wide = torch.tensor(backend.to_numpy(pn.astype(x, "float32"))).double().requires_grad_()
    weights = torch.linspace(-1, 1, 64).double()
    (tf.layer_norm(wide, (64,)) * weights).sum().backward()
    w = half(weights.numpy())
    gradient = pn.grad(lambda x: backend.xp.sum(F.layer_norm(x) * w))(x)
    assert wide.grad is not None
    got, want = backend.to_numpy(pn.astype(gradient, "float32")), wide.grad.numpy()
    error = float(backend.xp.finfo(x.dtype).eps)
    np.testing.assert_allclose(got, want, rtol=0, atol=8 * error * np.abs(want).max())
