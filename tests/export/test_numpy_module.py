"""Functions written as modules that need NumPy alone."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from export.modules import imported, module_of, statements_of

import portanet as pn
from portanet.errors import ArgumentError, BackendMismatchError, ExportError, ShapeError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(5, 4)).astype(np.float32)
MODEL = pn.Chain(pn.Dense(4, 8, pn.gelu), pn.BatchNorm(8), pn.Dense(8, 3))
PS, ST = pn.setup(0, MODEL)
TESTED = pn.test_mode(ST)


def predict(x):
    return MODEL(x, PS, TESTED)[0]


def test_a_module_gives_what_the_model_gives_for_every_size_of_a_batch(tmp_path):
    module = module_of(tmp_path, predict, X)
    for size in (1, 2, 5, 64):
        x = RNG.normal(size=(size, 4)).astype(np.float32)
        found = module.predict(x)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, predict(x), rtol=1e-5, atol=1e-6)


def test_a_module_needs_numpy_alone(tmp_path):
    pn.export.numpy(predict, tmp_path / "made.py", X)
    np.save(tmp_path / "x.npy", X)
    program = (
        "import sys, numpy as np; before = set(sys.modules); import made; "
        "print({m.partition('.')[0] for m in set(sys.modules) - before} - sys.stdlib_module_names);"
        "np.save('y.npy', made.predict(np.load('x.npy')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "{'made'}\n"
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), predict(X), rtol=1e-5, atol=1e-6)


def test_the_text_is_what_a_person_would_write(tmp_path):
    w, b = np.ones((4, 3)), np.arange(3.0)

    def f(x, y):
        return np.tanh(x @ w + b) * (x[:, :3] - 2.0) ** 2, {"last": y[-1:], "sum": np.sum(y)}

    module_of(tmp_path, f, X.astype(float), X)
    assert statements_of(tmp_path) == [
        "if y.shape[0] != x.shape[0]:",
        '    raise ValueError("arguments have one length along axis 0")',
        "v1 = np.tanh(x @ w + b) * (x[:, :3] - 2.0) ** 2",
        "v2 = y[-1:]",
        "v3 = np.sum(y)",
        "return (v1, {'last': v2, 'sum': v3}, )",
    ]


def test_parameters_have_the_names_of_their_places(tmp_path):
    module = module_of(tmp_path, predict, X)
    assert np.array_equal(module.layer_1_weight, PS["layer_1"]["weight"].T)
    assert np.array_equal(module.layer_3_bias, PS["layer_3"]["bias"])


@pytest.mark.parametrize(
    ("function", "statements"),
    [
        (
            lambda x: x.reshape(4 * len(x)),
            ["n = x.shape[0]", "v1 = x.reshape((4 * n,))", "return v1"],
        ),
        (lambda x: x[1:] - x[:-1], ["v1 = x[1:] - x[:-1]", "return v1"]),
        (lambda x: x[: x.shape[0] - 2], ["n = x.shape[0]", "v1 = x[:n - 2]", "return v1"]),
        (
            lambda x: np.concatenate([x, np.zeros_like(x)]),
            [
                "n = x.shape[0]",
                "v1 = np.concatenate((x, np.broadcast_to(c1, (n, 4))), axis=0)",
                "return v1",
            ],
        ),
        (
            lambda x: x * (2 + 3 * np.arange(x.shape[0]))[:, None].astype(np.int32),
            [
                "n = x.shape[0]",
                "v1 = x * (2 + 3 * np.arange(n, dtype=np.int32).reshape((n, 1)))",
                "return v1",
            ],
        ),
    ],
)
def test_lengths_follow_the_size_of_the_batch(tmp_path, function, statements):
    module = module_of(tmp_path, function, X.astype(float))
    assert statements_of(tmp_path) == statements
    x = RNG.normal(size=(9, 4))
    np.testing.assert_array_equal(module.predict(x), function(x))


def test_what_depends_on_the_size_otherwise_is_refused(tmp_path):
    functions = (
        lambda x: x / (1.0 + x.shape[0]),
        lambda x: x[: x.shape[0] // 2],
        lambda x: x if x.shape[0] % 2 else -x,
        lambda x: x * RNG.permutation(x.shape[0])[:, None],
        lambda x: MODEL(pn.array_namespace(x).stack([r for r in x]), PS, TESTED)[0],
    )
    for function in functions:
        with pytest.raises(ArgumentError, match=r"for every size of a batch: .*batch_axis=None"):
            pn.export.numpy(function, tmp_path / "made.py", X)
    assert not list(tmp_path.iterdir())
    module = module_of(tmp_path, functions[0], X, batch_axis=None)
    np.testing.assert_array_equal(module.predict(X), X / 6)
    with pytest.raises(
        ValueError, match=r"x is float32 of shape \(5, 4\): got float32 of \(4, 4\)"
    ):
        module.predict(X[:4])


def test_another_axis_may_be_that_of_the_batch(tmp_path):
    module = module_of(tmp_path, lambda x: np.mean(x, axis=0), X, batch_axis=1)
    np.testing.assert_allclose(module.predict(X[:, :2]), X[:, :2].mean(axis=0), rtol=1e-6)


def test_trees_go_in_and_out(tmp_path):
    def f(batch):
        ids, (a, b) = batch["ids"], batch["pair"]
        rows = pn.array_namespace(ids).take(PS["layer_1"]["weight"], ids % 8, axis=0)
        return {"sum": a + b, "rows": [rows]}

    batch = {"ids": np.arange(3), "pair": (np.ones((3, 2)), np.full((3, 2), 2.0))}
    module = module_of(tmp_path, f, batch)
    found = module.f(batch)
    assert np.array_equal(found["sum"], np.full((3, 2), 3.0))
    assert np.array_equal(found["rows"][0], PS["layer_1"]["weight"][:3])


def test_derivatives_are_exported_like_anything_else(tmp_path):
    def potential(x):
        return np.sum(predict(x) ** 2)

    module = module_of(tmp_path, pn.grad(potential), X)
    step = 1e-3
    towards = RNG.normal(size=X.shape).astype(np.float32)
    expected = (potential(X + step * towards) - potential(X - step * towards)) / (2 * step)
    assert np.sum(module.potential(X) * towards) == pytest.approx(expected, rel=2e-2)


def test_loops_and_branches_become_those_of_python(tmp_path):
    def step(carry, row):
        carry = np.tanh(carry + row)
        return carry, carry[0] * 2.0

    def f(rows, start):
        last, stacked = pn.scan(step, start, rows)
        back, _ = pn.scan(step, last, rows, reverse=True)
        side = pn.cond(np.sum(back) > 0, lambda x: x * 2.0, lambda x: -x, back)
        doubled = pn.while_loop(lambda x: np.sum(x) < 100.0, lambda x: x + x, np.abs(side) + 0.1)
        return last, stacked, side, doubled

    for sign in (1.0, -1.0):
        rows, start = sign * np.abs(RNG.normal(size=(6, 3))), np.zeros(3)
        module = module_of(tmp_path, f, rows, start, batch_axis=None)
        for other in (rows, -rows):
            for x, y in zip(module.f(other, start), f(other, start), strict=True):
                np.testing.assert_allclose(x, y, rtol=1e-14)
    text = "\n".join(statements_of(tmp_path))
    for part in ("for i", "in reversed(range(6)):", "if v", "else:", "while True:", "break"):
        assert part in text


def test_arguments_of_another_shape_or_dtype_are_refused_by_the_module(tmp_path):
    module = module_of(tmp_path, predict, X)
    relation = r"x is float32 of shape \('n', 4\): got "
    with pytest.raises(ValueError, match=relation + r"float64 of \(5, 4\)"):
        module.predict(X.astype(float))
    with pytest.raises(ValueError, match=relation + r"float32 of \(5, 3\)"):
        module.predict(X[:, :3])


def test_arrays_of_another_export_are_refused(tmp_path):
    pn.export.numpy(predict, tmp_path / "made.py", X)
    (tmp_path / "made.py").rename(tmp_path / "kept.py")
    ps = pn.trees.map_leaves(lambda x: x + 1, PS)
    pn.export.numpy(lambda x: MODEL(x, ps, TESTED)[0], tmp_path / "made.py", X)
    (tmp_path / "kept.py").replace(tmp_path / "made.py")
    with pytest.raises(ImportError, match="were not written together"):
        imported(tmp_path / "made.py")


def test_what_is_not_as_the_function_is_not_written(tmp_path):
    calls = []

    def counted(x):
        calls.append(0)
        return x * float(len(calls))

    with pytest.raises(ExportError, match=r"gives other numbers .* off by up to"):
        pn.export.numpy(counted, tmp_path / "made.py", X, batch_axis=None)
    assert not list(tmp_path.iterdir())


def test_bad_arguments(tmp_path):
    path = tmp_path / "made.py"
    for function, examples, options, error, text in (
        (predict, (), {}, ArgumentError, "at least one example"),
        (None, (X,), {}, ArgumentError, "function is callable: got None"),
        (predict, (X.tolist(),), {}, BackendMismatchError, "x.0.0 is"),
        (predict, (X,), {"batch_axis": 2}, ShapeError, r"x has shape \(5, 4\)"),
        (predict, (X,), {"batch_axis": -1}, ArgumentError, "an axis from 0 on: got -1"),
        (lambda x, y: x, (X, X[:3]), {}, ShapeError, r"{'x': 5, 'y': 3}"),
        (lambda x: None, (X,), {}, ArgumentError, "returns arrays"),
        (lambda x: 2.0, (X,), {}, ArgumentError, "returns arrays: the result is 2.0"),
        (lambda x: MODEL(x, PS, TESTED), (X,), {}, ArgumentError, r"lambda x: model\(x, ps, st\)"),
        (pn.StatefulModel(MODEL, PS, TESTED), (X,), {}, ArgumentError, "changes nothing"),
    ):
        with pytest.raises(error, match=text):
            pn.export.numpy(function, path, *examples, **options)
    for bad in (None, 3, X):
        with pytest.raises(ArgumentError, match="path is a text or a path"):
            pn.export.numpy(predict, bad, X)
    for bad in ("made.txt", "made", "1.py"):
        with pytest.raises(ArgumentError, match="a module that can be imported"):
            pn.export.numpy(predict, tmp_path / bad, X)
    assert not list(tmp_path.iterdir())


def test_random_numbers_are_refused(tmp_path):
    dropout = pn.Dropout(0.5)
    _, st = pn.setup(0, dropout)

    def drawn(x, key):
        return x * pn.random.uniform(key, (5, 4), like=x)

    with pytest.raises(ArgumentError, match="test_mode"):
        pn.export.numpy(lambda x: dropout(x, {}, st)[0], tmp_path / "made.py", X)
    assert not list(tmp_path.iterdir())


def test_inputs_and_trees_are_left_as_they_were(tmp_path):
    x, ps = X.copy(), pn.trees.map_leaves(np.copy, PS)
    module = module_of(tmp_path, predict, x)
    module.predict(x)
    assert np.array_equal(x, X)
    for a, b in zip(pn.trees.leaves(ps), pn.trees.leaves(PS), strict=True):
        assert np.array_equal(a, b)


def test_results_are_the_callers(tmp_path):
    module = module_of(tmp_path, lambda x: (x * 1.0, np.arange(3.0)), X, batch_axis=None)
    first = module.predict(X)[1]
    first[:] = 7.0
    np.testing.assert_array_equal(module.predict(X)[1], np.arange(3.0))


def test_names_of_arrays_clash_with_nothing(tmp_path):
    ps = {
        name: np.full(8, float(i)) for i, name in enumerate(("file", "made", "np", "v1", "x", "if"))
    }

    def f(x):
        return x + sum(ps.values())

    module = module_of(tmp_path, f, np.zeros((3, 8)))
    np.testing.assert_array_equal(module.f(np.zeros((2, 8))), np.full((2, 8), 15.0))


@pytest.mark.parametrize(
    "function",
    [
        np.sum, np.mean, np.std, np.var, np.linalg.vector_norm,
        lambda x: pn.array_namespace(x).cumulative_sum(x[:, 0]), lambda x: np.prod(x[0, :]),
    ],
)  # fmt: skip
def test_sixteen_bits_are_added_up_in_thirty_two(tmp_path, function):
    x = (1.0 + RNG.random((3000, 8))).astype(np.float16)
    module = module_of(tmp_path, lambda x: function(x - 1.0), x, batch_axis=None)
    assert module.predict(x).dtype == np.float16
    exact = function(x.astype(float) - 1.0)
    np.testing.assert_allclose(module.predict(x), exact, rtol=1e-3, atol=1e-4)


def test_names_of_parameters_clash_with_nothing(tmp_path):
    def checked(n, v1, np, arrays):
        return (n + v1 * np + arrays).reshape(-1, 2)

    inputs = [RNG.normal(size=(3, 4)) for _ in range(4)]
    module = module_of(tmp_path, lambda *x: checked(*x).reshape(2 * len(x[0]), 2), *inputs)
    np.testing.assert_array_equal(module.predict(*inputs), checked(*inputs))
    module = module_of(tmp_path, checked, *inputs)
    np.testing.assert_array_equal(module.predict(*inputs), checked(*inputs))
    assert "def predict(n_, v1_, np_, arrays_):" in (tmp_path / "made.py").read_text()


def test_long_statements_are_broken_where_python_allows(tmp_path):
    def f(rows):
        def step(carry, x):
            return carry + x, np.where(np.logical_and(carry > 0.123456, x < 0.654321), carry, x - 1)

        _, stacked = pn.scan(step, rows[0] * 0.0, rows)
        return np.concatenate([stacked[i : i + 1] * (1.25 + i) for i in range(8)])

    rows = RNG.normal(size=(8, 3))
    module = module_of(tmp_path, f, rows, batch_axis=None)
    np.testing.assert_allclose(module.f(rows), f(rows), rtol=1e-14)
    assert max(map(len, statements_of(tmp_path))) < 110
