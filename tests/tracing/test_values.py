"""A recorded program computes what its function computes.

Views of results without axes, joins, blocks, powers, promotion, keys, infinities: the fuzzer looks
for others of these kinds.
"""

from __future__ import annotations

import numpy as np
import pytest
from tracing.same import check_jitted, check_same

import portanet as pn
from portanet.functional.kernel import kernel
from portanet.tape.rule import Elementwise
from portanet.tracing.record.host import Varying

Z = np.asarray([1 + 2j, -0.5 + 0.3j, 0.2 - 1j])
H = np.asarray([[1.0, 1j, 0], [-1j, 2, 1], [0, 1, 0.5]])
X = np.asarray([1.0, 2.0, 3.0])
M = np.arange(6.0).reshape(2, 3) + 0.5


def energy(z):
    return np.real(np.vecdot(z, H @ z)) / np.real(np.vecdot(z, z))


def overwritten(look):
    """Let a view of a sum be read after the memory of the sum could have been used again."""

    def function(z):
        seen = look(np.sum(z))
        return np.sin(z) * np.sum(z * z) * seen

    return function


VIEWS = {
    "gradient of an energy": (pn.grad(energy), Z),
    "tangent of an energy": (lambda z: pn.jvp(energy, (z,), (1j * z + 1,))[1], Z),
    "real": (overwritten(np.real), Z),
    "imag": (overwritten(np.imag), Z),
    "all of it": (overwritten(lambda s: s[...]), X),
    "one more axis": (overwritten(lambda s: s[None]), X),
    "reshaped": (overwritten(lambda s: np.reshape(s, (1,))), X),
    "broadcast": (overwritten(lambda s: np.broadcast_to(s, (3,))), X),
    "turned": (overwritten(lambda s: np.reshape(s, (1, 1)).T[0]), X),
    "real of a part": (lambda z: (r := (z * 2)[1:].real, np.sum(z * z) * r), Z),
}


@pytest.mark.parametrize(("function", "x"), VIEWS.values(), ids=VIEWS)
def test_views_of_results(function, x):
    check_jitted(function, x)


JOINS = {
    "gradient of a product": pn.grad(lambda x: np.prod(np.sin(x))),
    "gradient of products": pn.grad(lambda x: np.sum(np.cumprod(np.exp(-x), axis=-1))),
    "flipped": lambda x: np.concatenate([np.flip(np.sin(x)), x]) * 2.0,
    "real parts": lambda x: np.concatenate([np.real(np.exp(1j * x)), x * 2.0]) * 2.0,
    "stacked": lambda x: np.stack([np.flip(x * 2.0), x + 1.0]) * 2.0,
}


@pytest.mark.parametrize("join", JOINS.values(), ids=JOINS)
@pytest.mark.parametrize("x", [X, M], ids=["vector", "matrix"])
def test_joins_of_what_has_no_memory_of_its_own(join, x):
    check_jitted(join, x)


def test_parameters_in_a_complex_array():
    ps = {"re": np.ones((2, 3), np.float32), "im": np.ones((2, 3), np.float32)}

    def loss(model, ps, st, data):
        return np.sum(np.abs(ps["re"] + 1j * ps["im"]) ** 2), st, {}

    ts = pn.training.TrainState(pn.NoOp(), ps, {}, pn.optimizers.SGD(0.1))
    for factor in (1.0, 0.64, 0.64**2):
        value, _, ts = pn.training.train_step(loss, None, ts)
        np.testing.assert_allclose(value, 12.0 * factor, rtol=1e-5)


def test_a_temporary_of_a_block_in_the_memory_of_a_result():
    def function(x):
        u, v = np.concatenate([x[1:], x[:1]]), np.concatenate([x[2:], x[:2]])
        t = np.exp(np.sin(x) * np.cos(x)) + np.sum(u) * np.sum(v)
        return np.sin(np.cos(np.concatenate([t[1:], t[:1]])) + 1.0)

    check_jitted(function, np.linspace(0, 1, 40000), rtol=1e-10)


def test_a_softmax_of_one_axis_is_not_cut_into_blocks():
    x = np.linspace(-1.0, 1.0, 40000)
    check_jitted(lambda x: (pn.gelu(x), pn.softmax(x)), x, rtol=1e-10)
    check_jitted(lambda x: pn.softmax(x * 2.0) + 1.0, x.reshape(200, 200), rtol=1e-10)


INTEGERS = ["int8", "uint8", "int64", "bool", "float16", "float32", "complex64"]
ARITHMETIC = {
    "** 2.0": lambda x: x**2.0,
    "** 2": lambda x: x**2,
    "** 0.5": lambda x: x**0.5,
    "* 2.5": lambda x: x * 2.5,
    "* 1.0": lambda x: x * 1.0,
    "/ 1.0": lambda x: x / 1.0,
    "/ 1": lambda x: x / 1,
    "* 1": lambda x: x * 1,
    "2.5 +": lambda x: 2.5 + x,
    "+ 1": lambda x: x + 1,
    "where": lambda x: np.where(x > 1, x, 1.5),
    "sum": lambda x: np.sum(x, axis=0),
}


@pytest.mark.parametrize("function", ARITHMETIC.values(), ids=ARITHMETIC)
@pytest.mark.parametrize("dtype", INTEGERS)
def test_promotion_is_that_of_numpy(function, dtype):
    with np.errstate(all="ignore"):
        check_jitted(function, np.asarray([20, 3, 0, 1]).astype(dtype), rtol=1e-6)


