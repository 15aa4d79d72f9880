"""Running a program plain and recorded, and saying what differs."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import portanet as pn
from fuzz.programs.program import Program, names
from portanet import trees
from portanet.tracing.plan import blocks

_TOLERANCES = {2: 2e-2, 4: 2e-4, 8: 1e-8}  # by the bytes of a real number
_BODIES = ("cond", "while_loop")  # recorded whole, where the plain function runs what it needs
_REFUSED = (
    "NoDerivativeError",  # what need not work
    *(f"{error}: {name}" for error in ("ShapeError", "DTypeError") for name in _BODIES),
)
_OURS = ".*failed in portanet"  # what the function's own run would hide
_NUDGE = 1e-13  # of inputs: a program that it changes visibly says nothing


@dataclass(frozen=True)
class Outcome:
    """What came of a program.

    Attributes
    ----------
    kind : str
        ``"same"``, ``"skipped"``, ``"refused"`` or what went wrong.
    detail : str
    """

    kind: str
    detail: str = ""

    @property
    def wrong(self) -> bool:
        return self.kind not in ("same", "skipped", "refused")


class _Differs(Exception):
    """A recorded run differs from another."""


def run(program: Program) -> Outcome:
    """Compute a program plain and four times recorded, and hold the results against each other."""
    before = blocks._LARGE, blocks._BLOCK
    if program.block is not None:
        blocks._LARGE, blocks._BLOCK = program.block
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            warnings.filterwarnings("error", _OURS)
            return _run(program)
    finally:
        blocks._LARGE, blocks._BLOCK = before


def _run(program: Program) -> Outcome:
    backend = pn.backends.get_backend(program.library)
    known = names(backend)
    exec(program.maker() + program.body(), known)
    inputs, function = known["inputs"], known["f"]
    first, second = program.seed, program.seed + 1
    try:
        wanted = function(*inputs(first)), function(*inputs(second))
    except Exception as error:
        return Outcome("skipped", type(error).__name__)
    jitted = pn.jit(function, donate_argnums=program.donated)
    try:
        results, given = [], []
        for seed in (first, second, first, first):
            arguments = inputs(seed)
            given.append((seed, arguments))
            results.append(jitted(*arguments))
            if len(results) == 1:
                kept = [_bits(x) for x in trees.leaves(results[0])]
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        if "MemoryError" in text:
            return Outcome("skipped", "MemoryError")
        if text.startswith(_REFUSED):
            return Outcome("refused", text[:90])
        return Outcome(f"raises {type(error).__name__}", str(error))
    try:
        coarsest = _coarsest(program, known)
        _check_close(results[0], wanted[0], "call 1", coarsest)
        _check_close(results[1], wanted[1], "call 2, of other inputs", coarsest)
        for i in (2, 3):
            _check_bits(results[i], results[0], f"call {i + 1}")
        if kept != [_bits(x) for x in trees.leaves(results[0])]:
            raise _Differs("an earlier result has changed")
        for seed, arguments in given:
            for i, (x, y) in enumerate(zip(arguments, inputs(seed), strict=True)):
                if i not in program.donated and _bits(x) != _bits(y):
                    raise _Differs(f"input {i} was written")
    except _Differs as error:
        if _is_settled(program, known, wanted):
            kind = str(error).partition(":")[0]
            return Outcome(kind, str(error))
        return Outcome("skipped", "ill-conditioned")
    return Outcome("same")


def _is_settled(program: Program, known: dict[str, Any], wanted: Any) -> bool:
    """Whether the function gives nearly the same at inputs that are nearly the same."""
    function, backend = known["f"], known["backend"]
    for seed, y in zip((program.seed, program.seed + 1), wanted, strict=True):
        arguments = [_nudged(backend, x) for x in known["inputs"](seed)]
        try:
            _check_close(function(*arguments), y, "nudged", _coarsest(program, known))
        except Exception:
            return False
    return True


def _nudged(backend: Any, x: Any) -> Any:
    if isinstance(x, pn.random.Key):
        return x
    host = np.asarray(backend.to_numpy(x))
    if host.dtype.kind not in "fc" or host.dtype.itemsize < 8:
        return x
    factors = 1 + _NUDGE * np.random.default_rng(0).normal(size=host.shape)
    return backend.from_numpy(np.asarray(host * factors, host.dtype))


def _coarsest(program: Program, known: dict[str, Any]) -> int:
    """Return the bytes of the shortest real number that is computed with."""
    names = [name for name, _ in program.inputs]
    values = dict(zip(names, known["inputs"](program.seed), strict=True))
    for name, text in program.lines:
        values[name] = eval(text, {**known, **values})
    dtypes = [
        np.dtype(str(x.dtype).rpartition(".")[2]) for x in values.values() if hasattr(x, "dtype")
    ]
    sizes = [dtype.itemsize // (2 if dtype.kind == "c" else 1) for dtype in dtypes]
    return min((n for n, dtype in zip(sizes, dtypes, strict=True) if dtype.kind in "fc"), default=8)


def _check_close(actual: Any, expected: Any, where: str, coarsest: int) -> None:
    def check(a: np.ndarray, e: np.ndarray) -> str:
        real = e.real.dtype
        if real.kind != "f":
            return "" if np.array_equal(a, e) else "values"
        rtol = _TOLERANCES[min(real.itemsize, coarsest)]
        finite = np.abs(e[np.isfinite(e)])
        scale = max(1.0, float(np.max(finite, initial=0.0)))
        close = np.allclose(a, e, rtol=rtol, atol=rtol * scale, equal_nan=True)
        return "" if close else "values"

    _check(actual, expected, where, check)


def _check_bits(actual: Any, expected: Any, where: str) -> None:
    _check(actual, expected, where, lambda a, e: "" if a.tobytes() == e.tobytes() else "bits")


def _check(actual: Any, expected: Any, where: str, differ: Callable[..., str]) -> None:
    found, structure = trees.flatten(actual)
    wanted, other = trees.flatten(expected)
    if structure != other:
        raise _Differs(f"structure: {where}: {structure} != {other}")
    for i, (a, e) in enumerate(zip(found, wanted, strict=True)):
        if type(e) is complex:
            e = np.complex128(e)
        if type(a) is not type(e) and not _are_of_numpy(a, e):
            raise _Differs(f"type: {where}, result {i}: {type(a).__name__} != {type(e).__name__}")
        if not hasattr(e, "dtype"):
            if a != e:
                raise _Differs(f"values: {where}, result {i}: {a} != {e}")
            continue
        if a.dtype != e.dtype or a.shape != e.shape:
            raise _Differs(
                f"dtype or shape: {where}, result {i}: {a.dtype}{a.shape} != {e.dtype}{e.shape}"
            )
        difference = differ(_host(a), _host(e))
        if difference:
            raise _Differs(f"{difference}: {where}, result {i}: {_host(a)} != {_host(e)}"[:400])


def _are_of_numpy(*values: Any) -> bool:
    """Whether values are scalars or arrays of NumPy, which stand for each other."""
    return all(isinstance(x, np.ndarray | np.generic) for x in values)


def _host(x: Any) -> np.ndarray:
    return np.asarray(pn.backends.backend_of(x).to_numpy(x))


def _bits(x: Any) -> Any:
    return _host(x).tobytes() if hasattr(x, "dtype") else x


def shrunk(program: Program, kind: str, tries: int = 400) -> Program:
    """Return a smaller program that goes wrong in the same way, found greedily."""
    smaller = True
    while smaller and tries > 0:
        smaller = False
        for candidate in _candidates(program):
            tries -= 1
            try:
                same = run(candidate).kind == kind
            except Exception:
                same = False
            if same:
                program, smaller = candidate, True
                break
            if tries <= 0:
                break
    return program


def _candidates(program: Program) -> list[Program]:
    """Return programs that are a little smaller, those first that are smaller by more."""
    found = []
    if len(program.outputs) > 1:
        found += [replace(program, outputs=(output,)).used() for output in program.outputs]
        for i in range(len(program.outputs)):
            rest = program.outputs[:i] + program.outputs[i + 1 :]
            found.append(replace(program, outputs=rest).used())
    for i in reversed(range(len(program.lines))):
        before = [name for name, _ in (*program.inputs, *program.lines[:i])]
        found += [program.without(i, name) for name in before if name[0] != "k"]
    if program.block is not None:
        found.append(replace(program, block=None))
    if program.donated:
        found.append(replace(program, donated=()))
    if program.kind != "tuple":
        found.append(replace(program, kind="tuple"))
    text = program.body()
    for i, (name, _) in enumerate(program.inputs):
        if text.count(name) == 1 and len(program.inputs) > 1 and not program.donated:
            found.append(replace(program, inputs=program.inputs[:i] + program.inputs[i + 1 :]))
    return found
