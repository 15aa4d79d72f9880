"""Which derivatives of torch are under way, and entering its forward mode."""

from __future__ import annotations

import contextlib
import functools
import threading
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch._C._functorch import (
    TransformType,
    get_interpreter_stack,
    get_unwrapped,
    is_functorch_wrapped_tensor,
    maybe_current_level,
)
from torch.autograd import forward_ad

from portanet.errors import NoDerivativeError
from portanet.tracing.call.lock import LongLock

# torch counts the levels of forward mode for the whole process, not for each thread.
_one_thread = LongLock()
_own_levels: list[int] = []


@contextlib.contextmanager
def forward_mode() -> Iterator[None]:
    """Enter forward mode, one thread at a time."""
    with _one_thread:
        if in_forward_mode() and not _own_levels and maybe_current_level() is None:
            raise NoDerivativeError(
                "torch cannot nest its forward mode inside forward_ad.dual_level: use pn.jvp in "
                "the place of dual_level, or pn.vjp inside it"
            )
        _own_levels.append(threading.get_ident())
        try:
            _load_forward_mode()
            yield
        finally:
            _own_levels.pop()


def in_forward_mode() -> bool:
    """Whether forward mode is under way; if portanet has entered it, whether in this thread."""
    if forward_ad._current_level < 0:
        return False
    return not _own_levels or _own_levels[-1] == threading.get_ident()


@functools.cache
def _load_forward_mode() -> None:
    """Use forward mode once: what torch loads for it warns about a part of torch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.func.jvp(torch.sin, (torch.zeros(()),), (torch.zeros(()),))


def transformed() -> bool:
    """Whether a transform of ``torch.func`` or forward mode is under way."""
    return maybe_current_level() is not None or in_forward_mode()


def differentiated() -> bool:
    """Whether a transform other than vmap, or forward mode, is under way."""
    stack = get_interpreter_stack() or ()
    vmap_only = all(level.key() == TransformType.Vmap for level in stack)
    return in_forward_mode() or not vmap_only


def differentiates_forward_mode(tensors: Iterable[Any]) -> bool:
    """Whether forward mode is under way inside of a derivative that `tensors` may be part of."""
    if not in_forward_mode():
        return False
    kinds = [level.key() for level in get_interpreter_stack() or ()]
    kinds = [kind for kind in kinds if kind in (TransformType.Grad, TransformType.Jvp)]
    if TransformType.Jvp in kinds[1:]:
        return True
    return any(isinstance(x, torch.Tensor) and innermost(x).requires_grad for x in tensors)


def innermost(x: torch.Tensor) -> torch.Tensor:
    """Return the tensor inside of all transforms."""
    while is_functorch_wrapped_tensor(x):
        x = get_unwrapped(x)
    return x


def shown(*tensors: torch.Tensor | None) -> tuple[torch.Tensor | None, ...]:
    """Return tensors that go into a function of our own, which modes of torch do not see.

    A mode that looks for tensors among arguments, or puts others in their places, sees the views.
    """
    if not torch._C._len_torch_function_stack():
        return tensors
    return tuple(None if x is None else x.view_as(x) for x in tensors)
