"""SciPy's functions on the standard, differentiated, beside their bodies on the tape and torch.

SciPy is told to keep to the standard before it is imported, so this runs in a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

SIZES = (1_000, 100_000)


def standard() -> Iterator[str]:
    """Gradients of logsumexp, zscore and fftconvolve."""
    command = [sys.executable, "-m", "benchmarks.standard"]
    env = {**os.environ, "SCIPY_ARRAY_API": "1"}
    yield subprocess.run(command, env=env, check=True, text=True, stdout=subprocess.PIPE).stdout


def _tables() -> Iterator[str]:
    import torch
    from scipy import signal, special, stats

    import portanet as pn
    from benchmarks.agreement import agree
    from benchmarks.peers import ours
    from benchmarks.report import comparison
    from benchmarks.timing import interleave

    def logsumexp(x: Any) -> Any:
        top = np.max(x)
        return top + np.log(np.sum(np.exp(x - top)))

    def zscore(x: Any) -> Any:
        return (x - np.mean(x)) / np.std(x)

    def convolve(x: Any, y: Any) -> Any:
        n = 2 * x.shape[0]
        product = np.fft.rfft(x, n) * np.fft.rfft(y, n)
        return np.fft.irfft(product, n)[: n - 1]

    def torch_convolve(x: Any, y: Any) -> Any:
        n = 2 * x.shape[0]
        return torch.fft.irfft(torch.fft.rfft(x, n) * torch.fft.rfft(y, n), n)[: n - 1]

    functions: dict[str, tuple[Callable[..., Any], ...]] = {
        "scipy.special.logsumexp": (
            special.logsumexp, logsumexp, lambda x: torch.logsumexp(x, 0),
        ),
        "scipy.stats.zscore": (
            stats.zscore, zscore, lambda x: (x - x.mean()) / x.std(correction=0),
        ),
        "scipy.signal.fftconvolve": (
            lambda x: signal.fftconvolve(x, x), lambda x: convolve(x, x),
            lambda x: torch_convolve(x, x),
        ),
    }  # fmt: skip
    rng = np.random.default_rng(0)
    for name, (scipys, body, torchs) in functions.items():
        for size in SIZES:
            x = rng.normal(size=size)
            weights = rng.normal(size=np.shape(body(x)))

            def loss(f: Callable[..., Any], w: Any, x: Any) -> Any:
                return (f(x) * w).sum()

            theirs = torch.from_numpy(x).requires_grad_()
            there = torch.from_numpy(np.asarray(weights))
            through = pn.grad(partial(loss, scipys, weights))
            calls = {
                "its body on the tape": partial(pn.grad(partial(loss, body, weights)), x),
                "torch eager": lambda f=torchs, w=there, x=theirs: torch.autograd.grad(
                    loss(f, w, x), x
                )[0],
                "portanet through SciPy": partial(through, x),
                "portanet through SciPy, jit": partial(pn.jit(through), x),
            }
            title = f"Gradient of {name}, {size:,} numbers"
            agree(title, {key: ours.listed(call()) for key, call in calls.items()})
            alone = {"SciPy's value, no derivative": partial(scipys, x)}
            yield comparison(title, interleave({**alone, **calls}))


if __name__ == "__main__":
    print("\n\n".join(_tables()))
