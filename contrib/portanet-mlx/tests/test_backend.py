"""MLX as a backend: the kit, the sample of the README, the namespace beside NumPy's."""

from __future__ import annotations

import re
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest

import portanet as pn

X = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
SQUARE = X[:, :3] @ X[:, :3].T + np.eye(3, dtype=np.float32)
NUMBERS = np.asarray([3, 1, 2, 3, 0])


def test_it_is_found_by_its_entry_point():
    assert pn.backends.available()["mlx"] is None
    assert pn.get_device(mx.array(X)) == pn.device("mlx")


def test_the_kit():
    pn.testing.check_backend("mlx")


def test_the_sample_of_the_readme(capsys):
    text = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
    namespace = {}
    exec(block, namespace)
    assert capsys.readouterr().out == "array (128, 1)\n"
    assert float(namespace["loss"]) < 0.05


FUNCTIONS = {
    "argsort": lambda xp, x: xp.argsort(x, axis=1, descending=True),
    "clip": lambda xp, x: xp.clip(x, max=0.5),
    "concat": lambda xp, x: xp.concat([x, x], axis=None),
    "copysign": lambda xp, x: xp.copysign(x, xp.flip(x, axis=0) * 0.0),
    "count_nonzero": lambda xp, x: xp.count_nonzero(x > 0, axis=1),
    "cumulative_sum": lambda xp, x: xp.cumulative_sum(x, axis=1, include_initial=True),
    "cumulative_prod": lambda xp, x: xp.cumulative_prod(x, axis=0),
    "diff": lambda xp, x: xp.diff(x, axis=0, append=x[:1, :]),
    "hypot": lambda xp, x: xp.hypot(x * 1e30, x * 1e30),
    "moveaxis": lambda xp, x: xp.moveaxis(x[None, ...], (0, 1), (-1, 0)),
    "nonzero": lambda xp, x: xp.nonzero(x > 0)[1],
    "roll": lambda xp, x: xp.roll(x, (1, 2), axis=(0, 1)),
    "signbit": lambda xp, x: xp.signbit(x * 0.0),
    "sort": lambda xp, x: xp.sort(x, descending=True),
    "std": lambda xp, x: xp.std(x, axis=(0, 1), correction=1.0, keepdims=True),
    "take_along_axis": lambda xp, x: xp.take_along_axis(x, xp.argsort(x)),
    "vecdot": lambda xp, x: xp.vecdot(x, x, axis=0),
    "linalg.svd": lambda xp, x: xp.linalg.svd(x, full_matrices=False)[1],
    "linalg.trace": lambda xp, x: xp.linalg.trace(x, offset=1),
    "linalg.vector_norm": lambda xp, x: xp.linalg.vector_norm(x, axis=1, ord=3),
    "linalg.matrix_norm": lambda xp, x: xp.linalg.matrix_norm(x),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_those_of_the_standard(name):
    mlx, numpy = (pn.backends.get_backend(b).xp.raw for b in ("mlx", "numpy"))
    found, expected = FUNCTIONS[name](mlx, mx.array(X)), FUNCTIONS[name](numpy, X)
    host = pn.backends.get_backend("mlx").to_numpy(found)
    assert host.dtype == expected.dtype
    np.testing.assert_allclose(host, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["det", "inv", "slogdet", "cholesky", "eigh"])
def test_linear_algebra_is_differentiated(name):
    def loss(xp, x):
        y = getattr(xp.linalg, name)(x)
        return xp.sum((y if name in ("det", "inv", "cholesky") else y[1]) ** 2)

    spaces = [pn.array_namespace(x) for x in (mx.array(SQUARE), SQUARE)]
    found = pn.grad(lambda x: loss(spaces[0], x))(mx.array(SQUARE))
    expected = pn.grad(lambda x: loss(spaces[1], x))(SQUARE.astype(np.float64))
    np.testing.assert_allclose(np.array(found), expected, rtol=1e-3, atol=1e-3)


def test_what_values_decide():
    xp = pn.array_namespace(mx.array(NUMBERS))
    assert sorted(xp.unique_values(mx.array(NUMBERS)).tolist()) == [0, 1, 2, 3]
    assert xp.unique_counts(mx.array(NUMBERS)).counts.tolist() == [1, 1, 1, 2]
    assert xp.searchsorted(mx.array([1, 2]), mx.array(NUMBERS)).tolist() == [2, 0, 1, 2, 0]
    assert xp.isin(mx.array(NUMBERS), mx.array([3])).tolist() == [True, False, False, True, False]


def test_double_precision_is_refused():
    for wide in (np.ones(2), np.ones(2, complex)):
        with pytest.raises(pn.errors.DTypeError, match=r"mlx has no .* convert to"):
            pn.device("mlx")(wide)


def test_bfloat16_comes_back_exactly():
    x = mx.array([1.5, -0.25], mx.bfloat16)
    host = pn.backends.get_backend("mlx").to_numpy(x)
    assert host.dtype == np.float32
    assert host.tolist() == [1.5, -0.25]


def test_operators_with_a_traced_array_on_the_right():
    x = mx.array(X)
    slope = pn.grad(lambda y: mx.array(1.0) * pn.array_namespace(y).sum(x * y - x / y))(x)
    np.testing.assert_allclose(np.array(slope), X + 1 / X, rtol=1e-5)


def test_a_step_is_compiled_by_mlx():
    model = pn.Chain(pn.Dense(4, 8, pn.tanh), pn.Dense(8, 1))
    ps, st = pn.device("mlx")(pn.setup(0, model))
    xp = pn.array_namespace(mx.array(X))

    def slopes(ps, x):
        return pn.grad(lambda ps: xp.mean(model(x, ps, st)[0] ** 2))(ps)

    pn.testing.assert_close(mx.compile(slopes)(ps, mx.array(X)), slopes(ps, mx.array(X)), 1e-5)
