"""One fixture runs the suite on every array library present."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import portanet as pn

NAMES = ("numpy", "array_api_strict", "torch", "cupy")


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
