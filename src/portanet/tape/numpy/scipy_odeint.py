"""``scipy.integrate.odeint`` on traced arrays: the derivative of a solution solves an equation too.

SciPy solves them all, and the rules are written on `_solve` itself, so that a derivative has one.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from portanet import trees
from portanet.errors import ArgumentError, TracedValueError, shown
from portanet.tape.box import Box
from portanet.tape.numpy.operands import array, flat, raised, refuse
from portanet.tape.ops.card import Card
from portanet.tape.primitive import Primitive
from portanet.tape.rule import Rule, cast, fit
from portanet.tape.trace import jvp, vjp

_NAME = "scipy.integrate.odeint"
_WIDE = np.dtype(np.float64)
_OF_ONE_EQUATION = ("Dfun", "col_deriv", "ml", "mu")
"""The options that help with the equation at hand, and say nothing of that of a derivative."""


def odeint(
    xp: Any, func: Callable[..., Any], y0: Any, t: Any, args: Any = (), Dfun: Any = None,
    col_deriv: int = 0, full_output: int = 0, ml: Any = None, mu: Any = None, rtol: Any = None,
    atol: Any = None, tcrit: Any = None, h0: float = 0.0, hmax: float = 0.0, hmin: float = 0.0,
    ixpr: int = 0, mxstep: int = 0, mxhnil: int = 0, mxordn: int = 12, mxords: int = 5,
    printmessg: int = 0, tfirst: bool = False,
) -> Any:  # fmt: skip
    """Solve ``dy/dt = func(y, t, *args)``, differentiable in `y0`, `t` and the arrays of `args`.

    Forward mode carries the sensitivities along; reverse mode solves the adjoint equation from
    one time to the one before it, from the solution found there [1]_.

    References
    ----------
    .. [1] F. Fröhlich, C. Loos, J. Hasenauer, "Scalable inference of ordinary differential
       equation models of biochemical processes", 2019, https://arxiv.org/abs/1711.08079
    """
    if full_output:
        refuse(f"{_NAME} with full_output", "call it for the report outside of the derivative")
    if not isinstance(args, tuple):
        raise ArgumentError(f"{_NAME}: args is a tuple: got {shown(args)}")
    leaves, structure = trees.flatten(args)

    def given(f: Callable[..., Any]) -> Callable[..., Any]:
        def call(y: Any, t: Any, *leaves: Any) -> Any:
            rest = trees.unflatten(structure, leaves)
            return f(t, y, *rest) if tfirst else f(y, t, *rest)

        return call

    options = {
        "Dfun": None if Dfun is None else given(Dfun), "col_deriv": col_deriv, "ml": ml, "mu": mu,
        "rtol": rtol, "atol": atol, "tcrit": tcrit, "h0": h0, "hmax": hmax, "hmin": hmin,
        "ixpr": ixpr, "mxstep": mxstep, "mxhnil": mxhnil, "mxordn": mxordn, "mxords": mxords,
        "printmessg": printmessg,
    }  # fmt: skip
    return _solve(xp, given(func), raised(xp, y0), array(xp, t), leaves, options)


def _solve(
    xp: Any, slope: Callable[..., Any], y0: Any, t: Any, leaves: Sequence[Any], options: Any
) -> Any:
    """Return the solution of ``dy/dt = slope(y, t, *leaves)`` at all times, of shape ``(t, y)``."""
    equation = _Equation(xp, slope, options)
    return Primitive(Card(_NAME, equation), equation.solved, xp, xp.box)(y0, t, *leaves)


class _Equation(Rule):
    """One equation: what stays as it is while `y0`, `t` and the arrays of `args` change."""

    def __init__(self, xp: Any, slope: Callable[..., Any], options: dict[str, Any]) -> None:
        self.xp = xp
        self.function = slope
        self.options = options

    def slope(self, y: Any, t: Any, *leaves: Any) -> Any:
        return flat(self.xp, self.function(y, t, *leaves))

    def solved(self, y0: Any, t: Any, *leaves: Any) -> Any:
        """Let SciPy solve it, where nothing is traced."""

        def plain(f: Callable[..., Any]) -> Callable[..., Any]:
            def call(y: Any, t: Any) -> Any:
                value = array(self.xp, f(y, t, *leaves))
                if isinstance(value, Box):
                    raise TracedValueError(
                        f"{_NAME}: func uses a traced array that is not among its arguments, so "
                        "that its derivative would be lost: give it in args"
                    )
                return value

            return call

        jacobian = self.options["Dfun"]
        options = {**self.options, "Dfun": None if jacobian is None else plain(jacobian)}
        return importlib.import_module("scipy.integrate").odeint(
            plain(self.function), y0, t, **options
        )

    def jvp(self, primitive, tangents, result, args, kwargs, argnums):
        xp = self.xp
        y0, t, *leaves = args
        given = dict(zip(argnums, tangents, strict=True))
        count, moving = y0.shape[0], [i - 2 for i in argnums if i > 1]
        start = cast(xp, given.get(0, xp.zeros_like(y0)), _WIDE)
        if 1 in given:
            start = start - self.slope(y0, t[0], *leaves) * given[1][0]

        def together(state: Any, t: Any, *arrays: Any) -> Any:
            held, directions = arrays[: len(leaves)], arrays[len(leaves) :]
            primals = [state[:count], *(held[i] for i in moving)]
            f = self._of(t, held, moving)
            (value,), (along,) = jvp(f, primals, [state[count:], *directions], self._box)
            return xp.concat([value, xp.zeros_like(value) if along is None else along])

        directions = [given[i + 2] for i in moving]
        both = self._other(together, [y0, start], t, [*leaves, *directions])
        tangent = both[:, count:]
        if 1 in given:
            rows = [self.slope(result[i], t[i], *leaves) for i in range(t.shape[0])]
            tangent = tangent + xp.stack(rows) * given[1][:, None]
        return tangent

    def vjp(self, primitive, cotangent, result, args, kwargs, argnums):
        xp = self.xp
        y0, t, *leaves = args
        count, moving = y0.shape[0], [i - 2 for i in argnums if i > 1]

        def adjoint(state: Any, t: Any, *leaves: Any) -> Any:
            primals = [state[:count], *(leaves[i] for i in moving)]
            values, pull = vjp(self._of(t, leaves, moving), primals, self._box)
            parts = pull([-state[count : 2 * count]])
            pairs = zip(parts, primals, strict=True)
            parts = [xp.zeros_like(x) if g is None else g for g, x in pairs]
            return xp.concat([*values, *(cast(xp, flat(xp, g), _WIDE) for g in parts)])

        sizes = [leaves[i].size for i in moving]
        along = xp.zeros_like(result[0])
        parameters, times = np.zeros(sum(sizes)), []
        for i in range(t.shape[0] - 1, 0, -1):
            times.append(xp.sum(self.slope(result[i], t[i], *leaves) * cotangent[i]))
            ends = xp.stack([t[i], t[i - 1]])
            state = [result[i], along + cotangent[i], parameters]
            before = self._other(adjoint, state, ends, leaves)[1]
            along, parameters = before[count : 2 * count], before[2 * count :]
        times.append(-xp.sum(self.slope(result[0], t[0], *leaves) * along))
        parts = {0: along + cotangent[0], 1: xp.stack(times[::-1])}
        for i, size in zip(moving, sizes, strict=True):
            parts[i + 2], parameters = parameters[:size], parameters[size:]
        return [fit(xp, parts[i], args[i]) for i in argnums]

    def _of(
        self, t: Any, leaves: Sequence[Any], moving: Sequence[int]
    ) -> Callable[..., Sequence[Any]]:
        """Return the slope at one time as a function of `y` and of those leaves that move."""

        def function(y: Any, *moved: Any) -> list[Any]:
            filled = list(leaves)
            for i, x in zip(moving, moved, strict=True):
                filled[i] = x
            return [cast(self.xp, self.slope(y, t, *filled), _WIDE)]

        return function

    def _other(
        self, slope: Callable[..., Any], state: list[Any], t: Any, leaves: Sequence[Any]
    ) -> Any:
        """Solve an equation of a derivative, from the joined parts of its state."""
        options = {name: x for name, x in self.options.items() if name not in _OF_ONE_EQUATION}
        for name in ("rtol", "atol"):  # one for each number of this equation, not of that
            if options[name] is not None:
                options[name] = np.min(options[name])
        parts = [cast(self.xp, x, _WIDE) for x in state]
        return _solve(self.xp, slope, self.xp.concat(parts), t, leaves, {"Dfun": None, **options})

    def _box(self, x: Any) -> type[Box]:
        return self.xp.box
