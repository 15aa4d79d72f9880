"""The quick part of the fuzzer of programs, and whether it finds what is broken."""

from __future__ import annotations

import dataclasses
import os

import pytest

import portanet as pn
from fuzz.programs.compare import run, shrunk
from fuzz.programs.generate import Generator
from portanet.tape.ops.table import CARDS
from portanet.tracing.call import replays

COUNTS = {"numpy": 400, "array_api_strict": 150, "cupy": 40}
PARTS = 4


def first_wrong(library, seeds):
    """Return the first program that goes wrong, small, and what came of it; or None."""
    for seed in seeds:
        program = Generator(library, seed).program()
        outcome = run(program)
        if outcome.wrong:
            small = shrunk(program, outcome.kind)
            return small, run(small)
    return None


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("library", COUNTS)
def test_programs(library, part):
    if reason := pn.backends.available()[library]:
        pytest.skip(reason)
    if os.environ.get("PORTANET_TEST_BACKEND", library) != library:
        pytest.skip("another library is under test")
    count = COUNTS[library] // PARTS
    found = first_wrong(library, range(part * count, (part + 1) * count))
    if found is not None:
        small, outcome = found
        pytest.fail(f"seed {small.seed}: {outcome.detail}\n{small.text()}")


def test_what_is_broken_is_found_and_made_small(monkeypatch):
    for name in ("imag", "part", "real"):
        broken = dataclasses.replace(CARDS[name], fresh=True)
        monkeypatch.setitem(vars(CARDS[name]), "is_fresh", broken.is_fresh)
    found = first_wrong("numpy", range(1000, 4000))
    assert found is not None
    small, outcome = found
    assert outcome.wrong
    assert len(small.lines) <= 5
    assert f"seed in ({small.seed}, " in small.text()


def test_a_failure_that_the_plain_function_hides_is_found(monkeypatch):
    def failing(*args):
        return args[len(args)]  # a fault of the planner: a `raise` would be a package's own word

    program = Generator("numpy", 3).program()
    assert run(program).kind == "same"
    monkeypatch.setattr(replays, "optimized", failing)
    assert "failed in portanet" in run(program).detail


def test_programs_run_by_themselves(capsys):
    program = Generator("numpy", 3).program()
    exec(program.text(), {})
    assert len(capsys.readouterr().out.splitlines()) >= 6
