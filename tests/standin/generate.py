"""Write ``cupy/release.json``: what the CuPy that is installed here names, and how it is called.

CuPy imports without a GPU. In an environment with the release wanted and without this folder on
the path::

    python generate.py

Of each function the table holds its parameters, ``=`` behind those with a default; of each
ufunc its loops, casting and in-place form; and which names are NumPy's own objects. Methods of
``cupy.ndarray`` are compiled without signatures: theirs are in ``_array.py``.
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
    texts, named = [], False
    for before, p in zip([None, *found], found, strict=False):
        if before and before.kind is p.POSITIONAL_ONLY and p.kind is not p.POSITIONAL_ONLY:
            texts.append("/")
        if p.kind is p.KEYWORD_ONLY and not named and "*args" not in texts:
            texts.append("*")
        named = named or p.kind is p.KEYWORD_ONLY
        star = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        texts.append(f"{star}{p.name}{'=' * (p.default is not p.empty)}")
    if found and p.kind is p.POSITIONAL_ONLY:
        texts.append("/")
    return ", ".join(texts)


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
    target = Path(__file__).parent / "cupy" / "release.json"
    target.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
