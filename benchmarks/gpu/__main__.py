"""Run the session: ``PYTHONPATH=src python -m benchmarks.gpu``."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import portanet as pn
from benchmarks.gpu.contenders import CONTENDERS, Contender, agree
from benchmarks.gpu.session import Session, Step
from benchmarks.gpu.workloads import WORKLOADS
from benchmarks.report import table

ROOT = Path(__file__).parents[2]
SECONDS = 470.0  # of the eight minutes, less what starting takes
MEASURING = 1.0  # seconds for the times of one contender
# Folders of tests in the order of their worth, with the seconds that each may take.
TESTS = {
    "tests/backends/test_cupy_rows.py tests/tracing/test_fused_rows.py": 60.0,
    "tests/backends": 40.0,
    "tests/tape/test_rules.py tests/autodiff": 50.0,
    "tests/contract": 60.0,
    "tests/tracing": 60.0,
    "tests/layers tests/functional": 60.0,
    "tests/tape": 60.0,
}


OURS, THEIRS = ("portanet on CuPy, jit", "portanet on CuPy"), ("torch eager", "torch.compile")
PAIRS = [(own, other) for own in OURS for other in THEIRS]
COUNTED = ("tutorial", "MLP 128", "transformer block", "LeNet", "physics", "LSTM")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--results", type=Path, default=Path("gpu-session.jsonl"))
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--dry-run", action="store_true", help="a little, on any machine")
    parser.add_argument("--counts", action="store_true", help="what each workload launches there")
    given = parser.parse_args(argv)
    session = Session(given.results, given.seconds)
    rehearsed = given.dry_run or given.counts
    session.run(rehearsal(given.counts) if rehearsed else steps())
    print(summary(session.found()), flush=True)


def steps() -> Iterator[Step]:
    """Yield all steps: the proof, the first tests, the first benchmarks, and so on in turn."""
    yield from first_steps()
    tests = [Step(f"tests: {t}", s, partial(run_tests, t.split())) for t, s in TESTS.items()]
    yield from tests[:2]
    for name in list(WORKLOADS)[:3]:
        yield from compared(name, MEASURING)
    yield from tests[2:4]
    for name in list(WORKLOADS)[3:]:
        yield from compared(name, MEASURING)
    yield from tests[4:]
    yield Step("tests: torch on CUDA", 60.0, partial(run_tests, ["tests/autodiff"], on_torch=True))


def rehearsal(everything: bool = False) -> Iterator[Step]:
    """Yield a step of each kind, for a machine without a GPU; or the counts of a few."""
    yield from first_steps()
    few = ["tests/backends/test_standin.py", "-k", "refusals"]
    yield Step("tests: few", 60.0, partial(run_tests, few))
    ours = [contender for contender in CONTENDERS if contender.library == "cupy"]
    for name in COUNTED if everything else ("tutorial",):
        yield from compared(name, 0.02, ours)


def first_steps() -> Iterator[Step]:
    yield Step("machine", 60.0, machine)
    yield Step("proof", 60.0, proof)
    yield Step("proof of rows", 60.0, proof_of_rows)


def machine(_: float) -> dict[str, Any]:
    """Say what there is: processors, devices, drivers and libraries."""
    found: dict[str, Any] = {"python": platform.python_version(), "portanet": pn.__version__}
    for name, reason in pn.backends.available().items():
        backend = pn.backends.get_backend(name) if reason is None else None
        devices = [backend.device_name(d) for d in backend.accelerators()] if backend else reason
        found[name] = f"{backend.version()} {devices}" if backend else str(reason)
    cupy = importlib.import_module("cupy")
    properties = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)
    versions = cupy.cuda.runtime.driverGetVersion(), cupy.cuda.runtime.runtimeGetVersion()
    return {**found, "gpu": properties["name"].decode(), "driver, runtime": list(versions)}


def proof(_: float) -> dict[str, Any]:
    """Take the gradient of a sum of cubes on CuPy, as it is and recorded."""
    x = pn.device("cupy")(np.asarray([1.0, 2.0, 3.0], np.float32))
    gradient = pn.grad(lambda x: (x**3).sum())
    found = [pn.cpu_device()(f(x)) for f in (gradient, pn.jit(gradient))]
    for g in found:
        np.testing.assert_allclose(g, [3.0, 12.0, 27.0], rtol=1e-6)
    return {"gradient": found[0].tolist(), "of": str(type(gradient(x)))}


def proof_of_rows(_: float) -> dict[str, Any]:
    """Hold kernels with reductions against NumPy: softmaxes, norms, a loss with its gradient."""
    rng, host, device = np.random.default_rng(0), pn.cpu_device(), pn.device("cupy")
    loss = pn.CrossEntropyLoss(logits=True)
    functions = {
        "softmax": pn.softmax,
        "log_softmax": pn.log_softmax,
        "layer_norm": pn.functional.layer_norm,
        "rms_norm": pn.functional.rms_norm,
    }
    found: dict[str, Any] = {}
    for dtype in ("float32", "float16", "float64"):
        near = 16 * float(np.finfo(dtype).eps)
        x = rng.normal(size=(300, 257)).astype(dtype)
        there = device(x)
        for name, function in functions.items():
            for run in (function, pn.jit(function)):
                np.testing.assert_allclose(host(run(there)), function(x), near, near, err_msg=name)
        small, labels = x[:40, :7], np.arange(40) % 7
        step = pn.jit(pn.value_and_grad(loss))
        got, wanted = step(*device((small, labels))), pn.value_and_grad(loss)(small, labels)
        for y, expected in zip(host(got), wanted, strict=True):
            np.testing.assert_allclose(y, expected, near, near)
        found[dtype] = "agrees"
    return found


def run_tests(what: Sequence[str], seconds: float, on_torch: bool = False) -> dict[str, Any]:
    """Run tests on the device in a process of their own; say how they ended."""
    environment = os.environ | {"PORTANET_TEST_BACKEND": "torch" if on_torch else "cupy"}
    if on_torch:
        environment["PORTANET_TEST_DEVICE"] = "cuda:0"
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    )
    environment["PORTANET_TEST_SECONDS"] = str(seconds - 12)  # those that begin later are skipped
    command = [sys.executable, "-m", "pytest", *what, "-m", "gpu", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "--tb=line"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    lines = done.stdout.strip().splitlines() or [done.stderr]
    faults = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    for line in faults:
        print(line, flush=True)
    return {"code": done.returncode, "end": lines[-1], "faults": faults[:40]}


def compared(
    name: str, seconds: float, contenders: Sequence[Contender] = CONTENDERS
) -> Iterator[Step]:
    """Yield whether a workload gives NumPy's losses on CuPy, and its time on each library."""
    workload = WORKLOADS[name]()
    yield Step(f"{name}: agrees", 60.0, lambda _: agree(workload, "cupy"))
    for contender in contenders:
        if contender.suits(workload):
            run = partial(_measured, contender, workload, seconds)
            yield Step(f"{name}: {contender.name}", 20 + 2 * seconds, run)


