"""Export random programs, proved against themselves: ``python -m fuzz.exports --programs 5000``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

import portanet as pn
from fuzz.programs import compare
from fuzz.programs.generate import Generator
from fuzz.programs.program import Program, names
from portanet.errors import ArgumentError, ExportError, ShapeError


def outcome_of(program: Program, folder: Path) -> tuple[str, str]:
    """Return the kind and the detail of what an export of a program comes to."""
    known = names(pn.backends.get_backend("numpy"))
    exec(program.maker() + program.body(), known)
    given, f = known["inputs"](program.seed), known["f"]
    arrays = [i for i, x in enumerate(given) if isinstance(x, np.ndarray)]

    def function(*values: Any) -> Any:
        full = list(given)
        for i, x in zip(arrays, values, strict=True):
            full[i] = x
        return f(*full)

    try:
        wanted = f(*given), f(*known["inputs"](program.seed + 1))
    except Exception as error:
        return "skipped", type(error).__name__
    examples = [given[i] for i in arrays]
    try:
        pn.export.numpy(function, folder / "made.py", *examples, batch_axis=None)
    except (ArgumentError, ShapeError) as error:
        return "refused", str(error)[:70]
    except ExportError as error:
        settled = compare._is_settled(program, known, wanted)
        return ("wrong", str(error)) if settled else ("skipped", "ill-conditioned")
    except Exception as error:
        return "wrong", f"{type(error).__name__}: {error}"
    return "same", ""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz.exports")
    parser.add_argument("--programs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.seterr(all="ignore")
        for seed in range(arguments.seed, arguments.seed + arguments.programs):
            program = Generator("numpy", seed).program().used()
            kind, detail = outcome_of(program, Path(folder))
            counts[kind] += 1
            if kind == "wrong":
                print(f"# seed {seed}: {detail}\n{program.body()}", flush=True)
    print(dict(counts))
    return bool(counts["wrong"])


if __name__ == "__main__":
    sys.exit(main())
