"""A part of the fuzzer of bad input: a few hundred of all bad calls on each library."""

from __future__ import annotations

import functools
import zlib

import portanet as pn
from fuzz.inputs import places
from fuzz.inputs.calls import calls
from fuzz.inputs.places import Call
from fuzz.inputs.probes import probes
from fuzz.inputs.run import Count, faults

SHARE = {"jax": 4000}
QUIET = {"debug", "detect_mutation", "show_versions", "cpu_device", "Jitted", "Grads", "Params"}
"""Names without an argument that could be bad, and what other names make."""


def _chosen(share: int, call: Call, path: places.Path, probe: str) -> bool:
    return zlib.crc32(f"{call.name} {path} {probe}".encode()) % share == 0


def test_bad_input_gets_an_error_of_the_family(backend):
    count = Count()
    share = SHARE.get(backend.name, 200)
    chosen = functools.partial(_chosen, share)
    found = list(faults(calls(backend.name), probes(backend.name), count, chosen))
    assert not found, "\n".join(map(str, found))
    assert count.calls * share > 100_000


def test_every_public_function_is_called():
    named = {call.name.partition(",")[0].partition(" ")[0] for call in calls("numpy")}
    for module in ("functional", "initializers", "optimizers.schedules"):
        for name in pn.functional.__all__ if module == "functional" else ():
            assert f"functional.{name}" in named
    missing = {name for name in pn.autodiff.__all__ if name not in named and name[0].islower()}
    assert missing <= QUIET


def test_an_error_of_another_family_is_a_fault():
    def careless(x):
        return x.shape

    def careful(x):
        return pn.softmax(x)

    bad = {"a list": lambda: [1.0]}
    found = [
        list(faults([Call("call", function, (1.0,))], bad, Count()))
        for function in (careless, careful)
    ]
    assert [str(fault) for fault in found[0]] == [
        "call: argument 0 = a list: AttributeError: 'list' object has no attribute 'shape'"
    ]
    assert found[1] == []
