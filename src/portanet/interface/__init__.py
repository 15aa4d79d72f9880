"""What a backend is, and the registry that finds one by its arrays or by its name."""

from portanet.interface.backend import Backend
from portanet.interface.registry import (
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

__all__ = [
    "Backend",
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
