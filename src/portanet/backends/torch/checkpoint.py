"""Checkpoints on torch, on its graph and inside of its transforms.

``torch.utils.checkpoint`` is refused inside ``torch.func``, and fails where the checkpointed
function takes derivatives itself. Here the call is one operation, as on the tape: tensors that the
function takes from around it are found while it runs first and become arguments.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils.checkpoint import get_device_states, set_device_states
from torch.utils.weak import WeakIdKeyDictionary

from portanet import trees
from portanet.backends.torch.autodiff import visible
from portanet.backends.torch.custom import is_traced
from portanet.backends.torch.modes import transformed
from portanet.tape import Box
from portanet.tape.recompute import recomputed

Function = Callable[..., Sequence[Any]]


def checkpoint(function: Function, arrays: Sequence[Any], backend: Any) -> Sequence[Any]:
    """Call `function` so that its derivatives recompute it, see `Backend.checkpoint`."""
    if not (torch.is_grad_enabled() or transformed()):
        return function(*arrays)
    context = contextvars.copy_context()  # that of the first run is that of every other
    draws = _Draws(arrays)
    given = [x.view_as(x) for x in arrays]  # the function may have captured an argument as well
    collector = Collector(given)
    with torch.no_grad(), collector:
        outputs = context.copy().run(function, *given)
    captured = collector.captured
    count = len(arrays)

    def again(*inputs: Any) -> Sequence[Any]:
        stand_ins = {id(x): y for x, y in zip(captured, inputs[count:], strict=True)}
        with draws.repeated(), Replacing(stand_ins) as replacing:
            found = context.copy().run(function, *inputs[:count])
            return [replacing.stand_in(y) for y in found]

    known = None if transformed() else [y.detach() for y in outputs]
    return recomputed(again, [*arrays, *visible(captured)], backend, known)


class Collector(TorchFunctionMode):
    """Collects the tensors that are used by a function and not made by it.

    Those that are differentiated, unless `everything` is asked for.
    """

    def __init__(self, arrays: Sequence[Any], everything: bool = False) -> None:
        super().__init__()
        self.everything = everything
        self.captured: list[Any] = []
        self.known: Any = WeakIdKeyDictionary()
        self.know(arrays)

    def know(self, found: Any) -> None:
        for x in trees.leaves(found):
            if isinstance(x, torch.Tensor):
                self.known[x] = None

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        for x in map(_unwrapped, trees.leaves((args, kwargs))):
            if not isinstance(x, torch.Tensor) or x in self.known:
                continue
            if self.everything or _may_be_traced(x):
                self.know(x)
                self.captured.append(x)
        result = function(*args, **(kwargs or {}))
        self.know(result)
        return result


def _unwrapped(x: Any) -> Any:
    return x.value if isinstance(x, Box) else x  # a Param


def _may_be_traced(x: Any) -> bool:
    with torch.enable_grad(), torch._C.DisableTorchFunction():
        return is_traced(x)


class Replacing(TorchFunctionMode):
    """Puts other tensors in the places of captured ones."""

    def __init__(self, stand_ins: dict[int, Any]) -> None:
        super().__init__()
        self.stand_ins = stand_ins

    def stand_in(self, x: Any) -> Any:
        x = _unwrapped(x)
        return self.stand_ins.get(id(x), x)

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        args, kwargs = trees.map_leaves(self.stand_in, (args, kwargs or {}))
        return function(*args, **kwargs)


class _Draws:
    """The state of torch's own random numbers, for functions that draw from them."""

    def __init__(self, arrays: Sequence[Any]) -> None:
        self.host = torch.get_rng_state()
        self.devices, self.states = get_device_states(*arrays)

    @contextlib.contextmanager
    def repeated(self) -> Any:
        with torch.random.fork_rng(devices=self.devices, enabled=True):
            torch.set_rng_state(self.host)
            set_device_states(self.devices, self.states)
            yield
