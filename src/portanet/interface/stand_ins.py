"""Stand-ins: adapters that take the place of others for a while, as the tape's does of torch's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

from portanet.interface.backend import Backend

_NONE: Mapping[Backend, Backend] = MappingProxyType({})
_stand_ins: ContextVar[Mapping[Backend, Backend]] = ContextVar("stand_ins", default=_NONE)
standing: set[object] = set()  # one entry for each context of any thread with stand-ins


@contextmanager
def standing_in(backend: Backend, plain: Backend) -> Iterator[None]:
    """Let `backend` take the place of `plain`, in this thread, while the context lasts."""
    entry = object()
    standing.add(entry)
    token = _stand_ins.set({**_stand_ins.get(), plain: backend})
    try:
        yield
    finally:
        _stand_ins.reset(token)
        standing.discard(entry)


def present(backend: Backend) -> Backend:
    """Return what stands in for `backend` in this thread, or itself."""
    return _stand_ins.get().get(backend, backend)
