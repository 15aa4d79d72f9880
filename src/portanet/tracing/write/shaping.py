"""The operands of universal functions in the shapes in which NumPy takes them soonest.

A ufunc starts two or three times as fast on arrays of one shape, and on arrays without axes beside
them, as where it has to spread something: what has one entry loses its axes, and what lies in
kept memory its leading axes of length 1. The views are made once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from portanet.tape.ops.form import kind_of
from portanet.tracing.plan.blocks import BlockLoop
from portanet.tracing.plan.steps import Plan, Step
from portanet.tracing.plan.storage import Storage
from portanet.tracing.program import Opaque, Variable
from portanet.tracing.write.expressions import Expressions, Filled, Lower, Numbers


class Shaping(Expressions):
    """Writes operations whose results lie in memory that is planned.

    Attributes
    ----------
    plan : Plan
    storage : Storage
    names : dict
        What the source calls each variable.
    """

    names: dict[Variable, str]
    plan: Plan
    storage: Storage

    def __init__(self, forms: bool) -> None:
        super().__init__(forms)
        self._made: list[str] = []
        self._lines: list[str] = []
        self._views: dict[Any, str] = {}
        self._taken: dict[Variable, str] = {}

    def _filled(self, step: Step, names: dict[Variable, str], loop: BlockLoop | None = None) -> str:
        assert step.form is not None
        return self._text(step.form.write, step, names, loop)

    def _text(
        self,
        form: str | None,
        step: Step,
        names: dict[Variable, str],
        loop: BlockLoop | None = None,
    ) -> str:
        assert form is not None
        operation = step.operation
        call = self._call(operation, names, loop) if "{call}" in form else ""
        assert step.form is not None
        args = _as_arrays(operation.args) if step.form.universal else operation.args
        operands = [self._operand(x, names, loop) for x in args]
        out = names[step.result]
        if loop is None and step.form.universal:
            operands, out = self._without_axes(step, operands, out)
        elif loop is None and step.form.rows:
            operands = self._without_numbers(operation.args, operands)
        dtype = operation.result.dtype
        return form.format(
            *operands,
            out=out,
            ones=Filled(self, dtype, 1.0),
            zeros=Filled(self, dtype, 0.0),
            lower=Lower(self),
            call=call,
            number=Numbers(self, dtype),
            np=self._numpy,
        )

    def _without_axes(self, step: Step, operands: list[str], out: str) -> tuple[list[str], str]:
        """Leave out axes of length 1: NumPy is slow to spread what it could take as it lies."""
        result, args = step.result, step.operation.args
        dtypes = [x.dtype for x in args if kind_of(x) in ("f", "c")]
        cut, named = self._cut(step), []
        for x, text in zip(args, self._without_numbers(args, operands), strict=True):
            if isinstance(x, Opaque):
                text = self._as_array(x, text, dtypes[0]) if dtypes else text
            elif step.how == "write" and self._is_kept(x) and x.size == 1 and x.shape:
                text = self._seen(x, text, ())
            elif step.how == "write" and isinstance(x, np.ndarray) and _is_one_number(x):
                text = self.constant(np.asarray(x[(0,) * x.ndim]))
            elif cut and isinstance(x, Variable) and x.shape == result.shape:
                text = self._seen(x, text, x.shape[cut:])
            named.append(text)
        if cut and step.how == "write":
            out = self._seen(result, out, result.shape[cut:])
        return named, out

    def _with_axes(self, step: Step, text: str) -> str:
        """Give a new result the axes that its operands were left without."""
        universal = step.form is not None and step.form.universal
        return f"{text}.reshape({step.result.shape!r})" if universal and self._cut(step) else text

    def _cut(self, step: Step) -> int:
        """Return how many leading axes of length 1 an operation does without."""
        result, args = step.result, step.operation.args
        ones = next((i for i, n in enumerate(result.shape) if n != 1), 0)
        shorter = any(len(getattr(x, "shape", ())) == len(result.shape) - ones for x in args)
        if not shorter or (step.how == "write" and self._is_new(result)):
            return 0
        return ones if all(self._may_be_cut(x, result, ones) for x in args) else 0

    def _without_numbers(self, args: Sequence[Any], operands: list[str]) -> list[str]:
        """Write numbers into arrays: functions that get a number make one in each call."""
        numbers = self.plan.numbers
        return [
            self._as_array(x, text, x.dtype) if isinstance(x, Variable) and x in numbers else text
            for x, text in zip(args, operands, strict=True)
        ]

    def _may_be_cut(self, x: Any, result: Variable, ones: int) -> bool:
        shape = getattr(x, "shape", None)
        if shape is None or len(shape) <= len(result.shape) - ones:
            return True
        if isinstance(x, np.ndarray):
            return _is_one_number(x)
        return self._is_kept(x) and (x.size == 1 or shape == result.shape)

    def _operators(self, step: Step) -> str:
        """Return the expression of a result that is a number."""
        assert step.form is not None
        assert step.form.number is not None
        operands = map(self._number, step.operation.args)
        ones = Filled(self, step.result.dtype, 1.0)
        return step.form.number.format(*operands, ones=ones, np=self._numpy)

    def _number(self, x: Any) -> str:
        """Return the text of an operand: one without axes as a number, taken out of memory once."""
        if getattr(x, "shape", ()):
            return self._operand(x, self.names)
        if not isinstance(x, Variable):
            return self.constant(x[()] if isinstance(x, np.ndarray) else x)
        name = self.names[x]
        if x in self.plan.numbers or isinstance(x, Opaque):
            return name
        if x not in self._taken:
            self._taken[x] = f"n{len(self._taken)}"
            self._lines.append(f"{self._taken[x]} = {name}[()]")
        return self._taken[x]

    def _as_array(self, x: Variable, text: str, dtype: Any) -> str:
        """Return the array into which a number is written."""
        known = len(self._views)
        made = f"{self.function('empty')}((), {self.constant(dtype)})"
        name = self._once(made, (x, dtype))
        if len(self._views) > known:
            self._lines.append(f"{name}[()] = {text}")
        return name

    def _is_kept(self, x: Any) -> bool:
        """Whether a variable lies in memory that stays its own between calls."""
        return isinstance(x, Variable) and x in self.plan.kept and not self._is_new(x)

    def _seen(self, variable: Variable, text: str, shape: tuple[int, ...]) -> str:
        """Return the name of kept memory seen in another shape: one name for the same bytes.

        NumPy looks for overlaps between operands and results that are not the same array.
        """
        owners, array = self.plan.aliases.made(variable), self.plan.kept[variable]
        place = self.storage.places.get(owners[0]) if len(owners) == 1 else None
        key: Any = (variable, shape)
        if place is not None and array.flags.c_contiguous:
            first = array.ctypes.data - self.plan.kept[owners[0]].ctypes.data
            key = place[0], place[1] + first, array.dtype, shape
        return self._once(f"{text}.reshape({shape!r})", key)

    def _once(self, text: str, key: Any) -> str:
        """Return the name of what is made when the workspace is, once for each key."""
        if key not in self._views:
            self._views[key] = f"u{len(self._views)}"
            self._made.append(f"    {self._views[key]} = {text}")
        return self._views[key]

    def _is_new(self, variable: Variable) -> bool:
        """Whether a variable lies in memory that is new in each call."""
        owners = self.plan.aliases.of(variable)
        places = (self.storage.places.get(owner) for owner in owners)
        return any(p is None or p[0] in self.storage.given for p in places)


def _is_one_number(x: np.ndarray) -> bool:
    """Whether all entries of an array are the same one in memory."""
    return (
        x.size > 0
        and x.ndim > 0
        and all(n == 1 or not s for n, s in zip(x.shape, x.strides, strict=True))
    )


def _as_arrays(args: Sequence[Any]) -> Sequence[Any]:
    """Make arrays without axes of the numbers among the operands of a universal function."""
    args = [np.asarray(x) if isinstance(x, np.generic) else x for x in args]
    dtypes = [x.dtype for x in args if kind_of(x) in ("f", "c")]
    if not dtypes:
        return args
    return [np.asarray(x, dtypes[0]) if type(x) in (int, float) else x for x in args]
