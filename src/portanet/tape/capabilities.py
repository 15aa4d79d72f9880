"""What can be differentiated on which backend: a table made of the rules and named exceptions.

The states of the tape's backends follow from the cards of its operations. Libraries that
differentiate by themselves can do the same unless `EXCEPTIONS` says why not. The tests run every
entry, so a row that claims too much fails, and so does an exception that is no longer true.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from portanet.tape.ops.card import UNKNOWN
from portanet.tape.ops.table import CARDS, COMPOSITES
from portanet.tape.rule import Constant

BACKENDS = ("numpy", "cupy", "array_api_strict", "torch", "jax")
TAPE = frozenset({"numpy", "cupy", "array_api_strict"})


class State(Enum):
    """What a derivative of a function is."""

    WORKS = "works"
    ZERO = "exactly zero"
    NAMED_ERROR = "named error"
    MISSING = "missing"
    NOTHING = "nothing to differentiate"


@dataclass(frozen=True)
class Capability:
    """One function on one backend.

    Attributes
    ----------
    function, backend : str
    value : bool
        Whether the function can be computed.
    vjp, jvp, second : State
        Reverse mode, forward mode, and derivatives of derivatives.
    reason : str
        Why a state is not `State.WORKS`, where that needs saying.
    """

    function: str
    backend: str
    value: bool
    vjp: State
    jvp: State
    second: State
    reason: str = ""


STANDARD: dict[str, tuple[str, ...]] = {
    "Elementwise": (
        "abs", "acos", "acosh", "add", "asin", "asinh", "atan", "atan2", "atanh", "bitwise_and",
        "bitwise_invert", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift", "bitwise_xor",
        "ceil", "clip", "conj", "copysign", "cos", "cosh", "divide", "equal", "exp", "expm1",
        "floor", "floor_divide", "greater", "greater_equal", "hypot", "imag", "isfinite", "isinf",
        "isnan", "less", "less_equal", "log", "log10", "log1p", "log2", "logaddexp", "logical_and",
        "logical_not", "logical_or", "logical_xor", "maximum", "minimum", "multiply", "negative",
        "nextafter", "not_equal", "positive", "pow", "real", "reciprocal", "remainder", "round",
        "sign", "signbit", "sin", "sinh", "sqrt", "square", "subtract", "tan", "tanh", "trunc",
    ),
    "Statistics": (
        "cumulative_prod", "cumulative_sum", "diff", "max", "mean", "min", "prod", "std", "sum",
        "var", "all", "any",
    ),
    "Manipulation": (
        "broadcast_arrays", "broadcast_shapes", "broadcast_to", "concat", "expand_dims", "flip",
        "moveaxis", "permute_dims", "repeat", "reshape", "roll", "squeeze", "stack", "tile",
        "unstack",
    ),
    "Creation": (
        "arange", "asarray", "empty", "empty_like", "eye", "from_dlpack", "full", "full_like",
        "linspace", "meshgrid", "ones", "ones_like", "tril", "triu", "zeros", "zeros_like",
    ),
    "Data types": ("astype", "can_cast", "finfo", "iinfo", "isdtype", "result_type"),
    "Linear algebra": ("matmul", "matrix_transpose", "tensordot", "vecdot"),
    "Indexing, searching, sorting, sets": (
        "argmax", "argmin", "argsort", "count_nonzero", "isin", "nonzero", "searchsorted", "sort",
        "take", "take_along_axis", "unique_all", "unique_counts", "unique_inverse",
        "unique_values", "where",
    ),
    "linalg": tuple(
        f"linalg.{name}"
        for name in (
            "cholesky", "cross", "det", "diagonal", "eig", "eigh", "eigvals", "eigvalsh", "inv",
            "matmul", "matrix_norm", "matrix_power", "matrix_rank", "matrix_transpose", "outer",
            "pinv", "qr", "slogdet", "solve", "svd", "svdvals", "tensordot", "trace", "vecdot",
            "vector_norm",
        )
    ),
    "fft": tuple(
        f"fft.{name}"
        for name in (
            "fft", "fftfreq", "fftn", "fftshift", "hfft", "ifft", "ifftn", "ifftshift", "ihfft",
            "irfft", "irfftn", "rfft", "rfftfreq", "rfftn",
        )
    ),
}  # fmt: skip

# Functions that take no array, or that make one out of shapes and numbers only.
_WITHOUT_INPUT = frozenset(
    {
        "arange", "broadcast_shapes", "can_cast", "empty", "eye", "fft.fftfreq", "fft.rfftfreq",
        "finfo", "from_dlpack", "iinfo", "isdtype", "ones", "result_type", "zeros",
    }
)  # fmt: skip

_SIZE_DEPENDS = "the number of entries depends on the values: sort, and compare neighbours, instead"

# Functions of the standard without a rule, and why.
REFUSED: dict[str, str] = {
    name: _SIZE_DEPENDS
    for name in ("unique_all", "unique_counts", "unique_inverse", "unique_values")
}

# Where a library that differentiates by itself departs from the table:
# (backend, function) -> (states of vjp, jvp and second order, reason).
EXCEPTIONS: dict[tuple[str, str], tuple[State, State, State, str]] = {
    ("jax", "linalg.eig"): (
        State.MISSING, State.MISSING, State.MISSING,
        "JAX differentiates the eigenvectors of general matrices only when it is told to",
    ),
    ("jax", "linalg.eigvals"): (
        State.WORKS, State.WORKS, State.MISSING,
        "needs the eigenvectors, which JAX differentiates only when it is told to",
    ),
}  # fmt: skip


def functions() -> Iterator[str]:
    """Yield the names of the table: those of the standard, extensions as ``linalg.det``."""
    for names in STANDARD.values():
        yield from names


def tape_state(function: str) -> tuple[State, str]:
    """Return what the cards say of a function, and why it has no rule."""
    if function in _WITHOUT_INPUT:
        return State.NOTHING, ""
    for name in (function, function.rpartition(".")[2]):
        if name in COMPOSITES:
            return State.WORKS, ""
        if name in CARDS and CARDS[name].rule is not UNKNOWN:
            return State.ZERO if isinstance(CARDS[name].rule, Constant) else State.WORKS, ""
    return State.NAMED_ERROR, REFUSED.get(function, "no rule")


def capability(function: str, backend: str) -> Capability:
    """Return the row of a function of the standard on a backend."""
    state, reason = tape_state(function)
    if backend in TAPE:
        return Capability(function, backend, True, state, state, state, reason)
    if (backend, function) not in EXCEPTIONS:
        return Capability(function, backend, True, state, state, state, reason)
    vjp, jvp, second, reason = EXCEPTIONS[backend, function]
    return Capability(function, backend, True, vjp, jvp, second, reason)


def table(backends: Iterable[str] = BACKENDS) -> list[Capability]:
    """Return the whole table, function by function."""
    backends = tuple(backends)
    return [capability(name, backend) for name in functions() for backend in backends]


def counts(backend: str) -> Counter[State]:
    """Count the states of reverse mode on a backend."""
    return Counter(row.vjp for row in table((backend,)))
