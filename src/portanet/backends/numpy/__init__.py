"""The adapter of NumPy, and the native bodies of its kernels."""

from portanet.backends.numpy.adapter import NumPyBackend

__all__ = ["NumPyBackend"]
