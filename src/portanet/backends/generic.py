"""The generic bodies of kernels, by name: what a native body leaves to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

GENERIC: dict[str, Callable[..., Any]] = {}
"""Filled by `portanet.functional.kernel`, which stands above the adapters."""
