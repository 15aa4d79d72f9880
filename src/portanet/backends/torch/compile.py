"""Torch's own compiler behind `portanet.jit`.

The function runs once more while torch writes its operations down, derivatives and all; that graph
of plain operations is what ``torch.compile`` is given, so that it need not understand portanet.
Where there is no compiler, the function runs as it is: torch replays the graph no faster.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import warnings
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

import torch
from torch.fx.experimental.proxy_tensor import make_fx

from portanet.errors import TracedValueError
from portanet.tracing.call.lock import LongLock

_lock = LongLock()
_warned: list[str] = []
_recording: ContextVar[bool] = ContextVar("portanet_torch_recording", default=False)


def is_recording() -> bool:
    """Whether torch writes down the operations of a function now."""
    return _recording.get()


class Compiled:
    """A function of lists of tensors and numbers, recorded and compiled at its first call."""

    def __init__(self, function: Callable[..., Sequence[Any]], mode: str | None = None) -> None:
        self._function = function
        self._mode = mode
        self._run: Any = None

    def __call__(self, *lists: Sequence[Any]) -> list[Any]:
        if _recording.get():  # of a function that calls this one
            return list(self._function(*lists))
        inputs = [_tensor(x) for part in lists for x in part]
        with torch.no_grad():
            if self._run is not None:
                return list(self._run(*inputs))
            with _lock, warnings.catch_warnings():
                # What torch loads for it warns about parts of torch.
                warnings.simplefilter("ignore", DeprecationWarning)
                run = self._run = self._made(inputs, [len(part) for part in lists])
            return list(run(*inputs))

    def _made(self, inputs: list[Any], sizes: Sequence[int]) -> Callable[..., Sequence[Any]]:
        def flat(*values: Any) -> list[Any]:
            given = iter(values)
            return list(self._function(*([next(given) for _ in range(n)] for n in sizes)))

        reason = _missing(inputs)
        if reason is None:
            graph = recorded(flat, inputs)
            try:
                run = _compiled(graph, inputs, self._mode)
                run(*inputs)
                return run
            except Exception as error:  # whatever stops a compiler must not stop the user
                reason = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        _warn(reason)
        return flat


def _tensor(x: Any) -> Any:
    """Return a number as a tensor, which is no constant of the graph."""
    return torch.asarray(x, dtype=torch.float64) if isinstance(x, float | int) else x


def recorded(function: Callable[..., Any], inputs: Sequence[Any]) -> Any:
    """Return what a function of tensors does as a graph of torch's plain operations."""
    # A tensor is known by its identity: one that comes twice, or is captured too, is not the same.
    inputs = [x.detach() if isinstance(x, torch.Tensor) else x for x in inputs]
    token = _recording.set(True)
    try:
        return make_fx(function)(*inputs)
    except RuntimeError as error:
        if "value out of a tracing tensor" not in str(error):
            raise
        raise TracedValueError(
            "an array inside pn.jit has another value in each call: a condition on it, float(), "
            "int() or item() would keep the one of the first call. Choose entry by entry with "
            "xp.where(condition, a, b), or leave this function out of jit"
        ) from error
    finally:
        _recording.reset(token)


def _compiled(graph: Any, inputs: Sequence[Any], mode: str | None) -> Callable[..., Sequence[Any]]:
    on_cuda = _on_cuda(inputs)
    mode = mode or ("reduce-overhead" if on_cuda else "default")
    run = torch.compile(graph.forward, dynamic=False, mode=mode)
    if not (on_cuda and mode in ("reduce-overhead", "max-autotune")):
        return run
    # The memory of CUDA graphs is written again by the next replay.
    return lambda *inputs: [y.clone() for y in run(*inputs)]


def _on_cuda(inputs: Sequence[Any]) -> bool:
    return any(isinstance(x, torch.Tensor) and x.device.type == "cuda" for x in inputs)


def _missing(inputs: Sequence[Any]) -> str | None:
    """Return what torch's compiler needs and does not find, None if it has all."""
    if importlib.util.find_spec("torch._inductor") is None:
        return "this torch has no compiler"
    if _on_cuda(inputs):
        return None if importlib.util.find_spec("triton") else "triton is not installed"
    names = [os.environ["CXX"]] if "CXX" in os.environ else ["g++", "clang++", "cl"]
    return None if any(map(shutil.which, names)) else f"there is no C++ compiler: {names}"


def _warn(reason: str) -> None:
    if not _warned:
        _warned.append(reason)
        warnings.warn(
            f"pn.jit: torch.compile cannot be used, {reason}. Functions run as they are",
            RuntimeWarning,
            stacklevel=2,
        )
