"""Array libraries as values: find one by its arrays or by its name.

A third party names its own under the entry-point group ``portanet.backends``, or calls `register`.
"""

from portanet.backends.tape_backend import TapeBackend
from portanet.interface import (
    Backend,
    array_namespace,
    available,
    backend_of,
    device_of,
    dtype_name,
    get_backend,
    is_array,
    is_array_of,
    is_floating,
    register,
    same_dtype,
)
from portanet.listing import listing

__all__ = [
    "Backend",
    "TapeBackend",
    "array_namespace",
    "available",
    "backend_of",
    "device_of",
    "dtype_name",
    "get_backend",
    "is_array",
    "is_array_of",
    "is_floating",
    "register",
    "same_dtype",
]
__dir__ = listing(__all__)
