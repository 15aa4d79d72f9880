"""What the tests of bad input share."""

from __future__ import annotations

import numpy as np
import pytest
from contract.probes import place
from contract.refusals import MODEL

import portanet as pn
from portanet.interface.backend import Backend


@pytest.fixture
def host_draws(backend, monkeypatch):
    """Let a library that has random numbers of its own draw NumPy's."""
    if backend.adapter.own_draws:
        for name in ("uniform", "normal"):
            monkeypatch.setattr(type(backend.adapter), name, getattr(Backend, name))


@pytest.fixture
def program(backend):
    """The input, parameters and states of the model, on the library under test."""
    x = np.random.default_rng(0).normal(size=(5, 3))
    return place(backend, (x, *pn.setup(1, MODEL)), "float32")
