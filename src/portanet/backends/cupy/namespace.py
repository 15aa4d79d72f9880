"""CuPy's namespace, whose functions that make arrays make them on the device they are given.

array_api_compat leaves ``device=`` out of most, so that their arrays are on the current device;
its ``fftfreq`` takes no device at all. Cumulative sums and norms of float16 are taken in float32,
as other sums are.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any

import array_api_compat.cupy as compat
import cupy

from portanet.backends.cupy.devices import following

_MAKING = ["arange", "empty", "eye", "full", "linspace", "ones", "zeros"]
_ALIKE = ["empty_like", "full_like", "ones_like", "zeros_like"]


def namespace() -> Any:
    """Return the namespace of array_api_compat with our functions in the places of some."""
    raw = _copy(compat)
    raw.fft = _copy(compat.fft)
    raw.linalg = _copy(compat.linalg)
    for module in (raw, raw.fft, raw.linalg):
        _follow_in(module)
    for name in _MAKING:
        setattr(raw, name, _on_device(getattr(compat, name)))
    for name in _ALIKE:
        setattr(raw, name, _on_device_of(getattr(compat, name)))
    for name in ("fftfreq", "rfftfreq"):
        setattr(raw.fft, name, _on_device(getattr(compat.fft, name)))
    for name in ("matrix_norm", "vector_norm"):
        setattr(raw.linalg, name, following(_in_float32(getattr(compat.linalg, name))))
    raw.cumulative_sum = following(_cumulative_sum)
    return raw


def _copy(module: Any) -> Any:
    made: Any = types.ModuleType(module.__name__, module.__doc__)
    made.__dict__.update(vars(module))
    return made


@functools.wraps(compat.cumulative_sum)
def _cumulative_sum(x: Any, /, *, dtype: Any = None, **options: Any) -> Any:
    if dtype is None and x.dtype.char == "e":
        return compat.cumulative_sum(x.astype(cupy.float32), **options).astype(x.dtype)
    return compat.cumulative_sum(x, dtype=dtype, **options)


def _follow_in(module: Any) -> None:
    """Let the functions of a module work where their arrays are; types stay as they are."""
    for name, thing in list(vars(module).items()):
        if callable(thing) and not isinstance(thing, type) and not name.startswith("_"):
            setattr(module, name, following(thing))


def _in_float32(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def computed(x: Any, /, **options: Any) -> Any:
        if x.dtype.char != "e":
            return function(x, **options)
        return function(x.astype(cupy.float32), **options).astype(x.dtype)

    return computed


def _on_device(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def made(*args: Any, device: Any = None, **options: Any) -> Any:
        if device is None:
            return function(*args, **options)
        with cupy.cuda.Device(device):
            return function(*args, **options)

    return made


def _on_device_of(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def made(x: Any, /, *args: Any, device: Any = None, **options: Any) -> Any:
        with x.device if device is None else cupy.cuda.Device(device):
            return function(x, *args, **options)

    return made
