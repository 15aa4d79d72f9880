"""Running a case in a narrow dtype on a library, and comparing it with float64 on NumPy."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

import portanet as pn
from fuzz.dtypes.cases import Case
from fuzz.dtypes.narrow import BLOCK, NARROW, Narrow, complaint, map_floats, results, tolerances
from portanet import trees
from portanet.backends import backend_of

INTEGERS = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64")


def magnified(case: Case, magnitude: float, kind: Narrow) -> Any:
    """Return the inputs of a case, scaled, with its parameters, all rounded to a narrow dtype."""
    inputs = case.given if case.inputs is None else case.given[: case.inputs]
    scaled = map_floats(lambda x: x * magnitude, inputs)
    return map_floats(kind.rounded, (*scaled, *case.given[len(inputs) :]))


def gradient(case: Case) -> Any:
    """Return the function of the derivatives of a weighted sum of the results of a case."""

    def gradients(given: Any) -> Any:
        leaves, structure = trees.flatten(given)
        smooth = [i for i, x in enumerate(leaves) if _is_floating(x)]

        def total(floats: list[Any]) -> Any:
            rest = iter(floats)
            filled = [next(rest) if i in smooth else x for i, x in enumerate(leaves)]
            parts = [y for y in trees.leaves(case.call(trees.unflatten(structure, filled)))]
            parts = [y for y in parts if _is_floating(y)]
            return sum((pn.array_namespace(y).sum(y * _weights(y)) for y in parts), 0.0)

        return pn.grad(total)([leaves[i] for i in smooth])

    return gradients


def _weights(y: Any) -> Any:
    """Return numbers without a pattern that every dtype has, in the shape of `y`."""
    host = np.resize([0.5, 2.0, 1.0, 1.5, 0.5, 0.5, 2.0], y.shape).astype(np.float32)
    backend = backend_of(y)
    return backend.xp.astype(backend.from_numpy(host, backend.device_of(y)), y.dtype)


def _is_floating(x: Any) -> bool:
    is_array = hasattr(x, "dtype") and hasattr(x, "shape")
    return is_array and pn.array_namespace(x).isdtype(x.dtype, "real floating")


def on(library: str, given: Any, dtype: str) -> Any:
    """Return a tree of float64 on a library, in a narrow dtype that holds its numbers."""
    if dtype != "bfloat16":
        return pn.device(library)(pn.astype(given, dtype))
    return pn.astype(pn.device(library)(pn.astype(given, "float32")), dtype)


def faults(
    case: Case, library: str, dtype: str, magnitude: float, *, recorded: bool, seed: int = 0
) -> Iterator[str]:
    """Yield what is wrong with the values, the dtypes and the derivatives of a case."""
    kind, rng = NARROW[dtype], np.random.default_rng(seed)
    given = magnified(case, magnitude, kind)
    there = on(library, given, dtype)
    functions = {"value": case.call} | ({"gradient": gradient(case)} if case.smooth else {})
    for what, function in functions.items():
        where = f"{case.name} | {what} in {dtype} at {magnitude:g} on {library}"
        where += ", recorded" if recorded else ""
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                allowed = tolerances(
                    function, given, kind, rng,
                    together=what == "gradient", terms=case.terms.get(library, BLOCK),
                )  # fmt: skip
                run = pn.jit(function) if recorded else function
                found = run(there)
                got = results(found)
        except Exception as error:
            yield f"{where}: {type(error).__name__}: {str(error).splitlines()[0][:200]}"
            continue
        names = {str(x.dtype).rpartition(".")[2] for x in trees.leaves(found) if _is_floating(x)}
        if names - {dtype}:
            yield f"{where}: dtypes {sorted(names)}"
        for i, (y, (want, error)) in enumerate(zip(got, allowed, strict=False)):
            wrong = complaint(y, want, error, kind)
            if wrong:
                yield f"{where}: result {i} is {wrong}"


def integer_faults(case: Case, library: str, *, recorded: bool) -> Iterator[str]:
    """Yield what changes when the integers of a case come in other dtypes than int64."""
    whole = [x for x in trees.leaves(case.given) if getattr(x, "dtype", None) == np.int64]
    if not whole:
        return
    lowest = min(int(x.min(initial=0)) for x in whole)
    for dtype in INTEGERS:
        if lowest < 0 and dtype.startswith("u"):
            continue
        where = f"{case.name} | {dtype} on {library}" + (", recorded" if recorded else "")
        there = pn.device(library)
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                run = pn.jit(case.call) if recorded else case.call
                want = results(case.call(there(case.given)))
                got = results(run(there(trees.map_leaves(_recast(dtype), case.given))))
        except Exception as error:
            yield f"{where}: {type(error).__name__}: {str(error).splitlines()[0][:200]}"
            continue
        for y, w in zip(got, want, strict=True):
            if not np.allclose(y, w, rtol=1e-12, atol=1e-12, equal_nan=True):
                yield f"{where}: {y.ravel()[:3]} for {w.ravel()[:3]}"


def _recast(dtype: str) -> Any:
    return lambda x: x.astype(dtype) if getattr(x, "dtype", None) == np.int64 else x
