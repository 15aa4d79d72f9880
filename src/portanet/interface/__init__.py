"""What a backend is, and the registry that finds one by its arrays or by its name."""

from portanet.interface.backend import Backend
from portanet.interface.lift import lift
from portanet.interface.registry import (
    adapter_of,
    array_namespace,
    available,
    backend_of,
    beside,
    device_of,
    dtype_name,
    every_backend,
    get_backend,
    is_array,
    is_array_of,
    is_floating,
    register,
    same_dtype,
    standing_in,
    takes_over,
)

__all__ = [
    "Backend",
    "adapter_of",
    "array_namespace",
    "available",
    "backend_of",
    "beside",
    "device_of",
    "dtype_name",
    "every_backend",
    "get_backend",
    "is_array",
    "is_array_of",
    "is_floating",
    "lift",
    "register",
    "same_dtype",
    "standing_in",
    "takes_over",
]
