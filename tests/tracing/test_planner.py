"""Memory of replays on NumPy: blocks, joined arrays, donated inputs, lifetimes, stated peaks."""

from __future__ import annotations

import re
import tracemalloc

import numpy as np
import pytest
from tape.test_programs import BINARY, UNARY
from tracing.same import check_jitted, check_same

import portanet as pn
from portanet.tracing.plan import blocks

N = 1 << 18


@pytest.fixture
def small_blocks(monkeypatch):
    """Let even the smallest arrays be worked on in blocks of two rows of four."""
    monkeypatch.setattr(blocks, "_LARGE", 1)
    monkeypatch.setattr(blocks, "_BLOCK", 64)


def random_function(rng):
    """Return a function of two arrays of shape (7, 7): a random program with some of its values."""
    steps = []
    for count in range(2, 2 + rng.integers(6, 20)):
        table = UNARY if rng.random() < 0.6 else BINARY
        recent = rng.integers(max(0, count - 4), count, size=2)
        steps.append((table[rng.choice(sorted(table))], recent[: 1 if table is UNARY else 2]))
    kept = rng.integers(0, 2 + len(steps), size=3)

    def function(x, y):
        xp, values = pn.array_namespace(x), [x, y]
        for call, places in steps:
            values.append(call(xp, *(values[i] for i in places)))
        return values[-1], [values[i] for i in kept]

    return function


def check_random(seed):
    """Without Hypothesis: a program that goes wrong is reported, not minimized for minutes."""
    rng = np.random.default_rng(seed)
    function = random_function(rng)
    jitted = pn.jit(function)
    inputs = [(rng.normal(size=(7, 7)), rng.normal(size=(7, 7))) for _ in range(3)]
    copies = [(x.copy(), y.copy()) for x, y in inputs]
    results = [jitted(*pair) for pair in inputs]
    for result, pair, copy in zip(results, inputs, copies, strict=True):
        check_same(result, function(*copy), rtol=1e-10, atol=1e-10)
        check_same(pair, copy, rtol=0, atol=0)


@pytest.mark.parametrize("seed", range(40))
def test_random_programs(seed):
    check_random(seed)


@pytest.mark.parametrize("seed", range(100, 160))
def test_random_programs_in_blocks(small_blocks, seed):
    check_random(seed)


CHAINS = {
    "one after the other": lambda x: np.tanh(x * 2.0 + 1.0) * x - np.sin(x),
    "a row and a column": lambda x: (x + x[0]) * np.sum(x, axis=1, keepdims=True) - x[:, :1],
    "reductions of rows": lambda x: np.exp(x - np.max(x, axis=1, keepdims=True)) * 2.0,
    "softmax": lambda x: pn.softmax(x * 2.0, axis=1) + 1.0,
    "sums of columns": lambda x: (x * 2.0 + 1.0) / np.sum(np.sin(x) * 3.0, axis=0, keepdims=True),
    "choices": lambda x: np.where(x > 0.0, np.sin(x), x * 2.0) + (x < 0.1).astype(x.dtype),
    "a mirrored view of what is read": lambda x: _mirrored(x + 1.0),
    "a shifted view of what is read": lambda x: _shifted(x + 1.0),
    "a constant": lambda x: (x * 2.0 + np.arange(x.size, dtype=x.dtype).reshape(x.shape)) * x,
    "several results": lambda x: (x * 2.0, x * 2.0 + 1.0, np.sin(x * 2.0 + 1.0)),
    "a view of a result": lambda x: ((y := x * 2.0 + 1.0) * 3.0, y[1:], y.T),
    "numbers between": lambda x: (x * 2.0 + 1.0) * np.sum(x) + (x - 3.0),
}


def _mirrored(y):
    mirrored = np.flip(y, axis=0)
    return (y * 2.0 + mirrored) * 3.0 - mirrored


def _shifted(y):
    shifted = pn.array_namespace(y).roll(y, 3, axis=0)
    return np.sin(y) * shifted + y


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
@pytest.mark.parametrize("shape", [(7, 4), (2, 3), (64, 1)])
def test_chains_in_blocks(small_blocks, chain, shape):
    x = np.random.default_rng(0).normal(size=shape)
    jitted = check_jitted(chain, x)
    if shape == (7, 4):
        assert "for k" in jitted.source(x)


def test_what_lies_between_takes_a_block():
    def chain(x):
        y = np.tanh(x * 2.0 + 1.0) * x - np.sin(x)
        return y * np.exp(-y * y) + 1.0

    x = np.linspace(-1.0, 1.0, N)
    jitted = check_jitted(chain, x)
    assert jitted.cache_info().kept_bytes <= 4 * 8 * 32768
    assert jitted(x).ctypes.data % 64 == 0


