"""Whose code something is: the user's, which is looked into, or that of a library.

Libraries are what is installed: the standard library, the folders of packages, portanet itself.
They are taken for constant.
"""

from __future__ import annotations

import sys
import sysconfig
from functools import lru_cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any


def is_of_user(x: Any) -> bool:
    """Whether a function of Python, a class or a module is the user's own."""
    if isinstance(x, FunctionType):
        return _is_file_of_user(x.__code__.co_filename)
    name = x.__name__ if isinstance(x, ModuleType) else x.__module__
    return _is_module_of_user(name)


def is_of_portanet(function: FunctionType) -> bool:
    """Whether a function of Python was written in this package, whatever it wraps."""
    return function.__code__.co_filename.startswith(_PACKAGE)


@lru_cache(maxsize=4096)
def _is_file_of_user(file: str) -> bool:
    return not file.startswith(_INSTALLED)


@lru_cache(maxsize=1024)
def _is_module_of_user(name: str) -> bool:
    top = name.partition(".")[0]
    if top in ("builtins", "portanet") or (top in sys.stdlib_module_names and top != "__main__"):
        return False
    file = getattr(sys.modules.get(name), "__file__", None)
    return file is None or _is_file_of_user(file)


_PACKAGE = str(Path(__file__).parents[2])
_FOLDERS = {sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")}
_INSTALLED = ("<frozen", "<portanet", _PACKAGE, *_FOLDERS)
