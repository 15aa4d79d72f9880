"""The JAX adapter: transfer that keeps the dtype, derivatives at any depth and at kinks, keys."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import portanet as pn
from portanet import functional
from portanet.backends import get_backend, is_array
from portanet.errors import (
    BackendMismatchError,
    DeviceError,
    DTypeError,
    IndexRangeError,
    TracedValueError,
)

jax = pytest.importorskip("jax")
jnp = jax.numpy

X = np.asarray([1.0, 2.0])
V = np.asarray([0.5, -3.0])


@pytest.fixture
def adapter():
    return get_backend("jax")


@pytest.fixture
def narrow():
    """Switch 64-bit numbers off, as they are for users."""
    with jax.enable_x64(False):
        yield


def f(x):
    return (x**3 * jnp.sin(x[0])).sum()


class TestTransfer:
    def test_copies(self):
        host = np.ones(3)
        x = pn.device("jax")(host)
        host[0] = 5.0
        back = pn.cpu_device()(x)
        back[1] = 7.0
        assert x.tolist() == [1.0, 1.0, 1.0]

    @pytest.mark.parametrize(
        ("dtype", "other"),
        [("float64", "float32"), ("int64", "int32"), ("complex128", "complex64")],
    )
    @pytest.mark.usefixtures("narrow")
    def test_64_bits_are_refused_while_they_are_off(self, dtype, other):
        message = (
            f"jax has no {dtype} while its 64-bit numbers are off: switch them on with "
            r'jax\.config\.update\("jax_enable_x64", True\) .* or convert to ' + other
        )
        with pytest.raises(DTypeError, match=message):
            pn.device("jax")({"w": np.ones(2, dtype)})
        assert pn.device("jax")(np.ones(2, other)).dtype == other

    @pytest.mark.usefixtures("narrow")
    def test_astype_says_so_too(self):
        message = "jax has no float64 while .*; it has float16, bfloat16, float32$"
        with pytest.raises(DTypeError, match=message):
            pn.astype(jnp.ones(2), "float64")

    def test_bfloat16_goes_to_torch_and_back(self):
        torch = pytest.importorskip("torch")
        x = torch.tensor([1.0, 3.0, 1 / 3], dtype=torch.bfloat16)
        there = pn.device("jax")(x)
        assert there.dtype == jnp.bfloat16
        back = pn.device("torch")(there)
        assert back.dtype == torch.bfloat16
        assert back.tolist() == x.tolist()
        with pytest.raises(DTypeError, match=r"numpy has no dtype bfloat16: .* pn\.astype"):
            pn.cpu_device()(there)

    def test_devices(self, adapter):
        first = jax.local_devices()[0]
        assert str(pn.device("jax")) == f"jax:{first.platform}:{first.id}"
        assert pn.device("jax:cpu") == pn.device("jax:cpu:0")
        assert adapter.devices()[0] == first
        with pytest.raises(DeviceError, match=r"jax has no device 'cpu:99'; it has \['"):
            pn.device("jax:cpu:99")

    def test_a_foreign_byte_order(self):
        x = pn.device("jax")(np.asarray([1.0, 2.0], ">f4"))
        assert x.dtype == jnp.float32
        assert x.tolist() == [1.0, 2.0]


class TestRecognition:
    def test_what_is_no_array(self):
        assert not is_array(jax.random.key(0))
        assert not is_array(jax.ShapeDtypeStruct((2,), jnp.float32))

    def test_traced_arrays_know_their_device(self):
        here = pn.device("jax:cpu")

        def function(x):
            assert is_array(x)
            assert pn.get_device(x) == here
            return here(x).sum()

        x = here(X)
        assert pn.hvp(function, x, x).tolist() == [0.0, 0.0]
        assert jax.jit(function)(x) == 3.0
        assert jax.vmap(function)(x[None]).tolist() == [3.0]

    def test_a_traced_array_cannot_leave(self):
        x = pn.device("jax")(X)
        present = pn.backends.available()
        others = [n for n in ("numpy", "array_api_strict", "torch") if present[n] is None]
        for target in map(pn.device, others):
            with pytest.raises(TracedValueError, match="jax is tracing cannot become a NumPy"):
                pn.grad(lambda x, target=target: target(x).sum())(x)

    def test_two_libraries(self):
        with pytest.raises(BackendMismatchError, match=r"two libraries .*: jax and numpy"):
            pn.array_namespace(jnp.ones(2), np.ones(2))


class TestDerivatives:
    def test_every_nesting_is_that_of_jax(self):
        x, v = jnp.asarray(X), jnp.asarray(V)

        def squared(derivative):
            return lambda x: (derivative(x) ** 2).sum()

        def close(actual, expected):
            np.testing.assert_allclose(actual, expected, rtol=1e-12)

        close(pn.grad(f)(x), jax.grad(f)(x))
        close(pn.hessian(f)(x), jax.hessian(f)(x))
        close(pn.grad(squared(pn.grad(f)))(x), jax.grad(squared(jax.grad(f)))(x))
        close(jax.grad(squared(pn.grad(f)))(x), jax.grad(squared(jax.grad(f)))(x))
        close(pn.grad(squared(jax.grad(f)))(x), jax.grad(squared(jax.grad(f)))(x))
        close(
            pn.grad(lambda x: pn.jvp(f, (x,), (v,))[1])(x),
            jax.grad(lambda x: jax.jvp(f, (x,), (v,))[1])(x),
        )
        close(jax.jit(pn.grad(f))(x), jax.grad(f)(x))

    def test_outputs_of_every_kind(self):
        x = jnp.asarray(X)

        def function(x):
            return x * 2.0, jnp.argmax(x), x > 1.0, "text", np.ones(2), jax.random.key(0)

        value, pullback = pn.vjp(lambda x: function(x)[:5], x)
        assert value[3] == "text"
        (gradient,) = pullback(value)
        assert gradient.tolist() == [4.0, 8.0]
        _, tangent = pn.jvp(lambda x: function(x)[:3], (x,), (x,))
        assert tangent[0].tolist() == [2.0, 4.0]
        assert tangent[1].tolist() == 0
        assert tangent[1].dtype != jax.dtypes.float0

    def test_nothing_reached_is_an_exact_zero(self):
        x = jnp.asarray(X, jnp.float32)
        first, second = pn.gradient(lambda x, y: y.sum(), x, x)
        assert first.tolist() == [0.0, 0.0]
        assert first.dtype == second.dtype == jnp.float32
        _, pullback = pn.vjp(lambda x: jnp.argmax(x), x)
        assert pullback(jnp.argmax(x))[0].tolist() == [0.0, 0.0]

    def test_complex_gradients_descend(self):
        gradient = pn.grad(lambda z: jnp.abs(z) ** 2)(jnp.asarray(1.0 + 2.0j))
        np.testing.assert_allclose(gradient, 2.0 + 4.0j, rtol=1e-15)

    @pytest.mark.parametrize(
        ("name", "values", "slopes"),
        [
            ("abs", [0.0, -1.0], [0.0, -1.0]),
            ("linalg.vector_norm", [0.0, 0.0], [0.0, 0.0]),
            ("std", [1.0, 1.0], [0.0, 0.0]),
            ("clip", [0.0, 1.0], [1.0, 1.0]),
        ],
    )
    def test_kinks_have_the_slopes_of_numpy(self, adapter, name, values, slopes):
        options = {"min": 0.0, "max": 1.0} if name == "clip" else {}
        for library in (adapter, get_backend("numpy")):
            function = library.xp
            for part in name.split("."):
                function = getattr(function, part)
            x = library.from_numpy(np.asarray(values))
            total = pn.grad(lambda x, xp=library.xp, g=function: xp.sum(g(x, **options)))
            assert total(x).tolist() == slopes
            if library is adapter:
                assert jax.jit(total)(x).tolist() == slopes

    def test_a_rule_of_portanet_holds_inside_jit(self):
        steep = jax.jit(pn.grad(lambda x: functional.softsign(x).sum()))
        assert steep(jnp.asarray([0.0, 1e300])).tolist() == [1.0, 0.0]


class TestCustomRules:
    @pytest.fixture
    def cube(self):
        @pn.custom_vjp
        def cube(x):
            return x**3

        def backward(x, g):
            return (3.0 * g * x**2,)

        cube.defvjp(lambda x: (cube(x), x), backward)
        return cube

    def test_both_modes_in_every_nesting(self, cube):
        pn.testing.check_rule(cube, X, backends=["jax"])
        x, v = jnp.asarray(X), jnp.asarray(V)
        mixed = pn.grad(lambda x: pn.jvp(lambda y: (x * cube(x * y)).sum(), (x,), (v,))[1])(x)
        plain = pn.grad(lambda x: pn.jvp(lambda y: (x * (x * y) ** 3).sum(), (x,), (v,))[1])(x)
        np.testing.assert_allclose(mixed, plain, rtol=1e-12)
        np.testing.assert_allclose(jax.jit(jax.grad(lambda x: cube(x).sum()))(x), 3 * X**2)

    def test_a_captured_array_is_refused(self):
        x = jnp.asarray(X)

        def function(x):
            @pn.custom_jvp
            def times(y):
                return x * y

            times.defjvp(lambda primals, tangents: (x * primals[0], x * tangents[0]))
            return times(x).sum()

        with pytest.raises(TracedValueError, match="times: its body or its rule uses an array"):
            pn.grad(function)(x)

    def test_checkpoint(self):
        x = jnp.asarray(X)
        gradient = pn.grad(lambda x: pn.checkpoint(lambda x: jnp.sin(x) ** 2)(x).sum())(x)
        np.testing.assert_allclose(gradient, np.sin(2 * X), rtol=1e-14)


class TestNumbers:
    def test_squares_of_16_bits_do_not_overflow(self, adapter):
        x = jnp.asarray([300.0, -300.0, 300.0, -300.0], jnp.float16)
        assert float(adapter.xp.std(x)) == 300.0
        assert float(adapter.xp.linalg.vector_norm(x)) == 600.0

    def test_bfloat16_widens_exactly(self, adapter):
        host = adapter.to_numpy(jnp.asarray([1.0, 1 / 3], jnp.bfloat16))
        assert host.dtype == np.float32
        assert host.tolist() == [1.0, 0.333984375]

    @pytest.mark.parametrize("kind", [pn.Conv, pn.ConvTranspose])
    def test_convolutions_of_every_shape_are_those_of_numpy(self, kind):
        layer = kind((3, 2), 4, 6, stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2)
        ps, st = pn.setup(0, layer, dtype="float64")
        x = np.random.default_rng(1).normal(size=(2, 6, 5, 4))
        found = layer(*pn.device("jax")((x, ps, st)))[0]
        np.testing.assert_allclose(found, layer(x, ps, st)[0], rtol=1e-12, atol=1e-13)

    @pytest.mark.parametrize("bad", [3, -1])
    def test_an_index_out_of_range_is_refused(self, bad):
        """JAX itself would take the nearest one."""
        with pytest.raises(IndexRangeError, match=f"{bad}"):
            pn.functional.embedding(jnp.asarray([0, bad]), jnp.ones((3, 2)))


class TestKeys:
    def test_a_key_is_a_constant_inside_jit(self):
        key, like = pn.random.key(3), jnp.ones(2)
        eager = pn.random.normal(key, (4,), like=like)
        jitted = jax.jit(lambda x: pn.random.normal(key, (4,), like=x))(like)
        assert eager.tolist() == jitted.tolist()

    @pytest.mark.parametrize("kind", ["uniform", "normal"])
    def test_the_generator_of_accelerators(self, adapter, kind):
        stats = pytest.importorskip("scipy.stats")
        like = jnp.ones(1, jnp.float32)
        draws = [
            adapter._generate(kind, words, (20_000,), like)
            for words in ((1, 2), (2, 1), (1 << 32, 2), (1, 2 << 32))
        ]
        assert all(x.dtype == jnp.float32 for x in draws)
        assert draws[0].tolist() == adapter._generate(kind, (1, 2), (20_000,), like).tolist()
        for x in draws[1:]:
            assert abs(np.corrcoef(draws[0], x)[0, 1]) < 5 / np.sqrt(20_000)
        distribution = {"uniform": "uniform", "normal": "norm"}[kind]
        assert stats.kstest(draws[0], distribution).pvalue > 1e-3


WITHOUT_64_BITS = """
import numpy as np
import portanet as pn

device = pn.device("jax")
x = device(np.linspace(-1, 1, 32, dtype=np.float32)[:, None])
model = pn.Chain(pn.Dense(1, 8, pn.gelu), pn.BatchNorm(8), pn.Dropout(0.1), pn.Dense(8, 1))
ps, st = pn.setup(0, model, device="jax")
ts = pn.training.TrainState(model, ps, st, pn.optimizers.Adam(0.03))
losses = []
for _ in range(20):
    loss, _, ts = pn.training.train_step(pn.MSELoss(), (x, x * x), ts)
    losses.append(float(loss))
assert losses[-1] < losses[0] / 2, losses
assert {str(a.dtype) for a in pn.trees.leaves(ts.parameters)} == {"float32"}
"""


def test_training_without_64_bit_numbers():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT_64_BITS],
        capture_output=True,
        text=True,
        env={**os.environ, "JAX_ENABLE_X64": "0"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