def test_large_gradients_are_made_where_they_are_joined():
    def function(x, w):
        parts = [np.reshape(w.T @ x, (-1,)), np.sum(x, axis=0), np.reshape(x.T @ w, (-1,))]
        return np.concatenate(parts) * 2.0

    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(8, 5)), rng.normal(size=(8, 3))
    jitted = check_jitted(function, x, w)
    assert "concatenate" not in jitted.source(x, w)
    check_jitted(lambda x, w: (function(x, w), (y := w.T @ x), np.concatenate([y, y, x])), x, w)
    check_jitted(lambda x, w: np.concatenate([np.concatenate([x + 1.0, x]), x * 2.0]) + 1.0, x, w)


TRANSPOSES = {
    "of a product": lambda x, w: np.permute_dims(x @ w.T, (1, 0)) + 1.0,
    "twice": lambda x, w: (x.T * 2.0).T.T.T + np.ones((8, 1)),
    "of a product that is used": lambda x, w: ((y := x @ w.T), y.T, y.T @ x),
    "of constants": lambda x, w: (np.ones((2, 8)) @ x).T @ np.ones((2, 2)),
    "in a result": lambda x, w: ((x @ w.T).T, x.T.T, w.T),
    "in a gradient": lambda x, w: pn.grad(lambda w: np.sum(np.tanh(x @ w.T)))(w),
    "of more axes": lambda x, w: np.permute_dims(np.stack([x, x]) @ w.T, (0, 2, 1)),
}


@pytest.mark.parametrize("function", TRANSPOSES.values(), ids=TRANSPOSES)
def test_transposes(function):
    rng = np.random.default_rng(0)
    check_jitted(function, rng.normal(size=(8, 5)), rng.normal(size=(3, 5)))


def test_a_gradient_is_made_in_the_order_of_its_parameter():
    x, w = np.ones((8, 5)), np.ones((3, 5))
    jitted = pn.jit(pn.grad(lambda w, x: np.sum(np.tanh(x @ w.T))))
    jitted(w, x)
    assert jitted(w, x).flags.c_contiguous


def test_inputs_that_are_looked_at_often_are_copied():
    def rows(x):
        return sum(np.sin(x[i]) for i in range(6)), x * 2.0

    x = np.linspace(0.0, 1.0, 12).reshape(6, 2)
    jitted = check_jitted(rows, x)
    body = jitted.source(x).split("def replay")[1]
    assert body.count("a0[") == 0
    for layout in (np.asfortranarray(x), x[::-1], np.repeat(x, 2, axis=1)[:, ::2]):
        check_same(jitted(layout), rows(layout))
    seen = check_jitted(lambda x: [x[0], *(np.sin(x[i]) for i in range(6))], x)
    assert np.shares_memory(seen(x)[0], x)


def test_parts_that_are_read_after_the_whole():
    def function(x):
        parts = [x @ x, x.T @ x]
        whole = np.concatenate(parts)
        total = np.sum(whole * whole)
        for _ in range(4):
            x = x @ x + np.sin(x) * total
        return x, parts[0] * 2.0, np.sum(parts[1], axis=0)

    check_jitted(function, np.random.default_rng(0).normal(size=(5, 5)) * 0.1)


def _step(p, m, g):
    s = np.sin(g) * 2.0 + np.cos(g)
    m = m * 0.9 + s * 0.1
    return p - m, m


def _arrays(count):
    rng = np.random.default_rng(0)
    return [rng.normal(size=N) for _ in range(count)]


def test_results_go_into_donated_arrays():
    p, m, g = _arrays(3)
    jitted = pn.jit(_step, donate_argnums=(0, 1))
    for _ in range(3):
        wanted = _step(p.copy(), m.copy(), g)
        q, n = jitted(p, m, g)
        check_same((q, n), wanted)
        first, (p, m) = (p, m), (q, n)
    assert first[0] is p
    assert first[1] is m
    assert "0 new in each call" in jitted.explain(p, m, g)


def test_nothing_is_written_that_is_read_elsewhere():
    p, m, g = _arrays(3)
    jitted = pn.jit(_step, donate_argnums=(0, 1))
    jitted(p, m, g)
    both = p.copy()
    check_same(jitted(p, p, g), _step(both, both, g))
    p, frozen = both.copy(), m.copy()
    frozen.flags.writeable = False
    check_same(jitted(p, frozen, g), _step(both, m, g))
    np.testing.assert_array_equal(frozen, m)
    strided = np.repeat(m, 2)[::2]
    found = jitted(both.copy(), strided, g)
    check_same(found, _step(both, m, g))
    assert all(x.flags.c_contiguous for x in found)
    undonated = pn.jit(_step)
    for _ in range(2):
        undonated(both, m, g)
        np.testing.assert_array_equal(frozen, m)


def test_a_donated_array_that_is_seen_in_a_result_is_not_written():
    p, m, _ = _arrays(3)
    jitted = pn.jit(lambda p, m: (p[:5], p * 2.0 + m), donate_argnums=0)
    wanted = p[:5].copy(), p * 2.0 + m
    for _ in range(2):
        check_same(jitted(p, m), wanted)


