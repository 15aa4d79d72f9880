"""What a backend is, the registry of their names, and the look-up by arrays."""

from portanet.interface.backend import Backend
from portanet.interface.lift import lift
from portanet.interface.lookup import (
    adapter_of,
    array_namespace,
    backend_of,
    beside,
    device_of,
    dtype_name,
    is_array,
    is_array_of,
    is_floating,
    same_dtype,
    takes_over,
)
from portanet.interface.registry import available, every_backend, get_backend, register
from portanet.interface.stand_ins import standing_in

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
