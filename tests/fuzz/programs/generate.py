"""Programs made at random, line by line: a line that fails on plain arrays is not taken."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import portanet as pn
from fuzz.programs.program import Program, names
from fuzz.programs.words import (
    BODIES,
    CHAINED,
    DTYPES,
    EXTREMES,
    KEYS,
    LARGE,
    LAYOUTS,
    NUMPY,
    ROWS,
    SHAPES,
    STANDARD,
)

_HOLES = re.compile(r"\{(\w+)\}")
_KINDS = {"x": "biufc", "f": "f", "m": "f", "z": "c", "i": "iu", "b": "b"}
_TRIES = 8  # for one line
_MOST = 1e4  # of an entry: beyond it rounding says more than the program
_SIZE = 200_000  # entries of a result
_FEW = 200  # entries of an operand of what takes long
_LONG = re.compile(
    r"scan|meshgrid|vmap|jacobian|unstack|linalg|axes=0|loop|@|dot|matmul|take.*argmax"
)


class Generator:
    """Makes one program of a seed."""

    def __init__(self, library: str, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.library = library
        self.seed = seed
        self.backend: Any = pn.backends.get_backend(library)
        self.names = names(self.backend)
        self.wild = self.rng.random() < 0.05
        self.chain = library == "numpy" and self.rng.random() < 0.15
        self.values: dict[str, Any] = {}
        self.inputs: list[tuple[str, str]] = []
        self.lines: list[tuple[str, str]] = []

    def program(self) -> Program:
        rng = self.rng
        large = self.library == "numpy" and rng.random() < 0.02
        with np.errstate(all="ignore"):
            self._make_inputs(large)
        words = STANDARD if self.library != "numpy" else STANDARD + NUMPY
        if self.chain:  # arrays of one shape, in blocks of a few rows
            words = [word.replace("{t}", "{f}").replace("{s}", "{y}") for word in BODIES]
        count = int(rng.integers(8, 30) if self.chain else rng.integers(2, 14))
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            for _ in range(count):
                for _ in range(_TRIES):
                    if self._add(str(rng.choice(words))):
                        break
        made = list(self.values)
        wanted = [made[-1], *(str(rng.choice(made)) for _ in range(rng.integers(0, 4)))]
        kind = str(rng.choice(["tuple", "list", "dict"]))
        keys = [str(key) for key in rng.permutation(KEYS)]
        outputs = tuple(zip(keys, wanted, strict=False))
        arrays = [i for i, (name, _) in enumerate(self.inputs) if name[0] == "a"]
        donated = tuple(i for i in arrays if rng.random() < 0.5) if rng.random() < 0.2 else ()
        block = (1, 64) if self.chain or rng.random() < 0.2 else None
        return Program(
            self.library, self.seed, tuple(self.inputs), tuple(self.lines), outputs, kind, donated,
            block,
        ).used()  # fmt: skip

    def _make_inputs(self, large: bool) -> None:
        rng = self.rng
        shapes = LARGE if large else CHAINED if self.chain else SHAPES
        shape = shapes[rng.integers(len(shapes))]
        for i in range(int(rng.integers(1, 4))):
            if rng.random() < 0.4 and not self.chain:
                shape = shapes[rng.integers(len(shapes))]
            dtype = (
                "float64" if large or self.chain or rng.random() < 0.4 else str(rng.choice(DTYPES))
            )
            self._input(f"a{i}", self._array(shape, dtype))
        if rng.random() < 0.15:
            self._input("k0", "pn.random.key(int(rng.integers(9)))")

    def _array(self, shape: tuple[int, ...], dtype: str) -> str:
        if dtype == "float16" and self.library != "numpy":
            dtype = "float32"
        kind = np.dtype(dtype).kind
        text = f"rng.normal(size={shape})"
        if self.wild and kind == "f":
            text = f"rng.choice({EXTREMES}, size={shape})"
        elif kind == "c":
            text = f"{text} + 1j * {text}"
        elif kind in "iu":
            text = f"rng.integers({0 if kind == 'u' else -3}, 5, size={shape})"
        elif kind == "b":
            text = f"rng.random({shape}) < 0.5"
        text = f"np.asarray({text}, {dtype!r})"
        if self.library != "numpy":
            return f"backend.from_numpy({text})"
        if not shape:
            return f"{text}[()]" if self.rng.random() < 0.3 else text
        return LAYOUTS[self.rng.integers(len(LAYOUTS))].format(text)

    def _input(self, name: str, text: str) -> None:
        self.values[name] = eval(text, {**self.names, "rng": np.random.default_rng(self.seed)})
        self.inputs.append((name, text))

    def _add(self, word: str) -> bool:
        """Add a line, if it can be computed and its numbers are of moderate size."""
        text = self._filled(word)
        if text is None:
            return False
        try:
            value = eval(text, {**self.names, **self.values})
        except Exception:
            return False
        if isinstance(value, tuple | list):
            return bool(value) and self._add(f"{text}[{int(self.rng.integers(len(value)))}]")
        if not isinstance(value, pn.random.Key) and not self._is_moderate(value):
            return False
        name = f"v{len(self.lines)}"
        self.lines.append((name, text))
        self.values[name] = value
        return True

    def _is_moderate(self, value: Any) -> bool:
        if not hasattr(value, "dtype") or value.size > _SIZE:
            return False
        host = np.asarray(self.backend.to_numpy(value))
        if host.dtype.kind not in "biufc":
            return False
        return self.wild or bool(np.all(np.abs(host.astype(complex)) < _MOST))

    def _filled(self, word: str) -> str | None:
        """Put names and numbers into the holes of a word; None where there is no operand."""
        first: Any = None
        found: dict[str, str] = {}
        for hole in _HOLES.findall(word):
            if hole in _KINDS or hole == "k":
                fits = self._fitting(hole)
            elif hole in ("y", "w"):
                shape = tuple(self.values[first].shape) if first else None
                fits = [n for n in self._fitting("x") if tuple(self.values[n].shape) == shape]
            else:
                continue
            if not fits:
                return None
            place = len(fits) - 1 - min(int(self.rng.geometric(0.35)) - 1, len(fits) - 1)
            name = fits[place] if self.rng.random() < 0.7 else str(self.rng.choice(fits))
            first = first or (name if hole != "k" else None)
            if hole not in found or self.rng.random() < 0.2:
                found[hole] = name
            word = word.replace(f"{{{hole}}}", found[hole], 1)
        sizes = [getattr(self.values[name], "size", 1) for name in found.values()]
        if _LONG.search(word) and max(sizes, default=0) > _FEW:
            return None
        axes = [getattr(self.values[name], "ndim", 1) for name in found.values()]
        if ("cond" in word or "while" in word) and 0 in (*sizes, *axes):
            return None  # both branches are recorded, and one might refuse it
        if self.wild and ("grad" in word or "hvp" in word) and ("scan" in word or "while" in word):
            return None  # a recorded loop starts with cotangents of 0, and 0 * inf is NaN
        return self._with_numbers(word, first)

    def _fitting(self, hole: str) -> list[str]:
        if hole == "k":
            return [n for n, x in self.values.items() if isinstance(x, pn.random.Key)]
        arrays = {n: x for n, x in self.values.items() if hasattr(x, "dtype")}
        if hole == "m":
            arrays = {n: x for n, x in arrays.items() if x.ndim == 2}
        return [n for n, x in arrays.items() if self._kind(x) in _KINDS[hole]]

    def _kind(self, x: Any) -> str:
        return np.dtype(str(x.dtype).rpartition(".")[2]).kind

    def _with_numbers(self, word: str, first: str | None) -> str:
        rng = self.rng
        ndim = self.values[first].ndim if first else 0
        makers: dict[str, Callable[[], str]] = {
            "axis": lambda: str(int(rng.integers(-ndim, ndim)) if ndim else 0),
            "n": lambda: str(int(rng.integers(0, 4))),
            "c": lambda: repr(float(rng.choice([0.5, -0.25, 1.5, 0.0, 2.0, 1.0]))),
            "body": lambda: self._body(int(rng.integers(1, 4))),
            "other": lambda: self._body(int(rng.integers(1, 3))),
            "row": lambda: str(rng.choice(ROWS)),
        }
        return _HOLES.sub(lambda match: makers[match.group(1)](), word)

    def _body(self, depth: int) -> str:
        """Return an expression of `t` with its shape."""
        inner = "t" if depth <= 1 else f"({self._body(depth - 1)})"
        parts = {
            "t": lambda: inner,
            "s": lambda: "t",
            "c": lambda: repr(float(self.rng.choice([0.5, -0.25, 1.5, 2.0]))),
        }
        word = str(self.rng.choice(BODIES))
        return _HOLES.sub(lambda match: parts[match.group(1)](), word)
