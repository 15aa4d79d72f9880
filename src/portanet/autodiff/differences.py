"""Derivatives by central differences: slow, rough and independent of every rule."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from portanet.interface import Backend

Array = Any
Function = Callable[..., Sequence[Array]]


class Differences:
    """The derivatives of functions of the arrays of one backend, from their values alone.

    Where a function is run several times, the last run is at the point itself.

    Parameters
    ----------
    backend : Backend
    step : float, optional
        Relative to entries above 1. By default the cube root of the machine epsilon.
    """

    def __init__(self, backend: Backend, step: float | None = None) -> None:
        self.backend = backend
        self.xp = backend.xp
        self.step = step

    def jvp(
        self, function: Function, primals: Sequence[Array], tangents: Sequence[Array]
    ) -> tuple[list[Array], list[Array | None]]:
        """Return the values of `function` and their differences along `tangents`."""
        xp = self.xp
        length = self._largest(tangents)
        length = xp.where(length == 0, xp.ones_like(length), length)
        step = self._step(primals, function(*primals)) * self._scale(self._largest(primals))
        step = step / length

        def at(step: Array) -> Sequence[Array]:
            pairs = zip(primals, tangents, strict=True)
            return function(*(x + v * xp.astype(step, v.dtype) for x, v in pairs))

        slopes = self._slopes(at(step), at(-step), 2 * step)
        return list(function(*primals)), slopes

    def vjp(
        self, function: Function, primals: Sequence[Array]
    ) -> tuple[list[Array], Callable[[Sequence[Array | None]], list[Array | None]]]:
        """Return the values of `function` and its pullback, which probes every entry."""
        outputs = list(function(*primals))

        def pullback(cotangents: Sequence[Array | None]) -> list[Array | None]:
            return self._pull(function, primals, outputs, cotangents)

        return outputs, pullback

    def value_and_grad(
        self, function: Function, primals: Sequence[Array]
    ) -> tuple[list[Array], list[Array | None]]:
        """Return the values of `function` and the gradients of the first, a scalar."""
        outputs = list(function(*primals))
        seeds = [self.xp.ones_like(outputs[0]), *[None] * (len(outputs) - 1)]
        gradients = self._pull(function, primals, outputs, seeds)
        return list(function(*primals)), gradients

    def linearize(
        self, function: Function, primals: Sequence[Array]
    ) -> tuple[list[Array], Callable[[Sequence[Array]], list[Array | None]]]:
        """Return the values of `function` and its differences along any tangents."""
        return list(function(*primals)), lambda tangents: self.jvp(function, primals, tangents)[1]

    def _pull(
        self, function: Function, primals: Sequence[Array], outputs: Sequence[Array],
        cotangents: Sequence[Array | None],
    ) -> list[Array | None]:  # fmt: skip
        given = [i for i, g in enumerate(cotangents) if g is not None]
        if not given:
            return [None] * len(primals)
        xp, step = self.xp, self._step(primals, outputs)

        def slope(place: int, probe: Array) -> Array:
            """Return the derivative of the product with the cotangents along one entry."""
            x = primals[place]
            ahead, behind = x + probe, x - probe
            before, after = primals[:place], primals[place + 1 :]
            above, below = (function(*before, y, *after) for y in (ahead, behind))
            slopes = self._slopes(above, below, xp.sum(xp.abs(ahead - behind)))
            return functools.reduce(
                lambda a, b: a + b, (self._product(cotangents[i], slopes[i]) for i in given)
            )

        gradients: list[Array | None] = []
        for place, x in enumerate(primals):
            gradient = self._joined([slope(place, probe) for probe in self._probes(x, step)], x)
            if self._is_complex(x):
                turned = [slope(place, 1j * probe) for probe in self._probes(x, step)]
                gradient = gradient + 1j * self._joined(turned, x)
            gradients.append(gradient)
        return gradients

    def _probes(self, x: Array, step: float) -> Iterator[Array]:
        """Yield the steps along the entries of `x`, one at a time."""
        xp, size = self.xp, math.prod(x.shape)
        places = xp.arange(size, device=self.backend.device_of(x))
        places = xp.reshape(places, x.shape)
        steps = xp.astype(step * self._scale(xp.abs(x)), x.dtype)
        for i in range(size):
            yield xp.where(places == i, steps, xp.zeros_like(steps))

    def _joined(self, parts: Sequence[Array], x: Array) -> Array:
        """Return numbers, one for each entry of `x`, as an array like it."""
        if not parts:
            return self.xp.zeros_like(x)
        return self.xp.astype(self.xp.reshape(self.xp.stack(parts), x.shape), x.dtype)

    def _product(self, cotangent: Array, slope: Array) -> Array:
        """Return the real part of the inner product of two arrays."""
        if not self._is_complex(slope):
            return self.xp.sum(cotangent * slope)
        return self.xp.real(self.xp.sum(self.xp.conj(cotangent) * slope))

    def _slopes(
        self, ahead: Sequence[Array], behind: Sequence[Array], width: Array
    ) -> list[Array | None]:
        """Return the differences of outputs, None of those that are not floating point."""
        floating = self.backend.is_floating
        return [
            (y - z) / self.xp.astype(width, y.dtype) if floating(y.dtype) else None
            for y, z in zip(ahead, behind, strict=True)
        ]

    def _step(self, *groups: Sequence[Array]) -> float:
        """Return the relative step for the coarsest dtype: a power of two adds no rounding."""
        if self.step is not None:
            return float(self.step)
        floating, xp = self.backend.is_floating, self.xp
        dtypes = {x.dtype for group in groups for x in group if floating(x.dtype)}
        return 2.0 ** round(max(math.log2(xp.finfo(dtype).eps) for dtype in dtypes) / 3)

    def _scale(self, size: Array) -> Array:
        return self.xp.maximum(size, self.xp.ones_like(size))

    def _largest(self, arrays: Sequence[Array]) -> Array:
        """Return the largest magnitude in some arrays, 0 without any, in their widest dtype."""
        xp = self.xp
        sizes = [xp.reshape(xp.abs(x), (-1,)) for x in arrays]
        sizes.append(xp.zeros((1,), dtype=sizes[0].dtype, device=self.backend.device_of(sizes[0])))
        dtype = xp.result_type(*(size.dtype for size in sizes))
        return xp.max(xp.concat([xp.astype(size, dtype) for size in sizes]))

    def _is_complex(self, x: Array) -> bool:
        return self.backend.is_complex(x.dtype)
