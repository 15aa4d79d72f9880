"""Stand-ins for libraries that need hardware which is not there."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path


def put_in_the_place_of_cupy() -> bool:
    """Let ``import cupy`` find the stand-in unless CuPy itself can be used; return whether."""
    if _usable():
        return False
    for name in [x for x in sys.modules if x.partition(".")[0] in ("cupy", "cupyx")]:
        del sys.modules[name]
    sys.path.insert(0, str(Path(__file__).parent))
    importlib.import_module("cupy")
    return True


def can_compile() -> bool:
    """Whether kernels can be made: on a GPU, or with a compiler for the host."""
    compile = sys.modules.get("cupy._compile")
    return compile is None or compile.compiler() is not None


def _usable() -> bool:
    if importlib.util.find_spec("cupy") is None:
        return False
    try:
        import cupy

        return cupy.is_available()
    except Exception:  # whatever a library without its driver raises
        return False