def _measured(contender: Contender, workload: Any, seconds: float, _: float) -> dict[str, Any]:
    return contender.measure(workload, seconds)


def summary(found: dict[str, dict[str, Any]]) -> str:
    """Return the times in milliseconds, one row a workload, and what they are beside torch's."""
    names = [contender.name for contender in CONTENDERS]
    rows, quotients = [], []
    for workload in WORKLOADS:
        cells = {name: found.get(f"{workload}: {name}", {}) for name in names}
        if any(cells.values()):
            rows.append([workload, *map(_cell, cells.values())])
            quotients.append([workload, *_quotients(cells)])
    heads = [f"{own} ÷ {other}" for own, other in PAIRS]
    times = table(["milliseconds (launches, waits; MiB)", *names], rows)
    return f"{times}\n\n{table(['times', *heads], quotients)}"


def _cell(found: dict[str, Any]) -> str:
    counted = ", ".join(str(found[key]) for key in ("launches", "waits") if key in found)
    memory = f"; {found['MiB']} MiB" if "MiB" in found else ""
    return f"{found['ms']} ({counted}{memory})" if "ms" in found else ""


def _quotients(cells: dict[str, dict[str, Any]]) -> Iterator[str]:
    for own, other in PAIRS:
        ours, theirs = cells[own].get("ms"), cells[other].get("ms")
        yield f"{ours / theirs:.2f}" if ours and theirs else ""


if __name__ == "__main__":
    main()
