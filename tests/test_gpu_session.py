"""The session for a machine with a GPU: how its steps go on, and a rehearsal of it."""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path

import pytest

import portanet as pn

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(
    not (ROOT / "benchmarks" / "gpu").is_dir(), reason="the benchmarks are not here"
)


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    yield lambda name: importlib.import_module(f"benchmarks.gpu.{name}")
    for name in [x for x in sys.modules if x.partition(".")[0] == "benchmarks"]:
        del sys.modules[name]


@pytest.fixture
def steps(gpu, tmp_path):
    """Return a function that runs steps, and those that ran."""
    session = gpu("session")
    ran = []

    def run(steps, seconds=60.0):
        def does(name, action):
            return lambda left: ran.append(name) or action(left)

        known = session.Session(tmp_path / "found.jsonl", seconds)
        known.run(session.Step(name, most, does(name, action)) for name, most, action in steps)
        return known.found()

    return run, ran


def test_what_is_known_is_not_done_again(steps):
    run, ran = steps
    first = ("first", 5.0, lambda left: {"found": 1})
    assert run([first])["first"]["found"] == 1
    found = run([first, ("second", 5.0, lambda left: {"had": left})])
    assert ran == ["first", "second"]
    assert found["second"]["had"] == 5.0


def test_what_fails_is_tried_again(steps, capsys):
    run, ran = steps
    outcomes = iter([ZeroDivisionError("no luck"), None])

    def unsteady(left):
        error = next(outcomes)
        if error:
            raise error
        return {}

    wanted = [("unsteady", 5.0, unsteady), ("other", 5.0, lambda left: {})]
    assert set(run(wanted)) == {"other"}
    assert "ZeroDivisionError: no luck" in capsys.readouterr().out
    assert set(run(wanted)) == {"unsteady", "other"}
    assert ran == ["unsteady", "other", "unsteady"]


def test_nothing_begins_that_does_not_fit(steps, capsys):
    run, ran = steps
    assert run([("long", 100.0, lambda left: {}), ("short", 1.0, lambda left: {})], 50.0)
    assert ran == ["short"]
    assert "long: 100 s needed" in capsys.readouterr().out


def test_nothing_takes_longer_than_it_may(steps, capsys):
    run, _ = steps
    began = time.monotonic()
    assert run([("endless", 0.2, lambda left: time.sleep(30.0))]) == {}
    assert time.monotonic() - began < 20.0
    assert "OutOfTime" in capsys.readouterr().out


def test_a_half_written_line_is_left_out(steps, tmp_path):
    run, ran = steps
    (tmp_path / "found.jsonl").write_text('{"step": "first", "took": 1.0}\n{"step": "sec')
    assert set(run([("first", 5.0, lambda left: {})])) == {"first"}
    assert ran == []


def test_rehearsal(gpu, tmp_path, capsys):
    """The proof, some tests and the first workload, on the stand-in or on a GPU."""
    reason = pn.backends.available()["cupy"]
    if reason is not None:
        pytest.skip(f"cupy: {reason}")
    main, results = gpu("__main__").main, tmp_path / "session.jsonl"
    main(["--dry-run", "--results", str(results)])
    said = capsys.readouterr().out
    assert "! " not in said
    assert "+ proof: gradient [3.0, 12.0, 27.0]" in said
    assert "+ proof of rows: float32 agrees, float16 agrees, float64 agrees" in said
    assert "+ tests: few: code 0" in said
    assert "+ tutorial: agrees" in said
    assert "| tutorial | " in said
    main(["--dry-run", "--results", str(results)])
    assert "+ " not in capsys.readouterr().out


def test_every_workload_is_built(gpu):
    for make in gpu("workloads").WORKLOADS.values():
        assert isinstance(make().model, pn.Layer)


@pytest.mark.parametrize(
    ("name", "most"),
    [("tutorial", 12), ("MLP 128", 24), ("physics", 36), ("LeNet", 46), ("transformer block", 54)],
)
def test_what_a_recorded_step_launches(gpu, name, most):
    """The host never waits; the counts are in the pages on `jit`."""
    if "cupy._state" not in sys.modules:
        pytest.skip("the stand-in counts, a GPU does not")
    step = gpu("contenders").ours(gpu("workloads").WORKLOADS[name](), "cupy", jit=True)
    for _ in range(3):
        step()
    found = gpu("contenders").used(step, lambda: None)
    assert found["launches"] <= most
    assert found["waits"] == 0
