"""The workers that this process is one of.

A process belongs to one group, as it has one ``MPI.COMM_WORLD``: it is no argument of every
function. Nothing asks for it before `initialize` was called, and nothing outside of this room but
training with a `DistributedOptimizer`.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass

from portanet import checks
from portanet.distributed.engine import Alone, Engine
from portanet.distributed.launchers import launched_by
from portanet.errors import ArgumentError, BackendNotAvailableError, DistributedError, shown


@dataclass(frozen=True)
class _Known:
    """Where an engine is found, what it needs, and how to get that."""

    place: str
    package: str
    install: str


_ENGINES = {
    "mpi": _Known("portanet.distributed.engines.mpi:MPIEngine", "mpi4py", '"portanet[mpi]"'),
    "torch": _Known("portanet.distributed.engines.torch:TorchEngine", "torch", "torch"),
    "jax": _Known("portanet.distributed.engines.jax:JAXEngine", "jax", "jax"),
}

_started: list[Engine] = []


def initialize(engine: str | Engine | None = None, *, timeout: float = 300.0) -> Engine:
    """Join the group of workers that a launcher has started.

    Every process of a program calls it once, before anything else of `portanet.distributed`; once
    more does nothing. A process that no launcher has started is the only worker.

    Parameters
    ----------
    engine : {"mpi", "torch", "jax"} or Engine, optional
        What carries the messages: MPI (started by ``mpirun``) for NumPy and CuPy, torch.distributed
        (by ``torchrun``) for torch, jax.distributed for JAX. By default that of the launcher. Each
        takes arrays of the other libraries too, over the host.
    timeout : float, default 300
        After how many seconds without an answer of another worker an error is raised, where the
        engine can: torch and JAX. MPI waits.

    Returns
    -------
    Engine
        With `name`, `rank`, `workers` and `local_rank`.

    Raises
    ------
    ArgumentError
        If there is no such engine.
    BackendNotAvailableError
        If its library is not installed.
    DistributedError
        If this process belongs to a group of another engine already.

    Examples
    --------
    >>> import portanet as pn
    >>> engine = pn.distributed.initialize()
    >>> engine.rank, engine.workers
    (0, 1)
    """
    seconds = checks.number("initialize: timeout", timeout)
    name = engine.name if isinstance(engine, Engine) else engine
    known_name = isinstance(name, str) and name in _ENGINES
    if not (name is None or isinstance(engine, Engine) or known_name):
        raise ArgumentError(
            f"initialize: engine is one of {list(_ENGINES)}, None or an Engine: got {shown(engine)}"
        )
    if _started:
        known = _started[0]
        if known is engine or name is None or known.name in (name, Alone.name):
            return known
        raise DistributedError(
            f"this process is a worker of the engine {known.name!r} already: got {name!r}"
        )
    _started.append(engine if isinstance(engine, Engine) else _made(name, seconds))
    return _started[0]


def _made(name: str | None, seconds: float) -> Engine:
    launcher = launched_by()
    name = name or launcher
    if name is None or (launcher is None and name != "jax"):
        return Alone()
    known = _ENGINES[name]
    if importlib.util.find_spec(known.package) is None:
        raise BackendNotAvailableError(
            f"initialize: the engine {name!r} needs the package {known.package}: pip install "
            f"{known.install}"
        )
    module, _, kind = known.place.partition(":")
    return getattr(importlib.import_module(module), kind)(seconds)


def current() -> Engine:
    """Return the engine of this process."""
    if not _started:
        raise DistributedError(
            "this process is no worker yet: call pn.distributed.initialize() first"
        )
    return _started[0]


def initialized() -> bool:
    """Whether this process is a worker of a group.

    Examples
    --------
    >>> import portanet as pn
    >>> _ = pn.distributed.initialize()
    >>> pn.distributed.initialized()
    True
    """
    return bool(_started)


def rank() -> int:
    """Return the number of this worker, from 0.

    Raises
    ------
    DistributedError
        If `initialize` was not called.

    Examples
    --------
    >>> import portanet as pn
    >>> _ = pn.distributed.initialize()
    >>> pn.distributed.rank()
    0
    """
    return current().rank


def workers() -> int:
    """Return how many workers there are.

    Raises
    ------
    DistributedError
        If `initialize` was not called.

    Examples
    --------
    >>> import portanet as pn
    >>> _ = pn.distributed.initialize()
    >>> pn.distributed.workers()
    1
    """
    return current().workers


def local_rank() -> int:
    """Return the number of this worker among those on its machine: which GPU is its own.

    Raises
    ------
    DistributedError
        If `initialize` was not called.

    Examples
    --------
    >>> import portanet as pn
    >>> _ = pn.distributed.initialize()
    >>> pn.distributed.local_rank()
    0
    """
    return current().local_rank
