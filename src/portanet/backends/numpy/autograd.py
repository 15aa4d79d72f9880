"""autograd's own primitives inside a function that portanet differentiates on NumPy.

autograd asks the type of each argument whether it is traced. A traced one has a value, the number
of its trace, and a node, whose class builds the node of the result. That is enough to take part:

- the value of our box is an `_Operand`, which is traced once more, in a trace without a past;
- so autograd computes the result twice wrapped, and hands it, between the two, to `_Call`, the
  class of our nodes, which records the call on our tape;
- the box that autograd is about to make of the result is looked up by type: `_Result` gives ours.

Nothing changes for arrays that autograd itself traces.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import autograd.core
from autograd.numpy.numpy_boxes import ArrayBox
from autograd.tracer import Box as AutogradBox
from autograd.tracer import notrace_primitives

from portanet import tape
from portanet.errors import NoDerivativeError, TracedValueError
from portanet.tape.primitive import Primitive
from portanet.tape.rule import Rule, cast, conj, fit

_ABOVE_AUTOGRAD = 2**40  # its traces are numbered by their depth


def register(xp: tape.Namespace) -> None:
    """Make autograd's primitives take the traced arrays of `xp`."""
    box: Any = xp.box
    box._value = property(lambda self: _Operand(self.value))
    box._trace = property(lambda self: _ABOVE_AUTOGRAD + self.owner.level)
    box._node = property(_Call.of)
    untraced = notrace_primitives[autograd.core.VJPNode]
    notrace_primitives.update({_Call: untraced, _Answer: untraced})
    AutogradBox.type_mappings.update(
        {box: ArrayBox, _Result: lambda value, trace, call: call.result}
    )
    AutogradBox.types.update((box, _Operand))


class _Answer:
    """The node of a computed result: it only says that an `_Operand` was among the arguments."""

    def __init__(
        self, ans: Any, fun: Any, args: Any, kwargs: Any, argnums: Any, parents: Sequence[Any]
    ) -> None:
        if not all(type(parent) is _Answer for parent in parents):
            _refuse_nesting(fun)


_root = object.__new__(_Answer)


class _Operand:
    __slots__ = ("_value",)

    _trace = 0
    _node = _root

    def __init__(self, value: Any) -> None:
        self._value = value


class _Result(ArrayBox):
    """The type that a result gets once it is recorded."""

    __slots__ = ()


class _Call:
    """The node of our boxes: the box itself, or the recorded result of a primitive."""

    __slots__ = ("result",)

    def __init__(
        self, ans: Any, fun: Any, args: Sequence[Any], kwargs: dict[str, Any],
        argnums: Sequence[int], parents: Sequence[_Call],
    ) -> None:  # fmt: skip
        if not isinstance(ans, ArrayBox):
            raise NoDerivativeError(
                f"autograd's {_name(fun)} returns several arrays, which only autograd can "
                "differentiate: use the function of pn.array_namespace(x)"
            )
        if type(ans._node) is not _Answer or type(ans._value) is ArrayBox:
            _refuse_nesting(fun)
        boxes = [parent.result for parent in parents]
        trace, xp = boxes[0].owner, boxes[0].xp
        values = [x._value if type(x) is _Operand else x for x in args]
        primitive = Primitive(_name(fun), fun, _Rule(fun), xp, xp.box)
        note = trace.note(
            primitive, ans._value, values, kwargs, argnums, [box.note for box in boxes]
        )
        self.result = xp.box(ans._value, trace, note)
        ans.__class__ = _Result

    @classmethod
    def of(cls, box: tape.Box) -> _Call:
        call = cls.__new__(cls)
        call.result = box
        return call


class _Rule(Rule):
    """The derivatives that were registered with autograd for one primitive."""

    def __init__(self, fun: Any) -> None:
        self.fun = fun

    def vjp(self, primitive, cotangent, result, args, kwargs, argnums):
        xp = primitive.xp
        parts = self._pull(result, args, kwargs, argnums)(conj(xp, cotangent))
        return [fit(xp, conj(xp, part), args[i]) for i, part in zip(argnums, parts, strict=True)]

    def jvp(self, primitive, tangents, result, args, kwargs, argnums):
        xp = primitive.xp
        maker = autograd.core.primitive_jvps.get(self.fun)
        if maker is None:
            return self._transposed(xp, tangents, result, args, kwargs, argnums)
        return cast(xp, maker(argnums, tangents, result, args, kwargs), result.dtype)

    def _pull(self, result, args, kwargs, argnums):
        try:
            return autograd.core.primitive_vjps[self.fun](argnums, result, tuple(args), kwargs)
        except (KeyError, NotImplementedError) as error:
            raise NoDerivativeError(
                f"{_name(self.fun)} has no derivative with respect to argument "
                f"{', '.join(map(str, argnums))}: register one with autograd.extend.defvjp"
            ) from error

    def _transposed(self, xp, tangents, result, args, kwargs, argnums):
        """Compute the tangent by the pullback, which is linear: its own pullback pushes forward."""
        pull = self._pull(result, args, kwargs, argnums)
        zero = xp.zeros_like(result)
        _, push = tape.vjp(
            lambda g: [conj(xp, part) for part in pull(conj(xp, g))], [zero], lambda x: xp.box
        )
        (tangent,) = push(list(tangents))
        return cast(xp, tangent, result.dtype)


def _name(fun: Any) -> str:
    return getattr(fun, "__name__", repr(fun))


def _refuse_nesting(fun: Any) -> None:
    raise TracedValueError(
        f"{_name(fun)} was given arrays that autograd differentiates and arrays that portanet "
        "does: take both derivatives with pn.grad, or both with autograd.grad"
    )
