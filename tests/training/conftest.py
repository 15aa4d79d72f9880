"""Ctrl-C as Python has it: a process in the background of a shell is started without."""

from __future__ import annotations

import signal

import pytest


@pytest.fixture(autouse=True)
def _ctrl_c_raises():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
