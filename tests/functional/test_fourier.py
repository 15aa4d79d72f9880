"""Short-time spectra against PyTorch's, and back."""

from __future__ import annotations

import numpy as np
import pytest

import portanet as pn
from portanet.errors import HyperparameterError, PortanetError, ShapeError

stft, istft = pn.functional.stft, pn.functional.istft
RNG = np.random.default_rng(4)


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize(("n", "hop"), [(8, None), (8, 3), (7, 2), (5, 5), (1, 1)])
def test_spectra_are_those_of_torch(backend, n, hop, center, own):
    torch = pytest.importorskip("torch")
    x = RNG.normal(size=(3, 41))
    window = RNG.uniform(0.5, 1.5, size=n) if own else None
    factors = torch.hann_window(n, dtype=torch.float64) if window is None else torch.tensor(window)
    wanted = torch.stft(
        torch.tensor(x), n, hop or max(n // 4, 1), window=factors, center=center,
        return_complex=True,
    )  # fmt: skip
    options = {"hop": hop, "window": None if window is None else backend.asarray(window)}
    spectra = stft(backend.asarray(x), n, center=center, **options)
    np.testing.assert_allclose(backend.to_numpy(spectra), wanted.mT.numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.filterwarnings("ignore:The length of signal is shorter")  # says torch
@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("length", [None, 30, 60])
def test_signals_are_those_of_torch(backend, center, length):
    torch = pytest.importorskip("torch")
    spectra = RNG.normal(size=(2, 13, 5)) + 1j * RNG.normal(size=(2, 13, 5))
    spectra[..., [0, -1]] = spectra[..., [0, -1]].real  # of which torch reads no more
    window = RNG.uniform(0.5, 1.5, size=8)
    wanted = torch.istft(
        torch.tensor(spectra).mT, 8, 3, window=torch.tensor(window), center=center, length=length
    )
    options = {"hop": 3, "window": backend.asarray(window), "center": center, "length": length}
    signal = backend.to_numpy(istft(backend.asarray(spectra), 8, **options))
    assert signal.shape[-1] == (length or 8 + 3 * 12 - 8 * center)
    shared = min(wanted.shape[-1], signal.shape[-1])
    np.testing.assert_allclose(
        signal[:, :shared], wanted.numpy()[:, :shared], rtol=1e-11, atol=1e-12
    )
    assert np.all(signal[:, 8 + 3 * 12 - 4 * center :] == 0)


@pytest.mark.parametrize("length", [16, 50, 51])
def test_there_and_back(backend, length):
    x = backend.asarray(RNG.normal(size=(2, 3, length)).astype(np.float32))
    spectra = stft(x, 16)
    assert tuple(spectra.shape) == (2, 3, 1 + length // 4, 9)
    again = istft(spectra, 16, length=length)
    np.testing.assert_allclose(backend.to_numpy(again), backend.to_numpy(x), rtol=0, atol=2e-6)
    assert again.dtype == x.dtype


def test_the_derivative_is_that_of_the_energy(backend):
    """By Parseval's theorem the whole spectrum of a frame has n times its energy."""
    x = backend.asarray(RNG.normal(size=24))
    ones = backend.asarray(np.ones(8))

    def energy(x):
        spectra = stft(x, 8, hop=8, window=ones, center=False)
        squares = backend.xp.abs(spectra) ** 2
        return backend.xp.sum(2.0 * squares[:, 1:-1]) + backend.xp.sum(squares[:, ::4])

    value, slope = pn.value_and_grad(energy)(x)
    np.testing.assert_allclose(float(value), 8 * np.sum(backend.to_numpy(x) ** 2), rtol=1e-12)
    np.testing.assert_allclose(backend.to_numpy(slope), 16 * backend.to_numpy(x), rtol=1e-11)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: stft(np.zeros(4), 8), ShapeError, "x.shape[-1] >= 5, for frames of 8: 4 < 5"),
        (lambda: stft(np.zeros(9), 0), HyperparameterError, "n is an integer >= 1: got 0"),
        (lambda: stft(np.zeros(9), 4, hop=0), HyperparameterError, "hop is an integer >= 1: got 0"),
        (
            lambda: stft(np.zeros(9), 4, window=np.ones(3)),
            ShapeError,
            "window.shape == (n,): (3,) != (4,)",
        ),
        (
            lambda: istft(np.zeros((3, 4), complex), 4),
            ShapeError,
            "spectra.shape[-1] == n // 2 + 1: 4 != 3",
        ),
        (
            lambda: istft(np.zeros((0, 3), complex), 4),
            ShapeError,
            "spectra.shape[-2] >= 1: 0 < 1: there is at least one frame",
        ),
    ],
)
def test_what_is_refused(call, error, text):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == text
    with pytest.raises(PortanetError):
        stft(np.zeros(9, complex), 4)
