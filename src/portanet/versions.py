"""What to paste into a bug report."""

from __future__ import annotations

import platform
import sys

from portanet.interface import available, get_backend

_PACKAGES = ("portanet", "numpy", "array-api-compat", "autograd", "optree")


def show_versions() -> None:
    """Print the versions of portanet, Python, its dependencies and every array library.

    For each library it says whether it can be used here, on which devices, or why not. One that
    is not installed is not imported.

    Examples
    --------
    >>> import portanet as pn
    >>> pn.show_versions()
    portanet...
    python...
    """
    rows = [(name, _version(name)) for name in _PACKAGES]
    python = f"{platform.python_version()} ({sys.executable})"
    rows[1:1] = [("python", python), ("platform", platform.platform())]
    _table(rows)
    print("\nbackends")
    _table([(f"  {name}", _state(name, reason)) for name, reason in available().items()])


def _version(distribution: str) -> str:
    from importlib import metadata

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"


def _state(name: str, reason: str | None) -> str:
    if reason is not None:
        return reason
    backend = get_backend(name)
    devices = ", ".join(map(backend.device_name, backend.devices()))
    return f"{backend.version() or 'unknown version'}; devices: {devices}"


def _table(rows: list[tuple[str, str]]) -> None:
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        print(f"{name:<{width}}  {text}")