def test_powers_of_infinities():
    x = np.asarray([-np.inf, np.inf, np.nan, -0.0, 4.0])
    xp = pn.array_namespace(x)
    for function in (
        lambda x: (x**0.5, xp.pow(x, 0.5)),
        lambda x: (x**-1, x**2, x**2.0, x**3),
        lambda x: ((x + 1j) ** 0.5, (x + 1j) ** 2, (x + 1j) * 1.0, (x + 1j) / 1.0),
    ):
        with np.errstate(all="ignore"):
            check_jitted(function, x)


EXTREMES = np.asarray(
    [[-np.inf, np.inf, np.nan, -0.0], [0.0, -1e30, 1e30, -1e-30], [-30.0, 30.0, -800.0, -1.0]]
)


@pytest.mark.parametrize("name", ["float64", "float32", "float16"])
@pytest.mark.parametrize(
    "function",
    [
        pn.silu, pn.sigmoid, pn.gelu, pn.relu, pn.relu6, pn.softplus, pn.mish, pn.elu, pn.tanh,
        pn.hard_swish, pn.softmax, pn.log_softmax, pn.logsumexp, lambda x: np.clip(x, -1.0, 0.0),
        lambda x: np.where(x > 0, x, -x), lambda x: (np.max(x, axis=0), np.min(x), np.mean(x)),
        lambda x: np.sum(x, axis=0), lambda x: (np.maximum(x, 0.0), np.minimum(x, x[0])),
        lambda x: (np.floor(x), np.trunc(x), np.sign(x), np.sqrt(x)),
    ],
)  # fmt: skip
def test_extremes(name, function):
    rtol = {"float64": 1e-12, "float32": 1e-5, "float16": 2e-3}[name]
    with np.errstate(all="ignore"):
        check_jitted(function, EXTREMES.astype(name), rtol=rtol, atol=0)


def test_a_clipped_zero_keeps_its_sign():
    x = np.asarray([-0.0, 0.0, -1.0, 2.0])
    y = pn.jit(lambda x: np.clip(x, 0.0, 1.0))(x)
    assert np.signbit(y).tolist() == [True, False, False, False]


def test_texts_of_the_user_stay_as_they_are():
    def function(x):
        return {"np.sum(x)": np.sum(x), "np.exp(": np.exp(x), "{0}": x, "it's\n": [x * 2.0], "": x}

    check_jitted(function, X)


def test_keys_that_come_in_are_split_in_a_carry(recorder):
    xp, x = recorder.xp, recorder.asarray(X)

    def function(key, x):
        def step(carry, x):
            key, total = carry
            key, own = key.split()
            return (key, total + x * pn.random.normal(own, (), like=x)), total

        return pn.scan(step, (key, xp.sum(x)), x)[0]

    jitted = pn.jit(function)
    for seed in (0, 1, 0):
        check_same(jitted(pn.random.key(seed), x), function(pn.random.key(seed), x))


def test_a_negative_base_with_a_varying_exponent():
    jitted = pn.jit(lambda n, x: x * (-2.0) ** n)
    for n in (2.0, 3.0):
        check_same(jitted(Varying(n), X), X * (-2.0) ** n)


def test_a_varying_number_is_no_array_of_one_element():
    jitted = pn.jit(lambda n, x: pn.grad(lambda x: np.reshape(x, ()) * n)(x))
    for n in (2.0, 3.0):
        check_same(jitted(Varying(n), X[:1]), np.asarray([n]))


def test_kernels_of_the_user_named_like_a_function():
    def make(factor):
        @kernel(rule=Elementwise(lambda xp, d, y, x: d * factor))
        def reciprocal(x):
            return x * factor

        return reciprocal

    double, triple = make(2.0), make(3.0)
    check_jitted(lambda x: (double(x), triple(x), np.reciprocal(x)), X)
    check_jitted(pn.grad(lambda x: np.sum(double(x) * triple(x))), X)


def test_every_call_gives_the_same_bits(replayer):
    def function(x):
        xp = pn.array_namespace(x)
        return pn.grad(lambda x: xp.sum(xp.mean(pn.silu(x @ x.T), axis=0) ** 2))(x), xp.sum(
            x, axis=0
        )

    jitted, rng = pn.jit(function), np.random.default_rng(0)
    first, other = (rng.normal(size=(40, 7)).astype(np.float32) for _ in range(2))
    results = [jitted(replayer.asarray(x)) for x in (first, other, first, first)]
    for result in results[2:]:
        for x, y in zip(result, results[0], strict=True):
            assert replayer.to_numpy(x).tobytes() == replayer.to_numpy(y).tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [3, 5000])
def test_the_shares_of_a_number_in_logaddexp(dtype, size):
    far = np.asarray([-np.inf, np.inf, np.nan, 2.0, 800.0, -800.0], dtype)
    x = np.resize(np.asarray([np.inf, -np.inf, 0.5], dtype), size)

    def slopes(c, x):
        first = pn.grad(lambda c, x: np.sum(np.logaddexp(c, x)), argnums=(0, 1))(c, x)
        return *first, pn.grad(lambda x: np.sum(np.logaddexp(x, 0.25)))(x)

    recorded = pn.jit(slopes)
    with np.errstate(invalid="ignore"):  # the sums themselves have no value
        for c in far:
            for found, expected in zip(recorded(c, x), slopes(c, x), strict=True):
                np.testing.assert_allclose(found, expected, rtol=1e-6)
        for found in recorded(far[3], x)[1:]:
            np.testing.assert_array_equal(found[:2], [1.0, 0.0])
