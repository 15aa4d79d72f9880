"""Which engine differentiates: by default the one of the arrays' own library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from portanet.errors import ArgumentError, BackendMismatchError, shown
from portanet.interface import Backend, backend_of


@dataclass(frozen=True)
class AutoAutograd:
    """portanet's tape, built on HIPS autograd: NumPy, CuPy and every library without its own.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.grad(lambda x: x * x, ad=pn.AutoAutograd())(np.float64(3.0))
    np.float64(6.0)
    """

    def accepts(self, backend: Backend) -> bool:
        return not backend.differentiates_itself


@dataclass(frozen=True)
class AutoTorch:
    """Torch's own differentiation, for torch tensors."""

    def accepts(self, backend: Backend) -> bool:
        return backend.name == "torch"


@dataclass(frozen=True)
class AutoJAX:
    """JAX's own differentiation, for JAX arrays."""

    def accepts(self, backend: Backend) -> bool:
        return backend.name == "jax"


Engine = AutoAutograd | AutoTorch | AutoJAX


def choose(ad: Engine | None, arrays: Sequence[Any]) -> Backend:
    """Return the backend that differentiates `arrays`.

    Raises
    ------
    ArgumentError
        If `ad` is no engine.
    BackendMismatchError
        If the arrays are of two libraries, or `ad` cannot differentiate theirs.
    """
    if not (ad is None or isinstance(ad, Engine)):
        raise ArgumentError(f"ad is an engine, such as pn.AutoAutograd(), not {shown(ad)}")
    backend = backend_of(*arrays)
    if ad is None or ad.accepts(backend):
        return backend
    raise BackendMismatchError(
        f"{ad} cannot differentiate arrays of {backend.name}: leave ad out to use the engine of "
        "their own library, or move them to another with pn.device"
    )
