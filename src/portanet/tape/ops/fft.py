"""Cards of the Fourier transforms, which are all linear.

The adjoint of a transform is the opposite transform under the opposite normalisation. Real
transforms keep one half of the spectrum: the bins that stand for two count twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from portanet.tape.box import device_of
from portanet.tape.ops.batching import behind, positive
from portanet.tape.ops.card import Card
from portanet.tape.rule import Linear, cast, conj

_OPPOSITE = {"backward": "forward", "forward": "backward", "ortho": "ortho", None: "forward"}


def _resize(xp: Any, x: Any, size: int, axis: int) -> Any:
    """Cut an axis, or fill it with zeros, to `size`."""
    axis %= x.ndim
    missing = size - x.shape[axis]
    if missing == 0:
        return x
    if missing < 0:
        return x[(*(slice(None),) * axis, slice(size), ...)]
    shape = tuple(missing if i == axis else n for i, n in enumerate(x.shape))
    return xp.concat([x, xp.zeros(shape, dtype=x.dtype, device=device_of(x))], axis=axis)


def _one_axis(opposite: str) -> Callable[..., Any]:
    def transpose(
        xp: Any, g: Any, x: Any, *, n: Any = None, axis: int = -1, norm: str | None = "backward"
    ) -> Any:
        g = getattr(xp.fft, opposite)(g, axis=axis, norm=_OPPOSITE.get(norm, norm))
        return cast(xp, _resize(xp, g, x.shape[axis], axis), x.dtype)

    return transpose


def _axes(x: Any, s: Sequence[int] | None, axes: Sequence[int] | None) -> tuple[int, ...]:
    if axes is not None:
        return tuple(axes)
    return tuple(range(-(x.ndim if s is None else len(s)), 0))


def _several_axes(opposite: str) -> Callable[..., Any]:
    def transpose(
        xp: Any, g: Any, x: Any, *, s: Any = None, axes: Any = None, norm: str | None = "backward"
    ) -> Any:
        axes = _axes(x, s, axes)
        g = getattr(xp.fft, opposite)(g, axes=axes, norm=_OPPOSITE.get(norm, norm))
        return cast(xp, _resized_all(xp, g, x, axes), x.dtype)

    return transpose


def _counts(xp: Any, half: Any, n: Any, axis: int) -> Any:
    """How many bins of a spectrum of length `n` each bin of its half stands for, along `axis`."""
    size = half.shape[axis]
    bins = xp.arange(size, device=device_of(half))
    single = (bins == 0) if n % 2 else xp.logical_or(bins == 0, bins == n // 2)
    counts = 2 - xp.astype(single, half.dtype)
    return xp.reshape(counts, (size,) + (1,) * (half.ndim - 1 - axis % half.ndim))


def _rfft_transpose(
    xp: Any, g: Any, x: Any, *, n: int | None = None, axis: int = -1, norm: str | None = "backward"
) -> Any:
    n = x.shape[axis] if n is None else n
    g = xp.fft.irfft(g / _counts(xp, g, n, axis), n=n, axis=axis, norm=_OPPOSITE.get(norm, norm))
    return _resize(xp, g, x.shape[axis], axis)


def _irfft_transpose(
    xp: Any, g: Any, x: Any, *, n: int | None = None, axis: int = -1, norm: str | None = "backward"
) -> Any:
    return cast(xp, _half_spectrum(xp, g, x, axis, norm), x.dtype)


def _half_spectrum(xp: Any, g: Any, x: Any, axis: int, norm: str | None) -> Any:
    n = g.shape[axis]
    g = xp.fft.rfft(g, axis=axis, norm=_OPPOSITE.get(norm, norm))
    return _resize(xp, g * _counts(xp, g, n, axis), x.shape[axis], axis)


def _hfft_transpose(
    xp: Any, g: Any, x: Any, *, n: int | None = None, axis: int = -1, norm: str | None = "backward"
) -> Any:
    return conj(xp, _irfft_transpose(xp, g, x, n=n, axis=axis, norm=_OPPOSITE.get(norm, norm)))


def _ihfft_transpose(
    xp: Any, g: Any, x: Any, *, n: int | None = None, axis: int = -1, norm: str | None = "backward"
) -> Any:
    return _rfft_transpose(xp, conj(xp, g), x, n=n, axis=axis, norm=_OPPOSITE.get(norm, norm))


def _rfftn_transpose(
    xp: Any, g: Any, x: Any, *, s: Any = None, axes: Any = None, norm: str | None = "backward"
) -> Any:
    *others, last = _axes(x, s, axes)
    size = x.shape[last] if s is None else s[-1]
    if others:
        g = _resized_all(
            xp, xp.fft.ifftn(g, axes=others, norm=_OPPOSITE.get(norm, norm)), x, others
        )
    return _rfft_transpose(xp, g, x, n=x.shape[last] if size == -1 else size, axis=last, norm=norm)


def _irfftn_transpose(
    xp: Any, g: Any, x: Any, *, s: Any = None, axes: Any = None, norm: str | None = "backward"
) -> Any:
    *others, last = _axes(x, s, axes)
    g = _half_spectrum(xp, g, x, last, norm)
    if others:
        g = _resized_all(xp, xp.fft.fftn(g, axes=others, norm=_OPPOSITE.get(norm, norm)), x, others)
    return cast(xp, g, x.dtype)


def _resized_all(xp: Any, g: Any, x: Any, axes: Sequence[int]) -> Any:
    for axis in axes:
        g = _resize(xp, g, x.shape[axis], axis)
    return g


def _transform(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    """Transform one axis, the last by default."""
    x = values[0]
    axis = positive(primitive.name, kwargs.get("axis", -1), x.ndim - 1) + 1
    return primitive(x, **{**kwargs, "axis": axis})


def _transforms(
    trace: Any, primitive: Any, values: list[Any], batched: list[bool], kwargs: dict[str, Any]
) -> Any:
    """Transform several axes: the last ones if only sizes are given, all without either."""
    x, axes, sizes = values[0], kwargs.get("axes"), kwargs.get("s")
    if axes is None and sizes is not None:
        axes = tuple(range(-len(sizes), 0))
    return primitive(x, **{**kwargs, "axes": behind(primitive.name, axes, x.ndim - 1)})


CARDS = [
    Card("fft.fft", Linear(_one_axis("ifft")), _transform, fresh=True),
    Card("fft.ifft", Linear(_one_axis("fft")), _transform, fresh=True),
    Card("fft.fftn", Linear(_several_axes("ifftn")), _transforms),
    Card("fft.ifftn", Linear(_several_axes("fftn")), _transforms),
    Card("fft.rfft", Linear(_rfft_transpose), _transform, fresh=True),
    Card("fft.irfft", Linear(_irfft_transpose), _transform, fresh=True),
    Card("fft.rfftn", Linear(_rfftn_transpose), _transforms),
    Card("fft.irfftn", Linear(_irfftn_transpose), _transforms),
    Card("fft.hfft", Linear(_hfft_transpose), _transform),
    Card("fft.ihfft", Linear(_ihfft_transpose), _transform),
    Card(
        "fft.fftshift", Linear(lambda xp, g, x, *, axes=None: xp.fft.ifftshift(g, axes=axes)),
        _transforms, fresh=True, rearranged=True,
    ),
    Card(
        "fft.ifftshift", Linear(lambda xp, g, x, *, axes=None: xp.fft.fftshift(g, axes=axes)),
        _transforms, fresh=True, rearranged=True,
    ),
]  # fmt: skip
