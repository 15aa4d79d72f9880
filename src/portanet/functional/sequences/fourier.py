"""The spectra of short stretches of a signal, and the signal of such spectra."""

from __future__ import annotations

import math
from typing import Any

from portanet import checks
from portanet.errors import ShapeError
from portanet.functional.half import widened
from portanet.functional.spatial.padding import pad
from portanet.functional.spatial.unfold import fold, unfold
from portanet.interface import array_namespace, backend_of, device_of, dtype_name

_COMPLEX = {"float32": "complex64", "float64": "complex128"}


def stft(
    x: Any, n: int, /, *, hop: int | None = None, window: Any = None, center: bool = True
) -> Any:
    r"""Short-time Fourier transform of signals [1]_.

    .. math:: X_{t,f} = \sum_{k=0}^{n-1} w_k\, x_{k + t\, hop}\, e^{-2 \pi i f k / n}

    Parameters
    ----------
    x : array, shape (..., length)
        Real floating point numbers. Those of 16 bits are worked out in float32.
    n : int
        How many numbers a frame has.
    hop : int, optional
        How many there are between the beginnings of two frames; ``n // 4`` by default.
    window : array, shape (n,), optional
        The factors of a frame, of the dtype of `x`: by default Hann's,
        ``(1 - cos(2 π k / n)) / 2``, and 1 for frames of one number.
    center : bool, default True
        Whether the middle of frame t is at ``x[..., t * hop]``: the signal is continued on both
        sides by ``n // 2`` numbers, in a mirror. Otherwise that is where it begins.

    Returns
    -------
    complex array, shape (..., frames, n // 2 + 1)
        ``1 + length // hop`` frames, or ``1 + (length - n) // hop`` if they are not centred.

    Raises
    ------
    ShapeError
        If the signal is too short, or the window is not of shape (n,).
    HyperparameterError
        If `n` or `hop` is no integer above 0.

    References
    ----------
    .. [1] J. B. Allen, L. R. Rabiner, "A unified approach to short-time Fourier analysis and
       synthesis", Proceedings of the IEEE 65, 1977.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> tone = np.sin(2 * np.pi * 0.125 * np.arange(64))
    >>> spectra = functional.stft(tone, 16)
    >>> spectra.shape, int(np.argmax(abs(spectra[8])))
    ((17, 9), 2)
    """
    hop = _checked(n, hop, center)
    checks.real_floating("x", x)
    checks.rank_at_least("x", x, 1)
    x = widened(x)
    xp, lead, length = array_namespace(x), tuple(x.shape[:-1]), x.shape[-1]
    window = _window(xp, x, window, n)
    least = n // 2 + 1 if center else n
    if length < least:
        raise ShapeError(f"x.shape[-1] >= {least}, for frames of {n}: {length} < {least}")
    rows = xp.reshape(x, (math.prod(lead), length, 1))
    if center:
        rows = pad(rows, ((0, 0), (n // 2, n // 2), (0, 0)), "reflect")
    frames = unfold(rows, n, stride=hop)[..., 0]
    shape = (*lead, frames.shape[1], n // 2 + 1)
    frames = frames * window
    if 0 in lead:  # which torch's library does not transform
        complex_dtype = backend_of(x).dtype(_COMPLEX[dtype_name(x)])
        return xp.reshape(xp.astype(frames, complex_dtype), shape)
    return xp.reshape(xp.fft.rfft(frames, axis=-1), shape)


def istft(
    spectra: Any,
    n: int,
    /,
    *,
    hop: int | None = None,
    window: Any = None,
    center: bool = True,
    length: int | None = None,
) -> Any:
    r"""Signals whose short-time spectra are nearest to some: the inverse of `stft` [1]_.

    Each frame is transformed back and weighed by the window; where frames overlap, their sum is
    divided by that of the squares of the windows.

    Parameters
    ----------
    spectra : complex array, shape (..., frames, n // 2 + 1)
    n, hop, window, center
        As in `stft`.
    length : int, optional
        How many numbers the signals have: cut off, or filled up by zeros. By default as many as
        the frames reach.

    Returns
    -------
    array, shape (..., length)
        Zero where no window reaches.

    Raises
    ------
    ShapeError
        If the last axis is not of ``n // 2 + 1``, there are no frames, or the window is not of
        shape (n,).
    HyperparameterError
        If `n`, `hop` or `length` is no integer above 0.

    References
    ----------
    .. [1] D. W. Griffin, J. S. Lim, "Signal estimation from modified short-time Fourier
       transform", IEEE Transactions on Acoustics, Speech, and Signal Processing 32, 1984.

    Examples
    --------
    >>> import numpy as np
    >>> from portanet import functional
    >>> x = np.sin(np.arange(50.0))
    >>> again = functional.istft(functional.stft(x, 16), 16, length=50)
    >>> bool(np.allclose(again, x))
    True
    """
    hop = _checked(n, hop, center)
    checks.rank_at_least("spectra", spectra, 2)
    checks.last_axis("spectra", spectra, n // 2 + 1, "n // 2 + 1")
    count = spectra.shape[-2]
    if count == 0:
        raise ShapeError("spectra.shape[-2] >= 1: 0 < 1: there is at least one frame")
    if length is not None:
        length = checks.integer("istft: length", length, 1)
    xp, lead = array_namespace(spectra), tuple(spectra.shape[:-2])
    if 0 in lead:
        frames = xp.reshape(xp.real(spectra), (*lead, count, n))
    else:
        frames = xp.fft.irfft(spectra, n=n, axis=-1)
    window = _window(xp, frames, window, n)
    frames = xp.reshape(frames * window, (math.prod(lead), count, n, 1))
    size = n + hop * (count - 1)
    summed = fold(frames, size, n, stride=hop)[..., 0]
    squares = xp.broadcast_to(xp.reshape(window * window, (1, 1, n, 1)), (1, count, n, 1))
    weight = fold(squares, size, n, stride=hop)[..., 0]
    reached = weight > float(xp.finfo(weight.dtype).eps)
    signal = xp.where(reached, summed / xp.where(reached, weight, 1.0), 0.0)
    start = n // 2 if center else 0
    stop = size - start if length is None else min(start + length, size)
    signal = signal[:, start:stop]
    if length is not None and length > stop - start:
        signal = pad(signal, ((0, 0), (0, length - stop + start)))
    return xp.reshape(signal, (*lead, signal.shape[-1]))


def _checked(n: Any, hop: Any, center: Any) -> int:
    """Check how frames lie; return how many numbers there are between two."""
    checks.integer("n", n, 1)
    checks.flag_of("center", center)
    return max(n // 4, 1) if hop is None else checks.integer("hop", hop, 1)


def _window(xp: Any, x: Any, window: Any, n: int) -> Any:
    if window is None and n == 1:
        return xp.ones(1, dtype=x.dtype, device=device_of(x))
    if window is None:
        places = xp.arange(n, dtype=x.dtype, device=device_of(x))
        return 0.5 - 0.5 * xp.cos(places * (2.0 * math.pi / n))
    checks.shape_of("window", window, (n,), "(n,)")
    checks.same_kind("window", window, "x", x)
    return window