PEAKS = {
    "results": lambda x: (np.sin(x), np.cos(x) + 1.0),
    "a result in memory of the program": lambda x: (
        np.concatenate([np.sin(x[: N // 2]) + 1.0, x[N // 2 :]]) * 2.0
    ),
    "calls of their own": lambda x: np.sum(np.sort(np.sort(np.sort(-x) * 2.0) + 1.0)),
    "copies of what is kept": lambda x: ((y := np.sin(x))[:5], y[: N // 2] + 1.0),
}


@pytest.mark.parametrize("function", PEAKS.values(), ids=PEAKS)
def test_the_stated_peak_is_what_a_call_allocates(function):
    x = np.linspace(-1.0, 1.0, N)
    jitted = check_jitted(function, x)
    stated = re.search(r"\((\d+) kept, (\d+) new in each call\)", jitted.explain(x))
    assert stated is not None
    kept, new = map(int, stated.groups())
    assert kept == jitted.cache_info().kept_bytes
    tracemalloc.start()
    try:
        result = jitted(x)
        allocated = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert abs(allocated - new) < 20_000
    del result


def test_a_step_of_training_holds_little():
    """Beside its inputs: the activations, and three results, one of them where gradients were."""
    size, batch = 256, 128
    rng = np.random.default_rng(0)
    vector = rng.normal(size=2 * size * size) / size
    x, y = rng.normal(size=(batch, size)), rng.normal(size=(batch, size))

    def loss(first, second):
        return np.mean((np.tanh(x @ first) @ second - y) ** 2)

    def step(vector, mean, square):
        half = size * size
        weights = (np.reshape(part, (size, size)) for part in (vector[:half], vector[half:]))
        slope = np.concatenate([np.reshape(g, (-1,)) for g in pn.grad(loss, (0, 1))(*weights)])
        mean, square = 0.9 * mean + 0.1 * slope, 0.999 * square + 0.001 * slope * slope
        return vector - 0.001 * mean / (np.sqrt(square) + 1e-8), mean, square

    jitted = check_jitted(step, vector, vector * 0.0, vector * 0.0)
    stated = re.search(r"(\d+) kept, (\d+) new", jitted.explain(vector, vector, vector))
    kept, new = map(int, stated.groups())
    assert new == 3 * vector.nbytes
    assert kept < 5 * x.nbytes


def test_explanation():
    jitted = pn.jit(lambda x: (y := np.sin(x) * 2.0 + 1.0, np.sum(y, axis=0)))
    shown = jitted.explain(np.ones((2, 3), np.float32)).split("program:\n")[1]
    lines = shown.split("operations after")[0].splitlines()
    found = [" ".join(line.split()) for line in lines]
    assert found == [
        "a0 float32 (2, 3) input",
        "v0 = sin(a0) float32 (2, 3) buffer 0 until v1",
        "v1 = multiply(v0, 2.0) float32 (2, 3) buffer 0 until v2",
        "v2 = add(v1, 1.0) float32 (2, 3) result",
        "v3 = sum(v2, axis=0) float32 (3,) result",
        "return v2, v3",
    ]


def test_explanation_of_blocks():
    jitted = pn.jit(_step, donate_argnums=0)
    text = jitted.explain(*_arrays(3))
    assert "in blocks of 32768 of 262144 rows:" in text
    assert re.search(r"v\d+ = sin\(a2\) +float64 \(262144,\) +buffer 0, a block +until v\d", text)
    assert re.search(r"subtract\(a0, v\d+\) +float64 \(262144,\) +result, in a0", text)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
def test_a_factor_of_ones_is_left_out_where_it_changes_nothing(dtype):
    x = np.asarray([1.5, np.inf, -0.0, np.nan], dtype)
    for ones in (np.ones(4, dtype), np.ones((), dtype), np.ones((3, 4), dtype), np.ones(4)):
        run = pn.jit(lambda x, ones=ones: (np.sin(x) * ones, ones * np.exp(x), np.cos(x) / ones))
        with np.errstate(all="ignore"):
            expected = np.sin(x) * ones, ones * np.exp(x), np.cos(x) / ones
            found = run(x)
            left = "multiply" not in run.source(x) and "divide" not in run.source(x)
        for y, wanted in zip(found, expected, strict=True):
            assert (y.dtype, y.shape) == (wanted.dtype, wanted.shape)
            np.testing.assert_array_equal(y, wanted)
        same = expected[0].dtype == x.dtype and expected[0].shape == x.shape
        assert left == (same and dtype != "complex64")


@pytest.mark.parametrize("constant", [np.arange(60_000) % 7.0, np.asarray(0.5)])
def test_constants_beside_a_call_are_cut_into_blocks(constant):
    """Of a function that fills kept memory itself, as `where` does with long masks."""
    x = np.random.default_rng(0).normal(size=(3, 20_000))
    choice = np.broadcast_to(np.resize(constant, constant.shape and x.shape), x.shape).copy()

    def function(x):
        return np.where(x > 0, choice, x * 2.0) + 1.0

    for other in (x, -x):
        np.testing.assert_array_equal(pn.jit(function)(other), function(other))
