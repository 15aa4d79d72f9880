"""JAX's namespace with the derivatives at kinks that every other library has here.

JAX has its own at some: 1 at 0 for ``abs``, a half at the bounds of ``clip``, NaN for the norm and
the deviation of equal numbers and for the power 0 of 0 (its operator ``**`` keeps that one); and a
traced cumulative product loses the sign of a zero. There the tape's rules take over, written on the
standard.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer

from portanet.errors import NoDerivativeError
from portanet.tape.capabilities import REFUSED
from portanet.tape.ops.complex_numbers import direction
from portanet.tape.ops.table import CARDS
from portanet.tape.rule import Rule

_RULED = (
    "abs", "atan2", "copysign", "cumulative_prod", "hypot", "logaddexp", "nextafter", "pow",
)  # fmt: skip


class Ruled:
    """A function of JAX arrays with one of the tape's rules as its derivative.

    It stands in for the primitive that a rule is given. Only its positional arguments are
    differentiated, like those of a primitive. Body and rule are compiled as one program each: JAX
    would compile and call every operation in them.
    """

    def __init__(self, name: str, compute: Callable[..., Any], rule: Rule, xp: Any) -> None:
        self.name = name
        self.compute = compute
        self.rule = rule
        self.xp = xp

    def __call__(self, *args: Any, **options: Any) -> Any:
        if not any(isinstance(x, Tracer) for x in args):
            return _fused(self.compute, args, options)
        places = tuple(i for i, x in enumerate(args) if is_smooth(x))

        @jax.custom_jvp
        def function(*arrays: Any) -> Any:
            return _fused(self.compute, filled(args, places, arrays), options)

        @function.defjvp
        def _(arrays: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
            result = function(*arrays)
            given = (places, result, *tangents, *filled(args, places, arrays))
            return result, _fused(self._push, given, options)

        return function(*(args[i] for i in places))

    def _push(self, places: tuple[int, ...], result: Any, *rest: Any, **options: Any) -> Any:
        tangents, args = rest[: len(places)], rest[len(places) :]
        return self.rule.jvp(self, tangents, result, args, options, places)


def filled(args: Sequence[Any], places: Sequence[int], arrays: Sequence[Any]) -> list[Any]:
    """Return `args` with those at some places replaced."""
    values = list(args)
    for i, x in zip(places, arrays, strict=True):
        values[i] = x
    return values


def _fused(function: Callable[..., Any], args: Sequence[Any], options: dict[str, Any]) -> Any:
    """Call a function as one program, in which everything but arrays is a constant."""
    arrays = [x for x in args if isinstance(x, jax.Array)]
    constants = [None if isinstance(x, jax.Array) else (type(x), x) for x in args]
    constants += [(type(x), x) for x in options.values()]
    try:
        program = _program(function, tuple(constants), tuple(options))
    except TypeError:  # a constant that cannot be hashed
        return function(*args, **options)
    return program(*arrays)


@functools.lru_cache(maxsize=1024)
def _program(
    function: Callable[..., Any], constants: tuple[Any, ...], names: tuple[str, ...]
) -> Callable[..., Any]:
    def body(*arrays: Any) -> Any:
        given = iter(arrays)
        values = [next(given) if c is None else c[1] for c in constants]
        count = len(values) - len(names)
        return function(*values[:count], **dict(zip(names, values[count:], strict=True)))

    return jax.jit(body)


def is_smooth(x: Any) -> bool:
    """Whether `x` is a floating-point array of JAX, plain or traced."""
    return isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jnp.inexact)


def _wide(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that works 16 bits out in float32, where their squares do not overflow."""

    @functools.wraps(function)
    def computed(x: jax.Array, /, **options: Any) -> jax.Array:
        if x.dtype not in (jnp.float16, jnp.bfloat16):
            return function(x, **options)
        return function(x.astype(jnp.float32), **options).astype(x.dtype)

    return computed


def namespace() -> Any:
    """Return ``jax.numpy`` with the tape's rules where JAX's own differ."""
    xp = _copy(jnp)
    xp.complex_dtypes = {}
    xp.linalg = _copy(jnp.linalg)
    for name in _RULED:
        setattr(xp, name, Ruled(name, getattr(jnp, name), CARDS[name].rule, xp))
    xp.std = Ruled("std", _wide(jnp.std), CARDS["std"].rule, xp)
    norm, rule = _wide(jnp.linalg.vector_norm), CARDS["linalg.vector_norm"].rule
    xp.linalg.vector_norm = Ruled("vector_norm", norm, rule, xp)
    clip_between = Ruled("clip", jnp.clip, CARDS["clip_between"].rule, xp)

    def clip(x: Any, /, min: Any = None, max: Any = None) -> Any:
        return clip_between(x, min, max)

    def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
        if ord is None or ord == "fro":
            return xp.linalg.vector_norm(x, axis=(-2, -1), keepdims=keepdims)
        return jnp.linalg.matrix_norm(x, keepdims=keepdims, ord=ord)

    def sign(x: Any, /) -> Any:
        return direction(xp, xp.abs(x), x) if jnp.iscomplexobj(x) else jnp.sign(x)

    for full_name, card in CARDS.items():
        room, _, name = full_name.rpartition(".")
        if card.body is not None and (room == "linalg" or name == "logaddexp_share"):
            body = functools.partial(card.body, xp)
            setattr(xp.linalg if room else xp, name, Ruled(name, body, card.rule, xp))
    xp.linalg.solve_triangular = _solve_triangular
    for name in REFUSED:
        setattr(xp, name, _refusing(name))
    xp.clip, xp.linalg.matrix_norm = clip, matrix_norm
    xp.sign = sign
    return xp


def _solve_triangular(
    a: jax.Array, b: jax.Array, /, *, lower: bool = False, unit_diagonal: bool = False
) -> jax.Array:
    """Solve with JAX's own function, which spreads nothing."""
    columns = b[:, None] if b.ndim == 1 else b
    batch = jnp.broadcast_shapes(a.shape[:-2], columns.shape[:-2])
    a, columns = (jnp.broadcast_to(x, (*batch, *x.shape[-2:])) for x in (a, columns))
    x = jax.lax.linalg.triangular_solve(
        a, columns, left_side=True, lower=lower, unit_diagonal=unit_diagonal
    )
    return x[..., 0] if b.ndim == 1 else x


def _refusing(name: str) -> Callable[..., Any]:
    """Let a function take plain arrays alone: of traced ones JAX would give a zero derivative."""
    compute = getattr(jnp, name)

    @functools.wraps(compute)
    def refusing(x: Any, /) -> Any:
        if isinstance(x, Tracer):
            raise NoDerivativeError(f"{name} has no derivative rule: {REFUSED[name]}")
        return compute(x)

    return refusing


def _copy(module: types.ModuleType) -> Any:
    copy = types.ModuleType(module.__name__, module.__doc__)
    copy.__dict__.update(vars(module))
    return copy
