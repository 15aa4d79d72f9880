"""What a module of torch becomes, and what is known on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

from portanet.core import Layer
from portanet.devices import device
from portanet.errors import ArgumentError

_NUMPY = device("numpy")


@dataclass
class Converted:
    """A layer with its parameters and states."""

    layer: Layer
    ps: dict[str, Any] = field(default_factory=dict)
    st: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Called:
    """A function with some of its arguments, which equals another one of the same."""

    function: Callable[..., Any]
    options: tuple[tuple[str, Any], ...]

    def __call__(self, x: Any) -> Any:
        return self.function(x, **dict(self.options))

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.options)
        return f"{getattr(self.function, '__name__', self.function)}({given})"


@dataclass
class Place:
    """Where in a model a conversion is.

    Parameters
    ----------
    path : str
        That of the module, as torch names it.
    spatial : int
        How many spatial axes the images have that arrive here; 0 where what arrives is none, or
        nothing is known of it.
    """

    path: str = ""
    spatial: int = 0

    def refuse(self, module: Any, reason: str) -> NoReturn:
        """Raise the error for a module that has no counterpart."""
        raise ArgumentError(
            f"from_torch: {self.path or 'the module'} is a {type(module).__name__}: {reason}"
        )

    def require(self, module: Any, **wanted: Any) -> None:
        """Refuse a module some of whose attributes are others than those that are known here."""
        for name, value in wanted.items():
            found = getattr(module, name, value)
            if found != value:
                self.refuse(module, f"{name} is {value!r}: got {found!r}")

    def images(self, module: Any, spatial: int) -> None:
        """Note that images arrive here, with so many spatial axes."""
        if self.spatial not in (0, spatial):
            self.refuse(module, f"it takes images of {spatial} axes: got {self.spatial}")
        self.spatial = spatial

    def rows(self, module: Any) -> None:
        """Refuse images: here they have their channels last, torch takes the last axis."""
        if self.spatial:
            self.refuse(
                module, "of images it would take the last spatial axis: flatten them before"
            )

    def axis(self, axis: int) -> int:
        """Return where an axis of torch's is: the channels of images are last here, not second."""
        if not self.spatial:
            return axis
        axis = axis + self.spatial + 2 if axis < 0 else axis
        return 0 if axis == 0 else -1 if axis == 1 else axis - 1


def array(tensor: Any) -> np.ndarray:
    """Return the numbers of a tensor, which stay as they are when it changes."""
    return np.array(_NUMPY(tensor.detach()))


def arrays(**tensors: Any) -> dict[str, np.ndarray]:
    """Return the numbers of those tensors that are there."""
    return {name: array(x) for name, x in tensors.items() if x is not None}


def each(value: Any, count: int) -> tuple[Any, ...]:
    """Return what torch takes for one number or one an axis, as one an axis."""
    return tuple(value) if isinstance(value, tuple | list) else (value,) * count
