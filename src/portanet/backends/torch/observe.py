"""Showing the operations of torch one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch.overrides import TorchFunctionMode


class Observing(TorchFunctionMode):
    """Runs every call of torch through an observer; see `Backend.observe`."""

    def __init__(self, observer: Callable[..., Any]) -> None:
        super().__init__()
        self.observer = observer

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        def run(values: Sequence[Any]) -> Any:
            return func(*values, **(kwargs or {}))

        name = getattr(func, "__name__", str(func))
        if name.startswith("__") or name.endswith("_"):  # a property, or written in place
            return run(args)
        return self.observer(name, run, args)
