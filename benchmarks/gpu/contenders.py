"""The libraries on the device: how each takes a step, waits, and says what it used."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

import portanet as pn
from benchmarks.gpu.workloads import Workload

RATE = 1e-3
ROUNDS = 15
CHECKED = 3  # steps whose losses are held against NumPy's


@dataclass(frozen=True)
class Contender:
    """A library and a way to run it.

    Parameters
    ----------
    name : str
    library : str
    build : callable
        Takes a workload and returns a function without arguments that takes a step.
    """

    name: str
    library: str
    build: Callable[[Workload], Callable[[], Any]]

    def suits(self, workload: Workload) -> bool:
        """Whether the library is there, and can do it."""
        there = importlib.util.find_spec(self.library) is not None
        return there and (workload.compiles or self.name != "torch.compile")

    def measure(self, workload: Workload, seconds: float) -> dict[str, Any]:
        """Return the time of a step in milliseconds, its launches, and the most memory held."""
        step = self.build(workload)
        wait = _WAITS[self.library]
        began = time.perf_counter()
        step()
        wait()
        first = time.perf_counter() - began
        for _ in range(3):
            step()
        wait()
        found = used(step, wait)
        repeats = max(1, round(seconds / ROUNDS / max(_seconds(step, wait, 3), 1e-6)))
        rounds = [_seconds(step, wait, repeats) for _ in range(ROUNDS)]
        found |= {"ms": round(1e3 * median(rounds), 4), "first ms": round(1e3 * first, 1)}
        return found | _MEMORY[self.library]()


def _seconds(step: Callable[[], Any], wait: Callable[[], None], repeats: int) -> float:
    began = time.perf_counter()
    for _ in range(repeats):
        step()
    wait()
    return (time.perf_counter() - began) / repeats


def ours(workload: Workload, device: str, jit: bool) -> Callable[[], Any]:
    """Return a step of portanet on a device."""
    ps, st = pn.setup(0, workload.model)
    ps, st, data = pn.device(device)((ps, st, workload.data))
    loss = workload.loss
    if loss is None:
        run = pn.jit(workload.model) if jit else workload.model
        return lambda: run(data[0], ps, st)[0]
    ts = pn.training.TrainState(workload.model, ps, st, pn.optimizers.Adam(RATE))

    def step() -> Any:
        nonlocal ts
        value, _, ts = pn.training.train_step(loss, data, ts, jit=jit)
        return value

    return step


def agree(workload: Workload, device: str) -> dict[str, Any]:
    """Hold the first steps on a device, recorded and not, against those on NumPy."""
    host = pn.cpu_device()
    steps = {
        "NumPy": ours(workload, "numpy", jit=False),
        "eager": ours(workload, device, jit=False),
        "recorded": ours(workload, device, jit=True),
    }
    losses = {
        name: [np.asarray(host(step())) for _ in range(CHECKED)] for name, step in steps.items()
    }
    for name in ("eager", "recorded"):
        for got, wanted in zip(losses[name], losses["NumPy"], strict=True):
            np.testing.assert_allclose(got, wanted, rtol=2e-3, atol=1e-5, err_msg=name)
    return {"agrees": True}


def of_torch(workload: Workload, compiled: bool) -> Callable[[], Any]:
    """Return a step of torch on its GPU, on the processor without one."""
    torch = importlib.import_module("torch")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    module, objective = workload.peer(torch)
    module = module.to(device)
    data = [torch.from_numpy(x).to(device) for x in workload.data]
    objective = torch.compile(objective) if compiled else objective
    if workload.loss is None:
        return torch.inference_mode()(lambda: objective(module, *data))
    optimizer = torch.optim.Adam(module.parameters(), lr=RATE)

    def step() -> Any:
        optimizer.zero_grad()
        value = objective(module, *data)
        value.backward()
        optimizer.step()
        return value.detach()

    return step


CONTENDERS = (
    Contender("portanet on CuPy, jit", "cupy", lambda w: ours(w, "cupy", True)),
    Contender("portanet on CuPy", "cupy", lambda w: ours(w, "cupy", False)),
    Contender("torch eager", "torch", lambda w: of_torch(w, False)),
    Contender("torch.compile", "torch", lambda w: of_torch(w, True)),
    Contender("portanet on JAX, jit", "jax", lambda w: ours(w, "jax", True)),
)


def _cupy() -> Any:
    return importlib.import_module("cupy")


def _wait_for_torch() -> None:
    torch = importlib.import_module("torch")
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _wait_for_jax() -> None:
    jax = importlib.import_module("jax")
    jax.effects_barrier()
    jax.block_until_ready(jax.numpy.zeros(()) + 1)


_WAITS: Mapping[str, Callable[[], None]] = {
    "cupy": lambda: _cupy().cuda.Device().synchronize(),
    "torch": _wait_for_torch,
    "jax": _wait_for_jax,
}


def _memory_of_torch() -> dict[str, Any]:
    torch = importlib.import_module("torch")
    if not torch.cuda.is_available():
        return {}
    most = torch.cuda.max_memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    return {"MiB": round(most / 2**20, 1)}


def _memory_of_cupy() -> dict[str, Any]:
    pool = _cupy().get_default_memory_pool()
    held = pool.total_bytes()
    pool.free_all_blocks()
    return {"MiB": round(held / 2**20, 1)}


_MEMORY: Mapping[str, Callable[[], dict[str, Any]]] = {
    "cupy": _memory_of_cupy,
    "torch": _memory_of_torch,
    "jax": dict,
}


def used(step: Callable[[], Any], wait: Callable[[], None]) -> dict[str, Any]:
    """Count the kernels of a step by torch's profiler, which sees those of all libraries.

    What stands in for CuPy without a GPU counts itself, and waits and memory too.
    """
    counts = getattr(sys.modules.get("cupy._state"), "counts", None)
    if counts is not None:
        counts.clear()
        step()
        return dataclasses.asdict(counts)
    if importlib.util.find_spec("torch") is None:
        return {}
    torch = importlib.import_module("torch")
    if not torch.cuda.is_available():
        return {}
    profiler = torch.profiler
    with profiler.profile(activities=[profiler.ProfilerActivity.CUDA]) as profile:
        step()
        wait()
    cuda = torch.autograd.DeviceType.CUDA
    return {"launches": sum(event.device_type == cuda for event in profile.events())}
