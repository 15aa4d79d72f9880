"""Registering a backend in the running process."""

from __future__ import annotations

import re

import pytest

import portanet as pn
from portanet.backends import Backend, available, get_backend, is_array, register
from portanet.backends.numpy import NumPyBackend
from portanet.errors import ArgumentError, BackendNotAvailableError


class Row:
    shape = (2,)
    dtype = "float32"


class Rows(NumPyBackend):
    name = distribution = "rows"
    modules = (Row.__module__.partition(".")[0],)

    def unavailable_reason(self):
        return None


def test_its_name_and_its_arrays_are_known_from_then_on():
    assert not is_array(Row())
    with pytest.raises(BackendNotAvailableError, match="unknown backend 'rows'"):
        get_backend("rows")
    assert register(Rows) is Rows
    assert is_array(Row())
    assert isinstance(get_backend("rows"), Rows)
    assert available()["rows"] is None
    assert str(pn.device("rows")) == "rows:cpu"


def test_registering_again_replaces():
    register(Rows)
    first = get_backend("rows")
    register(Rows)
    assert get_backend("rows") is not first


class Unfinished(Backend):
    name = distribution = "unfinished"


class Taken(NumPyBackend):
    name = "torch"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (3, "register takes a subclass of pn.backends.Backend: got 3"),
        (Rows(), "register takes a subclass of pn.backends.Backend: got <"),
        (Unfinished, "Unfinished has no modules, from_numpy, jvp, to_numpy, vjp, xp: a backend"),
        (Taken, "the name 'torch' of Taken is taken: choose another"),
    ],
)
def test_what_is_refused(kind, text):
    with pytest.raises(ArgumentError, match=re.escape(text)):
        register(kind)
