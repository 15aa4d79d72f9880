"""Write ``cupy/release-14.json``: what the CuPy installed here names, and how it is called.

CuPy imports without a GPU. In an environment with the release wanted, and without this folder on
the path, which ``-P`` sees to::

    python -P tests/standin/generate.py

Of each function the table holds its parameters as Python writes them; of each ufunc its loops,
casting and in-place form; and which names are NumPy's own objects. Methods of ``cupy.ndarray`` are
compiled without signatures: theirs are in ``_methods.py``.
"""

from __future__ import annotations

import importlib
import inspect
import json
from pathlib import Path
from typing import Any

import cupy
import numpy as np

MODULES = {"cupy": np, "cupy.linalg": np.linalg, "cupy.fft": np.fft}


def parameters(function: Any) -> str | None:
    """Return the parameters of a function as text, None where it was compiled without."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    plain = [p.replace(annotation=p.empty, default=default(p.default)) for p in found]
    return str(inspect.Signature(plain))[1:-1]


class Word(str):
    """A default as the table says it."""

    __repr__ = str.__str__


def default(value: Any) -> Any:
    """Return a default that can be read again: the names of types, ``...`` for what has none."""
    if value is inspect.Parameter.empty or isinstance(value, (int, float, str, tuple, type(None))):
        return value
    return Word(value.__name__ if value in (float, int, bool) else "...")


def loops(function: Any) -> dict[str, Any]:
    """Return what is to be known of a ufunc; ``at`` is its operation on repeated indices."""
    return {
        "types": " ".join(function.types),
        "casting": function._default_casting,
        "at": function._scatter_op,
    }


def described(name: str) -> dict[str, Any]:
    """Return the public names of a module by their kinds."""
    module, host = importlib.import_module(name), MODULES[name]
    functions, ufuncs, same, others = {}, {}, [], []
    for key in sorted(n for n in dir(module) if not n.startswith("_")):
        thing = getattr(module, key)
        if isinstance(thing, cupy.ufunc):
            ufuncs[key] = loops(thing)
        elif thing is getattr(host, key, None):
            same.append(key)
        elif callable(thing) and not isinstance(thing, type):
            functions[key] = parameters(thing)
        elif not inspect.ismodule(thing):
            others.append(key)
    return {"functions": functions, "ufuncs": ufuncs, "same as NumPy's": same, "others": others}


def main() -> None:
    """Write the table beside the modules that read it."""
    table = {"version": cupy.__version__, **{name: described(name) for name in MODULES}}
    methods = sorted(n for n in dir(cupy.ndarray) if not n.startswith("_"))
    table["cupy.ndarray"] = methods
    major = cupy.__version__.partition(".")[0]
    target = Path(__file__).parent / "cupy" / f"release-{major}.json"
    target.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
