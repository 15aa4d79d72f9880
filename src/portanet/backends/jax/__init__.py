"""The adapter of JAX, and the native bodies of its kernels."""

from portanet.backends.jax.adapter import JaxBackend

__all__ = ["JaxBackend"]
