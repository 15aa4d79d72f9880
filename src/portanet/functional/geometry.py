"""Where the windows of convolution and pooling lie."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from portanet.errors import HyperparameterError, ShapeError
from portanet.functional.pad import pad

Sizes = int | Sequence[int]
Padding = int | Sequence[int] | Sequence[tuple[int, int]] | str


@dataclass(frozen=True)
class Geometry:
    """Where the windows of an input lie.

    Attributes
    ----------
    spatial, window : tuple of int
        The sizes of the input and of a window.
    stride, dilation : tuple of int
        The steps between windows, and between the entries of one.
    padding : tuple of pairs of int
        Entries put before and after each axis of the input.
    groups : int
        The channels are cut into so many groups that do not mix.
    """

    spatial: tuple[int, ...]
    window: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    groups: int = 1

    @property
    def padded(self) -> tuple[int, ...]:
        return tuple(n + sum(p) for n, p in zip(self.spatial, self.padding, strict=True))

    @property
    def extent(self) -> tuple[int, ...]:
        return tuple(d * (k - 1) + 1 for d, k in zip(self.dilation, self.window, strict=True))

    @property
    def output(self) -> tuple[int, ...]:
        """The number of windows along each axis."""
        triples = zip(self.padded, self.extent, self.stride, strict=True)
        return tuple((n - e) // s + 1 for n, e, s in triples)

    def offsets(self) -> Iterator[tuple[slice, ...]]:
        """Yield for each entry of a window the slices of the padded input that it reads."""
        for place in itertools.product(*map(range, self.window)):
            parts = zip(place, self.dilation, self.stride, self.output, strict=True)
            yield tuple(slice(i * d, i * d + s * (n - 1) + 1, s) for i, d, s, n in parts)


def geometry(
    spatial: Sequence[int],
    window: Sizes,
    stride: Sizes | None,
    padding: Padding,
    dilation: Sizes,
    groups: int = 1,
) -> Geometry:
    """Check the options of a window and give every axis its own."""
    rank = len(spatial)
    window = each_axis("window", window, rank)
    dilation = each_axis("dilation", dilation, rank)
    steps = window if stride is None else each_axis("stride", stride, rank)
    extent = tuple(d * (k - 1) + 1 for d, k in zip(dilation, window, strict=True))
    if padding == "valid":
        pairs = ((0, 0),) * rank
    elif padding == "same":
        wanted = [
            max((-(-n // s) - 1) * s + e - n, 0)
            for n, s, e in zip(spatial, steps, extent, strict=True)
        ]
        pairs = tuple((n // 2, n - n // 2) for n in wanted)
    elif isinstance(padding, str):
        raise HyperparameterError(f'padding is "same", "valid" or numbers: got {padding!r}')
    else:
        pairs = pad_widths(padding, rank)
    if isinstance(groups, bool) or not isinstance(groups, int) or groups < 1:
        raise HyperparameterError(f"groups is an integer >= 1: got {groups!r}")
    made = Geometry(tuple(spatial), window, steps, dilation, pairs, groups)
    for axis, (n, e) in enumerate(zip(made.padded, extent, strict=True)):
        if n < e:
            raise ShapeError(
                f"padded x.shape[{axis + 1}] >= the window's extent: {n} < {e}: pad more, or use "
                "a smaller window"
            )
    return made


def each_axis(name: str, value: Sizes, rank: int) -> tuple[int, ...]:
    """One number is for every axis."""
    values = (value,) * rank if isinstance(value, int) else tuple(value)
    if len(values) != rank:
        raise HyperparameterError(f"len({name}) == spatial axes of x: {len(values)} != {rank}")
    if any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in values):
        raise HyperparameterError(f"{name} holds integers >= 1: got {value!r}")
    return values


def pad_widths(padding: Any, rank: int) -> tuple[tuple[int, int], ...]:
    """One number is for every end, one an axis for both its ends, a pair an axis for each."""
    values = (padding,) * rank if isinstance(padding, int) else tuple(padding)
    pairs = tuple((p, p) if isinstance(p, int) else tuple(p) for p in values)
    if len(pairs) != rank or any(len(pair) != 2 for pair in pairs):
        raise HyperparameterError(
            f"padding is a number, or one or a pair for each of {rank} axes: got {padding!r}"
        )
    if any(n < 0 for pair in pairs for n in pair):
        raise HyperparameterError(f"padding >= 0: got {padding!r}")
    return pairs


def padded_input(x: Any, shape: Geometry, value: float = 0.0) -> Any:
    """Put the padding around the spatial axes of `x`."""
    return pad(x, ((0, 0), *shape.padding, (0, 0)), "constant", value)
