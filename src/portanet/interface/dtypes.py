"""The dtypes of an array library: their names and kinds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from portanet.errors import DTypeError
from portanet.once import once


class DTypes(ABC):
    """What `portanet.backends.Backend` knows of the dtypes in its namespace."""

    name: ClassVar[str]

    @property
    @abstractmethod
    def xp(self) -> Any:
        """The Array API namespace in which layers compute."""

    def dtype(self, name: str) -> Any:
        """Return the library's dtype called `name`."""
        dtype = getattr(self.xp, name, None)
        if dtype is None:
            raise DTypeError(f"{self.name} has no dtype {name!r}")
        return dtype

    def dtype_name(self, dtype: Any) -> str:
        """Return the name of one of the library's dtypes."""
        return dtype.__name__ if isinstance(dtype, type) else str(dtype).rpartition(".")[2]

    def is_floating(self, dtype: Any) -> bool:
        """Whether arrays of `dtype` can be differentiated: real or complex floating point."""
        return self._is_kind(dtype, ("real floating", "complex floating"))

    def is_real(self, dtype: Any) -> bool:
        """Whether `dtype` is real floating point."""
        return self._is_kind(dtype, "real floating")

    def is_complex(self, dtype: Any) -> bool:
        """Whether `dtype` is complex floating point."""
        return self._is_kind(dtype, "complex floating")

    def _is_kind(self, dtype: Any, kind: Any) -> bool:
        known = self._known_kinds
        try:
            return known[dtype, kind]
        except KeyError:
            answer = known[dtype, kind] = bool(self.xp.isdtype(dtype, kind))
            return answer

    @once
    def _known_kinds(self) -> dict[Any, bool]:
        return {}
