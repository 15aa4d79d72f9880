"""Which engine differentiates: by default the one of the arrays' own library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Protocol

from portanet.autodiff.differences import Differences
from portanet.autodiff.taped import taped
from portanet.errors import ArgumentError, shown
from portanet.interface import Backend, backend_of

Array = Any
Function = Callable[..., Sequence[Array]]


class Differentiator(Protocol):
    """What the verbs ask of an engine: the derivatives of functions of flat lists of arrays.

    `Backend` describes the methods.
    """

    def vjp(self, function: Function, primals: Sequence[Array]) -> Any: ...

    def jvp(
        self, function: Function, primals: Sequence[Array], tangents: Sequence[Array]
    ) -> Any: ...

    def linearize(self, function: Function, primals: Sequence[Array]) -> Any: ...

    def value_and_grad(self, function: Function, primals: Sequence[Array]) -> Any: ...


@dataclass(frozen=True)
class AutoTape:
    """portanet's own tape, on the arrays of any library.

    It is the default on NumPy, CuPy, array_api_strict and every library without derivatives of its
    own. On torch, JAX and others that have them it does without: rules written on the Array API
    standard run on their arrays, which makes a second opinion, and gives derivatives where the
    library's own are missing or wrong.

    Notes
    -----
    On those libraries a function sees arrays of the standard: it computes with operators, with
    `portanet.array_namespace` and with what is made of them, all of portanet. Functions and
    methods of the library, such as ``torch.sin(x)`` and ``x.sum()``, are refused by name. Every
    derivative inside is taken by the tape too. The tape may run inside of the library's own
    derivatives, batches and compilers.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> pn.grad(lambda x: x * x, ad=pn.AutoTape())(np.float64(3.0))
    np.float64(6.0)
    """

    def over(self, backend: Backend) -> tuple[Backend, Differentiator]:
        """Return the adapter of the arrays of `backend` that the tape differentiates, twice."""
        found = taped(backend)
        return found, found


@dataclass(frozen=True)
class AutoFiniteDifference:
    """Central differences, from the values of a function alone: to check derivatives.

    A directional derivative, as of `portanet.jvp`, takes two values along the direction. A
    gradient takes two for each entry of what is differentiated, and four where it is complex, so
    that the cost grows with the number of parameters.

    Parameters
    ----------
    step : float, optional
        The step along an entry ``x`` is ``step * max(1, |x|)``. The default is the cube root of
        the machine epsilon, the coarsest among the dtypes of arguments and results, rounded to a
        power of two: ``2**-17`` in float64, ``2**-8`` in float32. It balances the error of order
        ``step**2`` with that of rounding, of order ``eps / step``: about 10 digits are right in
        float64 and 5 in float32.

    Raises
    ------
    ArgumentError
        If `step` is no number above zero.

    References
    ----------
    Nocedal and Wright, "Numerical Optimization", 2nd edition, 2006, section 8.1.

    Examples
    --------
    >>> import numpy as np
    >>> import portanet as pn
    >>> x = np.asarray([0.5, 2.0])
    >>> rough = pn.grad(lambda x: np.sum(np.sin(x)), ad=pn.AutoFiniteDifference())(x)
    >>> bool(np.max(np.abs(rough - np.cos(x))) < 1e-9)
    True
    """

    step: float | None = None

    def __post_init__(self) -> None:
        step = self.step
        number = isinstance(step, Real) and not isinstance(step, bool)
        if step is not None and not (number and 0 < step < float("inf")):
            raise ArgumentError(f"AutoFiniteDifference: step is a number > 0: got {shown(step)}")

    def over(self, backend: Backend) -> tuple[Backend, Differentiator]:
        """Return `backend` and differences of functions of its arrays."""
        return backend, Differences(backend, self.step)


Engine = AutoTape | AutoFiniteDifference


def choose(ad: Engine | None, arrays: Sequence[Any]) -> tuple[Backend, Differentiator]:
    """Return the backend of `arrays` and what differentiates them, by default the same.

    Raises
    ------
    ArgumentError
        If `ad` is no engine.
    BackendMismatchError
        If the arrays are of two libraries.
    """
    if ad is None:
        backend = backend_of(*arrays)
        return backend, backend
    if not isinstance(ad, Engine):
        raise ArgumentError(
            f"ad is pn.AutoTape(), pn.AutoFiniteDifference() or None: got {shown(ad)}"
        )
    return ad.over(backend_of(*arrays))
