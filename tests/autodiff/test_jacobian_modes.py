"""The modes of `jacobian`, one run for all directions, chunks, and `batched_jacobian`."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet.errors import ArgumentError, DTypeError, ShapeError

W = np.random.default_rng(5).normal(size=(4, 3))
X = np.linspace(-1.0, 1.0, 3)


def _layer(backend, dtype="float64"):
    w = backend.asarray(W.astype(dtype))
    return (lambda x: backend.xp.tanh(w @ x)), backend.asarray(X.astype(dtype))


def _expected():
    return (1 - np.tanh(W @ X) ** 2)[:, None] * W


@pytest.mark.parametrize("mode", ["auto", "forward", "reverse"])
@pytest.mark.parametrize("chunk_size", [None, 1, 2, 100])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_modes_agree(backend, mode, chunk_size, dtype):
    f, x = _layer(backend, dtype)
    found = pn.jacobian(f, mode=mode, chunk_size=chunk_size)(x)
    assert found.dtype == x.dtype
    expected = _expected()
    precise = dtype == "float64"
    np.testing.assert_allclose(
        backend.to_numpy(found), expected, rtol=1e-12 if precise else 1e-5,
        atol=1e-14 if precise else 1e-6,
    )  # fmt: skip


@pytest.mark.parametrize("mode", ["auto", "forward", "reverse"])
def test_trees_of_inputs_and_outputs(backend, mode):
    xp, x, w = backend.xp, backend.asarray(X), backend.asarray(W)

    def f(p):
        return {"y": xp.tanh(p["w"] @ p["x"]), "s": xp.sum(p["x"] ** 2), "c": xp.ones_like(x)}

    found = pn.jacobian(f, mode=mode)({"w": w, "x": x})
    slope = 1 - np.tanh(W @ X) ** 2
    expected = {
        "y": {"x": _expected(), "w": np.einsum("ij,i,k->ijk", np.eye(4), slope, X)},
        "s": {"x": 2 * X, "w": np.zeros((4, 3))},
        "c": {"x": np.zeros((3, 3)), "w": np.zeros((3, 4, 3))},
    }
    for name, row in expected.items():
        for source, block in row.items():
            actual = backend.to_numpy(found[name][source])
            assert actual.shape == block.shape
            np.testing.assert_allclose(actual, block, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("backend", ["numpy", "array_api_strict"], indirect=True)
def test_the_function_runs_once_for_all_directions(backend):
    f, x = _layer(backend)
    runs = []

    def counted(x):
        runs.append(1)
        return f(x)

    for mode, count in (("reverse", 1), ("forward", 1), ("auto", 2)):
        runs.clear()
        pn.jacobian(counted, mode=mode)(x)
        assert len(runs) == count
    runs.clear()
    pn.jacobian(lambda x: counted(x)[:3])(x)
    assert len(runs) == 1
    runs.clear()
    pn.hessian(lambda x: backend.xp.sum(counted(x)))(x)
    assert len(runs) == 1


def test_output_of_another_dtype(backend):
    xp = backend.xp
    x = backend.asarray(X.astype("float32"))
    for mode in ("forward", "reverse"):
        found = pn.jacobian(lambda x: xp.astype(x, backend.dtype("float64")) ** 2, mode=mode)(x)
        assert found.dtype == backend.dtype("float64")
        np.testing.assert_allclose(backend.to_numpy(found), np.diag(2 * X), rtol=1e-6)


def test_complex(backend):
    z = backend.asarray(X + 1j)
    found = pn.jacobian(lambda z: z * z)(z)
    np.testing.assert_allclose(backend.to_numpy(found), np.diag(2 * (X + 1j)), rtol=1e-12)
    with pytest.raises(DTypeError, match="forward mode only"):
        pn.jacobian(lambda z: z * z, mode="reverse")(z)
    for mode in ("forward", "reverse"):
        with pytest.raises(DTypeError, match="no complex Jacobian"):
            pn.jacobian(backend.xp.abs, mode=mode)(z)


def test_jacobian_of_jacobian(backend):
    f, x = _layer(backend)
    found = pn.jacobian(pn.jacobian(f))(x)
    t = np.tanh(W @ X)
    expected = np.einsum("i,ij,ik->ijk", -2 * t * (1 - t**2), W, W)
    np.testing.assert_allclose(backend.to_numpy(found), expected, rtol=1e-10, atol=1e-13)


def test_gradient_of_jacobian(backend):
    xp = backend.xp
    x = backend.asarray(X)
    for mode in ("forward", "reverse"):
        jac = pn.jacobian(lambda x: x**3, mode=mode)
        found = pn.grad(lambda x, jac=jac: xp.sum(jac(x) ** 2))(x)
        np.testing.assert_allclose(backend.to_numpy(found), 36 * X**3, rtol=1e-12, atol=1e-13)


class TestBatchedJacobian:
    @pytest.mark.parametrize("mode", ["auto", "forward", "reverse"])
    def test_one_a_sample(self, backend, mode):
        xp = backend.xp
        w, x = backend.asarray(W), backend.asarray(np.stack([X, X * 2, X - 1, X * X, X + 0.5]))

        def f(x):
            return xp.reshape(xp.tanh(x @ xp.matrix_transpose(w)), (5, 2, 2))

        found = backend.to_numpy(pn.batched_jacobian(f, mode=mode)(x))
        t = np.tanh(backend.to_numpy(x) @ W.T)
        expected = ((1 - t**2)[..., None] * W).reshape(5, 2, 2, 3)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)

    def test_other_arguments(self, backend):
        x, s = backend.asarray(W), backend.asarray(np.asarray(3.0))
        found = pn.batched_jacobian(lambda s, x: x * s, 1)(s, x)
        np.testing.assert_allclose(backend.to_numpy(found), np.stack([3 * np.eye(3)] * 4))

    def test_empty_batch(self, backend):
        x = backend.asarray(W)[:0, :]
        assert tuple(pn.batched_jacobian(lambda x: x * x)(x).shape) == (0, 3, 3)

    def test_refusals(self, backend):
        x = backend.asarray(W)
        with pytest.raises(ShapeError, match="keeps the first axis"):
            pn.batched_jacobian(lambda x: x[:2, :])(x)
        with pytest.raises(ShapeError, match=r"x\.ndim >= 1"):
            pn.batched_jacobian(lambda x: x)(backend.asarray(np.asarray(1.0)))
        with pytest.raises(ShapeError, match="an array of a batch"):
            pn.batched_jacobian(lambda x: x["a"])({"a": x})


def test_refusals(backend):
    with pytest.raises(ArgumentError, match=r"mode is .* not 'both'"):
        pn.jacobian(lambda x: x, mode="both")
    with pytest.raises(ArgumentError, match="chunk_size is an integer >= 1: got 0"):
        pn.jacobian(lambda x: x, chunk_size=0)
    with pytest.raises(ArgumentError, match="batched_jacobian differentiates a function"):
        pn.batched_jacobian(3)
