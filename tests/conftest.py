"""One fixture runs the suite on every array library present."""

from __future__ import annotations

import importlib.util
import os
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from standin import put_in_the_place_of_cupy

import portanet as pn
from portanet.interface import registry
from portanet.tracing.plan import check

NAMES = ("numpy", "array_api_strict", "torch", "jax", "cupy")

# Without a GPU the CuPy adapter runs on a module that has CuPy's names and refusals.
STANDS_IN = put_in_the_place_of_cupy()
collect_ignore = ["standin"]
BEGAN = time.monotonic()

# The suite compares in float64. JAX compiles each operation once for each shape: without XLA's
# optimizations that takes half the time.
os.environ.setdefault("JAX_ENABLE_X64", "1")
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true "
    "--xla_cpu_use_fusion_emitters=false --xla_cpu_multi_thread_eigen=false",
)
# A pass that breaks a program is caught where it does so.
check.enabled = True

# Torch's compiler takes seconds for each function; what it is given is tested without it.
os.environ.setdefault("TORCH_COMPILE_DISABLE", "1")

OPTIONAL = {"array_api_strict", "jax", "safetensors", "tokenizers", "torch"}
EXAMPLES_WITH = {
    "portanet.export.onnx_model.onnx": "onnxruntime",
    "portanet.io.from_torch.from_torch": "torch",
}
SWEEPS = {"contract", "functional", "tape", "tracing"}
SHARES = {"jax": 16, "cupy": 8}


def pytest_report_header():
    if not (os.environ.get("PORTANET_TEST_BACKEND") or os.environ.get("PORTANET_SWEEPS")):
        shares = ", ".join(
            f"1 in {share} of the sweeps on {name}" for name, share in SHARES.items()
        )
        return f"{shares}; all of them with PORTANET_TEST_BACKEND or PORTANET_SWEEPS"
    return None


def pytest_configure(config):
    config.addinivalue_line("markers", "gpu: for a machine with a GPU, on the selected library")
    if STANDS_IN and config.pluginmanager.hasplugin("cacheprovider"):
        os.environ.setdefault("CUPY_CACHE_DIR", str(config.cache.mkdir("cupy")))


def pytest_collectreport(report):
    """Let no file of tests vanish: what pytest cannot import, it would leave out in silence."""
    path = Path(__file__).parent.parent / report.nodeid
    if report.skipped and "unable to import module" in str(report.longrepr) and path.is_file():
        _import(path)


def _import(path):
    spec = importlib.util.spec_from_file_location("collected", path)
    try:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in OPTIONAL:
            raise


def pytest_collection_modifyitems(config, items):
    """Leave out the libraries that are not selected, and most of the sweeps on the slowest.

    JAX compiles every case, and what stands in for CuPy every kernel.
    """
    selected = os.environ.get("PORTANET_TEST_BACKEND")
    for item in items:
        needed = EXAMPLES_WITH.get(item.name)
        if needed is not None and importlib.util.find_spec(needed) is None:
            item.add_marker(pytest.mark.skip(f"the example imports {needed}"))
        if _backend_of(item) == (selected or "cupy"):
            item.add_marker(pytest.mark.gpu)
    if selected:
        left = {item for item in items if _backend_of(item) not in (None, selected)}
    elif os.environ.get("PORTANET_SWEEPS"):
        return
    else:
        left = set(filter(_is_left_out, items))
    config.hook.pytest_deselected(items=list(left))
    items[:] = [item for item in items if item not in left]


def pytest_runtest_setup(item):
    """Begin no test after ``PORTANET_TEST_SECONDS``: what counts ran first."""
    if time.monotonic() - BEGAN > float(os.environ.get("PORTANET_TEST_SECONDS", "inf")):
        pytest.skip("no time is left")


def _is_left_out(item):
    share = SHARES.get(_backend_of(item), 1)
    swept = share > 1 and item.path.parent.name in SWEEPS
    return swept and zlib.crc32(item.name.encode()) % share != 0


def _backend_of(item):
    """Return the library that a case of a test is for, None if it is for none."""
    case = getattr(item, "callspec", None)
    name = None if case is None else case.params.get("backend")
    return name if isinstance(name, str) else None


@dataclass(frozen=True)
class Library:
    """An array library under test, on a device that is not its default where it has several."""

    name: str
    device: Any

    @property
    def place(self):
        """What ``pn.device`` and ``pn.setup`` take for the device under test."""
        return f"{self.name}:{self.adapter.device_name(self.device)}"

    @property
    def adapter(self):
        return pn.backends.get_backend(self.name)

    @property
    def xp(self):
        return self.adapter.xp

    def asarray(self, x):
        return self.adapter.from_numpy(np.asarray(x), self.device)

    def to_numpy(self, x):
        return np.asarray(self.adapter.to_numpy(x))

    def dtype(self, name):
        return self.adapter.dtype(name)

    def __str__(self):
        return self.name


@pytest.fixture(autouse=True)
def _forget_registered_backends():
    known = dict(registry._registered)
    yield
    if registry._registered != known:
        registry._registered.clear()
        registry._registered.update(known)
        registry.by_type.clear()
        registry.namespaces.clear()


@pytest.fixture(params=NAMES)
def backend(request):
    name = request.param
    selected = os.environ.get("PORTANET_TEST_BACKEND")
    if selected and selected != name:
        pytest.skip(f"PORTANET_TEST_BACKEND={selected}")
    reason = pn.backends.available()[name]
    if reason is not None:
        pytest.skip(f"{name}: {reason}")
    adapter = pn.backends.get_backend(name)
    text = "device1" if name == "array_api_strict" else os.environ.get("PORTANET_TEST_DEVICE")
    return Library(name, adapter.parse_device(text))
