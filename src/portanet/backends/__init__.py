"""Array libraries as values: find one by its arrays or by its name.

A third party registers its own under the entry-point group ``portanet.backends``.
"""

from portanet.backends.base import Backend, TapeBackend
from portanet.backends.registry import (
    array_namespace,
    available,
    backend_of,
    get_backend,
    is_array,
)

__all__ = [
    "Backend",
    "TapeBackend",
    "array_namespace",
    "available",
    "backend_of",
    "get_backend",
    "is_array",
]
