"""The adapter of CuPy, and the native bodies of its kernels."""

from portanet.backends.cupy.adapter import CuPyBackend

__all__ = ["CuPyBackend"]
