"""Special functions for NumPy by SciPy's loops in C, where SciPy is installed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import numpy as np

from portanet.functional.kernel import GENERIC

_LOWEST = {"f": np.finfo(np.float32).min, "d": np.finfo(np.float64).min}


@functools.cache
def _scipy() -> ModuleType | None:
    try:
        from scipy import special
    except ImportError:
        return None
    return special


def _native(name: str, compute: Callable[..., Any]) -> Callable[..., Any]:
    """Return the body of a kernel: ``compute(special, x, out)``, or the generic one."""

    def body(x: np.ndarray, out: np.ndarray | None = None) -> Any:
        special = _scipy() if x.dtype.char in "fd" else None
        if special is not None:
            return compute(special, x, out)
        y = GENERIC[name](x)
        return y if out is None else np.positive(y, out)

    body.__name__ = name
    return body


def _lgamma(special: Any, x: np.ndarray, out: np.ndarray | None) -> Any:
    # SciPy's limit at minus infinity is minus infinity, though there is a pole at every integer.
    return special.gammaln(np.maximum(x, _LOWEST[x.dtype.char], out=out), out)


def _digamma(special: Any, x: np.ndarray, out: np.ndarray | None) -> Any:
    return special.psi(np.add(x, 0.0, out), out)  # of a zero without a sign


KERNELS: Mapping[str, Callable[..., Any]] = {
    "digamma": _native("digamma", _digamma),
    "erf": _native("erf", lambda special, x, out: special.erf(x, out)),
    "erfc": _native("erfc", lambda special, x, out: special.erfc(x, out)),
    "lgamma": _native("lgamma", _lgamma),
}
