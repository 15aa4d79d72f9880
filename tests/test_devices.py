"""Devices as values; moving trees; the dtype stays what it is."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pytest

import portanet as pn
from portanet import devices
from portanet.backends import available, get_backend
from portanet.errors import BackendNotAvailableError, DeviceError, DTypeError, TracedValueError
from portanet.interface import every_backend

USABLE = [name for name, reason in available().items() if reason is None]


@pytest.fixture
def strict():
    return pytest.importorskip("array_api_strict")


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


@dataclass(frozen=True)
class Opaque:
    size: int


TREE = {
    "weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "wide": np.ones(2),
    "steps": np.asarray(3),
    "mask": np.asarray([True, False]),
    "scalar": np.float64(2.5),
    "empty": np.zeros((0, 4), np.float32),
    "other": (1, 2.5, True, None, "text", np.tanh, Opaque(3), pn.random.key(1)),
}


class TestDevice:
    def test_is_a_value(self):
        assert pn.device("numpy") == pn.device("numpy:cpu") == pn.cpu_device()
        assert hash(pn.device("numpy")) == hash(pn.cpu_device())
        assert repr(pn.cpu_device()) == 'device("numpy:cpu")'
        assert eval(repr(pn.cpu_device()), {"device": pn.device}) == pn.cpu_device()
        assert str(pn.cpu_device()) == "numpy:cpu"

    @pytest.mark.parametrize(
        ("text", "full"),
        [
            ("array_api_strict", "array_api_strict:cpu_device"),
            ("array_api_strict:device1", "array_api_strict:device1"),
            ("torch", "torch:cpu"),
            ("torch:cpu", "torch:cpu"),
        ],
    )
    def test_texts(self, text, full):
        pytest.importorskip(text.partition(":")[0])
        assert str(pn.device(text)) == full
        assert pn.device(full) == pn.device(text)

    def test_unknown_library(self):
        with pytest.raises(BackendNotAvailableError, match="unknown backend 'lux'; known are"):
            pn.device("lux:0")

    def test_unknown_device(self, torch):
        with pytest.raises(DeviceError, match="numpy has no device 'gpu'; it has \\['cpu'\\]"):
            pn.device("numpy:gpu")
        with pytest.raises(DeviceError, match="torch has no device 'cuda:99'; it has \\['cpu'"):
            pn.device("torch:cuda:99")

    def test_not_a_text(self):
        with pytest.raises(DeviceError, match='a device is named by a text such as "numpy"'):
            pn.device(0)  # pyright: ignore


class TestMoving:
    @pytest.mark.parametrize("name", USABLE)
    def test_there_and_back(self, name):
        device = pn.device(name)
        moved = device(TREE)
        assert pn.get_device(moved) == device
        assert list(moved) == list(TREE)
        assert moved["other"] == TREE["other"]
        back = pn.cpu_device()(moved)
        for key in ("weight", "wide", "steps", "mask", "scalar", "empty"):
            assert back[key].dtype == TREE[key].dtype
            assert back[key].shape == TREE[key].shape
            assert np.array_equal(back[key], TREE[key])

    @pytest.mark.parametrize("name", USABLE)
    def test_what_is_there_stays(self, name):
        device = pn.device(name)
        moved = device(TREE)
        assert device(moved)["weight"] is moved["weight"]

    def test_copies(self, strict, torch):
        for name in ("array_api_strict", "torch"):
            host = np.ones(3)
            x = pn.device(name)(host)
            back = pn.cpu_device()(x)
            host[0] = 5.0
            x[1] = 7.0
            assert pn.cpu_device()(x).tolist() == [1.0, 7.0, 1.0]
            assert back.tolist() == [1.0, 1.0, 1.0]

    def test_read_only_input(self, torch):
        host = np.ones(2)
        host.flags.writeable = False
        assert pn.device("torch")(host).tolist() == [1.0, 1.0]

    def test_between_libraries_and_devices(self, strict, torch):
        x = pn.device("torch")(np.ones(2, np.float32))
        y = pn.device("array_api_strict:device1")(x)
        assert str(pn.get_device(y)) == "array_api_strict:device1"
        z = pn.device("array_api_strict:device2")(y)
        assert str(pn.get_device(z)) == "array_api_strict:device2"
        assert y.dtype == z.dtype == strict.float32

    def test_a_dtype_the_device_lacks(self, strict, torch):
        with pytest.raises(DTypeError, match=r"tree\.a\.1: torch:cpu cannot hold dtype \w+: conv"):
            pn.device("torch")({"a": (1, np.ones(2, np.longdouble))})
        message = 'tree.0: array_api_strict:no_float64 cannot hold dtype float64: .* "float32"'
        if "no_float64" in map(get_backend("array_api_strict").device_name, strict_devices()):
            with pytest.raises(DTypeError, match=message):
                pn.device("array_api_strict:no_float64")([np.ones(2)])

    def test_bfloat16_does_not_turn_into_float32_in_silence(self, torch):
        tree = {"w": torch.ones(2, dtype=torch.bfloat16)}
        message = r'tree\.w: numpy has no dtype bfloat16: .* pn\.astype\(tree, "float32"\)'
        with pytest.raises(DTypeError, match=message):
            pn.cpu_device()(tree)
        assert pn.cpu_device()(pn.astype(tree, "float32"))["w"].tolist() == [1.0, 1.0]

    def test_traced_arrays(self, strict, torch):
        here, there = pn.device("numpy"), pn.device("array_api_strict")

        def function(x, target):
            assert pn.get_device(x) == here
            assert here(x) is x
            return pn.array_namespace(x).sum(target(x))

        assert pn.grad(function)(np.ones(2), here).tolist() == [1.0, 1.0]
        with pytest.raises(TracedValueError, match="cannot change its device: move the inputs"):
            pn.grad(function)(np.ones(2), there)
        with pytest.raises(TracedValueError, match="cannot become a NumPy array"):
            pn.grad(lambda x: here(x).sum())(torch.ones(2))


def strict_devices():
    return get_backend("array_api_strict").devices()


class TestGetDevice:
    def test_no_arrays(self):
        assert pn.get_device({"a": 1, "b": (None, "text")}) is None

    def test_two_devices(self, strict):
        one, two = (pn.device(f"array_api_strict:device{i}")(np.ones(1)) for i in (1, 2))
        message = (
            r"one device for the whole tree: tree\.a on array_api_strict:device1 != "
            r"tree\.b\.0 on array_api_strict:device2"
        )
        with pytest.raises(DeviceError, match=message):
            pn.get_device({"a": one, "n": 1, "b": [two]})

    def test_two_libraries(self, torch):
        with pytest.raises(DeviceError, match=r"tree\.0 on numpy:cpu != tree\.1 on torch:cpu"):
            pn.get_device((np.ones(1), torch.ones(1)))


class _Library:
    """An adapter as far as `gpu_device` asks it."""

    def __init__(self, name, reason=None, gpus=()):
        self.name = name
        self.gpu_order = type(every_backend()[name]).gpu_order
        self.reason = reason
        self.gpus = list(gpus)

    def unavailable_reason(self):
        return self.reason

    def accelerators(self):
        return self.gpus

    def device_name(self, device):
        return device


class TestGpuDevice:
    @pytest.fixture(autouse=True)
    def _no_gpu(self, monkeypatch):
        """Whatever this machine has: torch without a GPU, no CuPy."""
        self.known = {name: _Library(name) for name in ("numpy", "array_api_strict", "torch")}
        self.known["cupy"] = _Library("cupy", "not installed")
        monkeypatch.setattr(devices, "every_backend", lambda: self.known)
        devices._warn_once.cache_clear()

    def test_falls_back_with_one_warning(self):
        message = r"no GPU can be used here, computing on the host with NumPy \(cupy: not installed"
        with pytest.warns(UserWarning, match=message) as record:
            assert pn.gpu_device() == pn.cpu_device()
        assert record[0].filename == __file__
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert pn.gpu_device() == pn.cpu_device()

    def test_force(self):
        message = r"\(cupy: not installed; torch: installed but sees no GPU\)"
        with pytest.raises(BackendNotAvailableError, match=message):
            pn.gpu_device(force=True)
        with pytest.raises(BackendNotAvailableError, match=r"\(numpy: installed but sees no GPU\)"):
            pn.gpu_device(force=True, backend="numpy")

    def test_order(self):
        self.known["torch"] = _Library("torch", gpus=["cuda:0", "cuda:1"])
        assert str(pn.gpu_device()) == "torch:cuda:0"
        self.known["cupy"] = _Library("cupy", gpus=["cuda:0"])
        assert str(pn.gpu_device()) == "cupy:cuda:0"
        assert str(pn.gpu_device(backend="torch")) == "torch:cuda:0"


def test_gpu_device_of_an_unknown_library():
    with pytest.raises(BackendNotAvailableError, match="unknown backend 'lux'"):
        pn.gpu_device(backend="lux")


class TestAstype:
    @pytest.mark.parametrize("name", USABLE)
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_floating_arrays_only(self, name, dtype):
        backend = get_backend(name)
        moved = pn.astype(pn.device(name)(TREE), dtype)
        names = {key: backend.dtype_name(moved[key].dtype) for key in list(TREE)[:-1]}
        assert names == {
            **dict.fromkeys(("weight", "wide", "scalar", "empty"), dtype),
            "steps": "int64",
            "mask": "bool",
        }
        assert moved["other"] == TREE["other"]
        assert pn.get_device(moved) == pn.device(name)

    def test_nothing_to_do(self):
        x = np.ones(2)
        assert pn.astype(x, "float64") is x

    def test_complex_arrays_follow(self, torch):
        z = np.asarray([1 + 2j])
        assert pn.astype(z, "float32").dtype == np.complex64
        assert pn.astype(z, "float16").dtype == np.complex64
        assert pn.astype(torch.from_numpy(z), "bfloat16").dtype == torch.complex64
        assert pn.astype(z, "longdouble").dtype == np.clongdouble

    def test_dtype_objects_of_any_library(self, strict, torch):
        for dtype in (np.float32, np.dtype("float32"), strict.float32, torch.float32):
            assert pn.astype(np.ones(1), dtype).dtype == np.float32
            assert pn.astype(torch.ones(1).double(), dtype).dtype == torch.float32
        assert pn.astype(torch.ones(1), torch.bfloat16).dtype == torch.bfloat16
        assert pn.astype(np.ones(1), np.longdouble).dtype == np.longdouble

    @pytest.mark.parametrize("dtype", ["float33", "int32", "complex64", np.int8, None, 32])
    def test_not_a_real_floating_dtype(self, dtype):
        message = "dtype is one of float16, bfloat16, float32, float64, longdouble: got "
        with pytest.raises(DTypeError, match=message):
            pn.astype(np.ones(1), dtype)

    def test_a_dtype_the_library_lacks(self, strict, torch):
        for x, name, has in (
            (np.ones(1), "bfloat16", "numpy has no .*; it has float16, float32, float64, longd"),
            (torch.ones(1), "longdouble", "torch has no .*; it has float16, bfloat16, float32"),
            (strict.ones(1), "float16", "array_api_strict has no dtype .*; it has float32, float"),
        ):
            with pytest.raises(DTypeError, match=has):
                pn.astype(x, name)

    def test_differentiable(self, torch):
        for x in (np.array([1.0, 3.0]), torch.tensor([1.0, 3.0], dtype=torch.float64)):
            gradient = pn.grad(lambda x: pn.array_namespace(x).sum(pn.astype(x * x, "float32")))(x)
            assert gradient.dtype == x.dtype
            assert gradient.tolist() == [2.0, 6.0]
