"""The CuPy adapter, as far as it goes without a GPU; with one, all of it."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest

import portanet as pn
from portanet.backends import available, get_backend
from portanet.backends.cupy import CuPyBackend
from portanet.errors import BackendNotAvailableError, IndexRangeError

pytestmark = pytest.mark.gpu
REASON = available()["cupy"]
gpu = pytest.mark.skipif(REASON is not None, reason=f"cupy: {REASON}")

# Philox4x32-10 of the authors' own test vectors: counter, key, result.
KNOWN = [
    ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]


def philox(counter, key):
    c, (k0, k1) = list(counter), key
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [p1 >> 32 ^ c[1] ^ k0, p1 & 0xFFFFFFFF, p0 >> 32 ^ c[3] ^ k1, p0 & 0xFFFFFFFF]
        k0, k1 = k0 + 0x9E3779B9 & 0xFFFFFFFF, k1 + 0xBB67AE85 & 0xFFFFFFFF
    return c


@pytest.mark.parametrize(("counter", "key", "result"), KNOWN)
def test_our_host_model_of_the_generator(counter, key, result):
    assert philox(counter, key) == result


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """The device code of the generator, compiled for the host."""
    pytest.importorskip("cupy")
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler on this machine")
    from portanet.backends.cupy.random import PHILOX

    folder = tmp_path_factory.mktemp("philox")
    (folder / "philox.c").write_text("#define __device__\n" + PHILOX)
    target = folder / "philox.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", target, folder / "philox.c"], check=True)
    library = ctypes.CDLL(str(target))
    library.fraction53.restype = ctypes.c_double
    return library


@pytest.mark.parametrize(("counter", "key", "result"), KNOWN)
def test_device_code_against_published_vectors(compiled, counter, key, result):
    words = (ctypes.c_uint32 * 4)(*counter)
    compiled.philox(words, *map(ctypes.c_uint32, key))
    assert list(words) == result


def test_device_code_places_key_and_index(compiled):
    words = (ctypes.c_uint32 * 4)()
    high, low, i = 0x0123456789ABCDEF, 0xFEDCBA9876543210, 5_000_000_000
    compiled.draw(words, *map(ctypes.c_uint64, (high, low, i)))
    split = [(n & 0xFFFFFFFF, n >> 32) for n in (i, low, high)]
    assert list(words) == philox([*split[0], *split[1]], split[2])


def test_fractions_stay_below_one(compiled):
    largest = compiled.fraction53(ctypes.c_uint32(2**32 - 1), ctypes.c_uint32(2**32 - 1))
    assert largest == 1.0 - 2.0**-53
    assert compiled.fraction53(ctypes.c_uint32(0), ctypes.c_uint32(0)) == 0.0


def test_reason_without_cupy_or_gpu(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert CuPyBackend().unavailable_reason() == 'not installed: pip install "cupy-cuda12x"'


@pytest.mark.parametrize("error", [None, RuntimeError("CUDA driver version is insufficient")])
def test_reason_when_cupy_finds_nothing(monkeypatch, error):
    cupy = pytest.importorskip("cupy")

    def is_available():
        if error:
            raise error
        return False

    monkeypatch.setattr(cupy, "is_available", is_available)
    detail = f"RuntimeError: {error}" if error else "no CUDA device was found"
    reason = f"installed but cannot be used: {detail}"
    assert CuPyBackend().unavailable_reason() == reason
    with pytest.raises(BackendNotAvailableError, match="backend 'cupy' is installed but cannot"):
        get_backend("cupy")


def test_reason_of_an_old_release(monkeypatch):
    """Arrays of CuPy 13 have no ``mT``."""
    cupy = pytest.importorskip("cupy")
    old = SimpleNamespace(ndarray=object, is_available=lambda: True, __version__="13.6.0")
    backend = CuPyBackend()
    monkeypatch.setitem(backend.__dict__, "_cupy", old)
    reason = "installed but cannot be used: CuPy 14 or later is needed: 13.6.0"
    assert backend.unavailable_reason() == reason
    assert hasattr(cupy.ndarray, "mT")


def test_namespace_without_a_gpu():
    pytest.importorskip("cupy")
    backend = CuPyBackend()
    assert repr(backend.xp) == "<portanet.tape[cupy]>"
    assert callable(backend.xp.matmul)
    assert backend.dtype_name(backend.dtype("float32")) == "float32"
    assert backend.version()


@pytest.fixture
def adapter():
    return get_backend("cupy")


@pytest.mark.parametrize("dtype", ["float16", "float32", "complex64", "complex128"])
def test_scatter(adapter, dtype):
    g = np.asarray([1, 2, 4, 8], dtype)
    g = g * (1 + 2j) if g.dtype.kind == "c" else g
    rows, places = map(adapter.from_numpy, (np.stack([g, -g]), np.asarray([2, 0, 2, -1])))
    got = adapter.to_numpy(adapter._scatter_take(rows, places, 1, (2, 3)))
    assert got.dtype == dtype
    np.testing.assert_array_equal(got[0], [g[1], 0, g[0] + g[2] + g[3]])
    np.testing.assert_array_equal(got[1], -got[0])


def test_jit_takes_devices_without_a_hash(monkeypatch):
    """Such as those of CuPy."""
    pytest.importorskip("array_api_strict")
    strict = get_backend("array_api_strict")

    class Place:
        __hash__ = None

    monkeypatch.setattr(type(strict), "device_of", lambda self, x: Place())
    monkeypatch.setattr(type(strict), "device_name", lambda self, device: "0")
    jitted = pn.jit(lambda x: x + 1.0)
    x = strict.from_numpy(np.zeros(2))
    for _ in range(2):
        assert strict.to_numpy(jitted(x)).tolist() == [1.0, 1.0]
    assert jitted.cache_info()[:2] == (1, 1)


@pytest.mark.parametrize("bounds", [(-0.5, 1), (None, 0.25), (0.1,), (np.ones((2, 1), "f"), 2)])
def test_clip(adapter, bounds):
    x = np.asarray([-2.0, 0.0, 0.3, 5.0, np.inf, np.nan], np.float32)
    there = [adapter.from_numpy(y) if isinstance(y, np.ndarray) else y for y in (x, *bounds)]
    got = adapter._clip(*there)
    assert got.dtype == "float32"
    np.testing.assert_array_equal(
        adapter.to_numpy(got), np.clip(x, *bounds, *[None][len(bounds) - 1 :])
    )


@pytest.mark.parametrize("shapes", [
    [(3, 3), (3,)], [(2, 3, 3), (3,)], [(3, 3), (2, 3, 4)], [(2, 1, 3, 3), (5, 3, 1)],
])  # fmt: skip
def test_solve_spreads_its_arguments(adapter, shapes):
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=shape) for shape in shapes)
    got = adapter.to_numpy(adapter._solve(*map(adapter.from_numpy, (a, b))))
    np.testing.assert_allclose(got, np.linalg.solve(a, b), rtol=1e-10)


def test_arrays_are_made_on_the_device_asked_for(adapter):
    """Which array_api_compat does not see to."""
    xp, place = adapter.xp, adapter.devices()[-1]
    x = xp.zeros(3, device=place)
    made = [x, xp.zeros_like(x), xp.arange(3, device=place), xp.fft.fftfreq(4, device=place)]
    assert [y.device for y in made] == [place] * 4


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("wait", ["to_numpy", "synchronize"])
def test_an_index_out_of_range_is_told_of_at_the_next_wait(adapter, wait, jit):
    model = pn.Embedding(3, 2)
    ps, st = pn.device("cupy")(pn.setup(0, model))
    good, wrong = map(adapter.from_numpy, (np.asarray([0, 2]), np.asarray([0, 3])))
    run = pn.jit(model) if jit else model
    for _ in range(2):
        y = run(wrong, ps, st)[0]
        with pytest.raises(IndexRangeError, match="x has 3, vocabulary is 3"):
            adapter.to_numpy(y) if wait == "to_numpy" else adapter.synchronize()
        right = adapter.to_numpy(run(good, ps, st)[0])
        np.testing.assert_array_equal(right, adapter.to_numpy(ps["weight"])[[0, 2]])


def test_methods_and_functions_of_numpy_on_traced_arrays(adapter):
    """CuPy's own arrays have them, so that its users write them."""
    x = adapter.from_numpy(np.asarray([[0.5, -1.5], [2.0, 1.0]]))
    for function in (
        lambda x: (x.reshape(-1).astype("float64") ** 2).sum() + x.T.max() * x.mean(),
        lambda x: np.sum(np.exp(x) * x.clip(-1.0, 1.0)),
    ):
        expected = pn.grad(function)(adapter.to_numpy(x))
        for gradient in (pn.grad(function), pn.jit(pn.grad(function))):
            np.testing.assert_allclose(adapter.to_numpy(gradient(x)), expected, rtol=1e-14)


