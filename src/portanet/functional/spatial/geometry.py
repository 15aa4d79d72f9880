"""Where the windows of convolution and pooling lie."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, wraps
from typing import Any

from portanet.errors import HyperparameterError, ShapeError, shown
from portanet.functional.spatial.padding import pad

Sizes = int | Sequence[int]
LONGEST = 2**31 - 1
"""The most entries along an axis of images: what a larger one asks for has no memory."""

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

    @cached_property
    def padded(self) -> tuple[int, ...]:
        return tuple(n + sum(p) for n, p in zip(self.spatial, self.padding, strict=True))

    @cached_property
    def extent(self) -> tuple[int, ...]:
        return tuple(d * (k - 1) + 1 for d, k in zip(self.dilation, self.window, strict=True))

    @cached_property
    def output(self) -> tuple[int, ...]:
        """The number of windows along each axis."""
        triples = zip(self.padded, self.extent, self.stride, strict=True)
        return tuple((n - e) // s + 1 for n, e, s in triples)

    @cached_property
    def inner(self) -> tuple[slice, ...]:
        """Where the input lies in the padded one."""
        pairs = zip(self.padding, self.spatial, strict=True)
        return tuple(slice(before, before + n) for (before, _), n in pairs)

    @cached_property
    def pointwise(self) -> bool:
        """Whether each window is one entry of the input, and every entry a window."""
        return self.output == self.spatial == self.padded and max(self.window) == 1

    @cached_property
    def offsets(self) -> list[tuple[slice, ...]]:
        """For each entry of a window the slices of the padded input that it reads."""
        axes = zip(self.window, self.dilation, self.stride, self.output, strict=True)
        starts = [
            [slice(i * d, i * d + s * (n - 1) + 1, s) for i in range(k)] for k, d, s, n in axes
        ]
        return list(itertools.product(*starts))


def _remembered(function: Callable[..., Geometry]) -> Callable[..., Geometry]:
    """Keep the geometries of arguments that can be hashed, which calls repeat."""
    known = lru_cache(maxsize=1024, typed=True)(function)

    @wraps(function)
    def remembering(*args: Any) -> Geometry:
        try:
            return known(*args)
        except TypeError:
            return function(*args)

    return remembering


@_remembered
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
    made = Geometry(tuple(spatial), window, steps, dilation, ((0, 0),) * rank, group_count(groups))
    if _named(padding) == "same":
        triples = zip(spatial, steps, made.extent, strict=True)
        pairs = _halves(max((-(-n // s) - 1) * s + e - n, 0) for n, s, e in triples)
    else:
        pairs = pad_widths(0 if padding == "valid" else padding, rank)
    made = replace(made, padding=pairs)
    for axis, (n, e) in enumerate(zip(made.padded, made.extent, strict=True), start=1):
        if n < e:
            raise ShapeError(
                f"padded x.shape[{axis}] >= the window's extent: {n} < {e}: pad more, or use "
                "a smaller window"
            )
    return made


@_remembered
def transposed_geometry(
    spatial: Sequence[int],
    window: tuple[int, ...],
    stride: Sizes,
    padding: Padding,
    output_padding: Sizes,
    dilation: Sizes,
    groups: int = 1,
) -> Geometry:
    """Return where the windows lie of the convolution with the output `spatial`."""
    rank = len(spatial)
    steps, gaps = each_axis("stride", stride, rank), each_axis("dilation", dilation, rank)
    extra = each_axis("output_padding", output_padding, rank, minimum=0)
    if any(e >= s for e, s in zip(extra, steps, strict=True)):
        raise HyperparameterError(
            f"output_padding < stride: got {shown(output_padding)}, and stride is {stride!r}"
        )
    made = Geometry(tuple(spatial), window, steps, gaps, ((0, 0),) * rank, group_count(groups))
    full = [(n - 1) * s + e for n, s, e in zip(spatial, steps, made.extent, strict=True)]
    if _named(padding) == "same":
        surplus = [e - s for e, s in zip(made.extent, steps, strict=True)]
        pairs = _halves(max(n, 0) for n in surplus)
        full = [n + max(-more, 0) for n, more in zip(full, surplus, strict=True)]
    else:
        pairs = pad_widths(0 if padding == "valid" else padding, rank)
    sizes = tuple(n - sum(p) + e for n, p, e in zip(full, pairs, extra, strict=True))
    for axis, n in enumerate(sizes, start=1):
        if n < 1 or not spatial[axis - 1]:
            raise ShapeError(
                f"y.shape[{axis}] >= 1: {n} of x.shape[{axis}] = {spatial[axis - 1]}: pad less, "
                "which cuts less off"
            )
    return replace(made, spatial=sizes, padding=pairs)


def _named(padding: Any) -> Any:
    if isinstance(padding, str) and padding not in ("same", "valid"):
        raise HyperparameterError(f'padding is "same", "valid" or numbers: got {shown(padding)}')
    return padding


def _halves(widths: Iterable[int]) -> tuple[tuple[int, int], ...]:
    return tuple((n // 2, n - n // 2) for n in widths)


def group_count(groups: Any) -> int:
    """Check the number of groups of channels."""
    if isinstance(groups, bool) or not isinstance(groups, int) or groups < 1:
        raise HyperparameterError(f"groups is an integer >= 1: got {shown(groups)}")
    return groups


def each_axis(name: str, value: Sizes, rank: int, minimum: int = 1) -> tuple[int, ...]:
    """One number is for every axis."""
    values = (value,) * rank if isinstance(value, int) else _entries(name, value)
    if len(values) != rank:
        raise HyperparameterError(f"len({name}) == spatial axes of x: {len(values)} != {rank}")
    if any(isinstance(n, bool) or not isinstance(n, int) or n < minimum for n in values):
        raise HyperparameterError(f"{name} holds integers >= {minimum}: got {shown(value)}")
    if max(values, default=0) > LONGEST:
        raise HyperparameterError(f"{name} <= {LONGEST}: got {shown(value)}")
    return values


def _entries(name: str, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise HyperparameterError(f"{name} is an integer or a sequence: got {shown(value)}")
    return tuple(value)


def pad_widths(padding: Any, rank: int) -> tuple[tuple[int, int], ...]:
    """One number is for every end, one an axis for both its ends, a pair an axis for each."""
    values = (padding,) * rank if isinstance(padding, int) else _entries("padding", padding)
    pairs = tuple((p, p) if isinstance(p, int) else _entries("padding", p) for p in values)
    if not all(isinstance(n, int) for pair in pairs for n in pair):
        raise HyperparameterError(f"padding holds integers: got {shown(padding)}")
    if len(pairs) != rank or any(len(pair) != 2 for pair in pairs):
        raise HyperparameterError(
            f"padding is a number, or one or a pair for each of {rank} axes: got {shown(padding)}"
        )
    widths = [n for pair in pairs for n in pair]
    if min(widths, default=0) < 0:
        raise HyperparameterError(f"padding >= 0: got {shown(padding)}")
    if max(widths, default=0) > LONGEST:
        raise HyperparameterError(f"padding <= {LONGEST}: got {shown(padding)}")
    return pairs


def padded_input(x: Any, shape: Geometry, value: float = 0.0) -> Any:
    """Put the padding around the spatial axes of `x`."""
    return pad(x, ((0, 0), *shape.padding, (0, 0)), "constant", value)