@gpu
class TestOnDevice:
    def test_transfer_and_gradient(self):
        x = pn.device("cupy")(np.array([1.0, 2.0], np.float32))
        assert str(pn.get_device(x)) == "cupy:0"
        gradient = pn.grad(lambda x: (x**3).sum())(x)
        np.testing.assert_allclose(pn.cpu_device()(gradient), [3.0, 12.0], rtol=1e-6)
        assert gradient.dtype == x.dtype

    def test_repeated_rows_add_up(self):
        x = pn.device("cupy")(np.ones((3, 2)))
        xp = pn.array_namespace(x)
        rows = xp.asarray([0, 0, 2])
        gradient = pn.grad(lambda x: xp.take(x, rows, axis=0).sum())(x)
        assert pn.cpu_device()(gradient).tolist() == [[2.0, 2.0], [0.0, 0.0], [1.0, 1.0]]

    def test_shared_memory_with_torch(self):
        torch = pytest.importorskip("torch")
        if not torch.cuda.is_available():
            pytest.skip("torch sees no GPU")
        x = pn.device("cupy")(np.ones(3))
        y = pn.device("torch:cuda:0")(x)
        assert y.data_ptr() == x.data.ptr
        assert pn.device("cupy")(y).data.ptr == x.data.ptr

    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
    def test_fused_kernels(self, dtype):
        def step(x, rate):
            y = pn.tanh(x * 3.0) + pn.sigmoid(x)
            return x - rate * y, y > 0.5

        x = np.linspace(-2, 2, 24).reshape(4, 6)[:, ::2].astype(dtype)
        there, rate = pn.device("cupy")((x, np.asarray([0.1, 0.2, 0.3], dtype)))
        jitted = pn.jit(step)
        expected = step(there, rate)
        for _ in range(3):
            for actual, wanted in zip(jitted(there, rate), expected, strict=True):
                assert actual.dtype == wanted.dtype
                host = pn.cpu_device()((actual, wanted))
                np.testing.assert_allclose(*host, rtol=4 * np.finfo(dtype).eps)
        assert "portanet_" in jitted.explain(there, rate)

    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
    def test_draws(self, dtype):
        like = pn.device("cupy")(np.zeros((), dtype))
        key = pn.random.key(3)
        u = pn.cpu_device()(pn.random.uniform(key, (4, 5000), like=like))
        again = pn.cpu_device()(pn.random.uniform(key, (4, 5000), like=like))
        n = pn.cpu_device()(pn.random.normal(key, (20000,), like=like)).astype(np.float64)
        assert u.dtype == dtype
        assert np.array_equal(u, again)
        assert u.min() >= 0
        assert u.max() < 1
        words = key.words
        bits = [
            philox(
                [i, 0, words[1] & 0xFFFFFFFF, words[1] >> 32],
                [words[0] & 0xFFFFFFFF, words[0] >> 32],
            )[0]
            for i in range(3)
        ]
        np.testing.assert_allclose(u.ravel()[:3], np.array(bits) / 2**32, atol=5e-4)
        assert abs(u.astype(np.float64).mean() - 0.5) < 0.01
        assert abs(n.mean()) < 0.03
        assert abs(n.std() - 1) < 0.03
