"""autograd's own primitives inside a function that portanet traces on NumPy.

autograd asks the type of each argument whether it is traced. A traced one has a value, the number
of its trace, and a node, whose class builds the node of the result. That is enough to take part:

- the value of any of our boxes is an `_Operand`: a plain array, for a batch its first entry,
  which is traced once more, in a trace without a past;
- so autograd computes a plain result and hands it, still wrapped, to `_Call`, the class of our
  nodes, which calls the primitive on the boxes as one of ours;
- the box that autograd is about to make of the result is looked up by type: `_Result` gives ours.

Nothing changes for arrays that autograd itself traces.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Sequence
from typing import Any

import autograd.core
import numpy as np
from autograd.numpy.numpy_boxes import ArrayBox
from autograd.tracer import Box as AutogradBox
from autograd.tracer import notrace_primitives

from portanet import tape
from portanet.errors import NoDerivativeError, TracedValueError
from portanet.tape.batched import Batched
from portanet.tape.ops.card import Card
from portanet.tape.primitive import Primitive
from portanet.tape.rule import Rule, cast, conj, fit
from portanet.tape.writing import classes
from portanet.tracing.record.record import recorded_box

_ABOVE_AUTOGRAD = 2**40  # its traces are numbered by their depth


@functools.cache
def register(xp: tape.Namespace) -> None:
    """Make autograd's primitives take the traced arrays of `xp`: of derivatives, batches, jit."""
    box: Any = xp.box
    box._value = property(lambda self: _Operand(_plain(self)))
    box._trace = _ABOVE_AUTOGRAD
    box._node = property(_Call.of)
    untraced = notrace_primitives[autograd.core.VJPNode]
    notrace_primitives.update({_Call: untraced, _Answer: untraced})
    AutogradBox.type_mappings[_Result] = lambda value, trace, call: call.result
    kinds = (box, xp.batch_box, recorded_box(xp), xp.guest_box)
    AutogradBox.types.update(itertools.chain([_Operand], *map(classes, kinds)))


def _plain(x: Any) -> Any:
    """Return an array without boxes, and one entry of a batch."""
    if isinstance(x, Batched):
        entries = _plain(x.value)
        return entries[0] if len(entries) else np.zeros(entries.shape[1:], entries.dtype)
    return _plain(x.value) if isinstance(x, tape.Box) else x


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
    """The type that a result gets once the primitive was called on our boxes."""

    __slots__ = ()


class _SeveralResults(NoDerivativeError):
    """A primitive that returns a tuple was called on one of our boxes."""


class _Call:
    """The node of our boxes: the box itself, or the result of a primitive."""

    __slots__ = ("result",)

    def __init__(
        self, ans: Any, fun: Any, args: Sequence[Any], kwargs: dict[str, Any],
        argnums: Sequence[int], parents: Sequence[_Call],
    ) -> None:  # fmt: skip
        if not isinstance(ans, ArrayBox):
            raise _SeveralResults(
                f"autograd's {_name(fun)} returns several arrays, which only autograd can "
                "differentiate: use the function of pn.array_namespace(x)"
            )
        if type(ans._node) is not _Answer or type(ans._value) is ArrayBox:
            _refuse_nesting(fun)
        xp = parents[0].result.xp
        values = [x._value if type(x) is _Operand else x for x in args]
        compute = _Computed(fun, values, ans._value)
        for i, parent in zip(argnums, parents, strict=True):
            values[i] = parent.result
        primitive = Primitive(Card(f"autograd's {_name(fun)}", _Rule(fun)), compute, xp, xp.box)
        self.result = primitive(*values, **kwargs)
        compute.forget()
        ans.__class__ = _Result

    @classmethod
    def of(cls, box: tape.Box) -> _Call:
        call = cls.__new__(cls)
        call.result = box
        return call


class _Computed:
    """A primitive that knows its result for some arguments until it has been asked for it."""

    __slots__ = ("_known", "fun")

    def __init__(self, fun: Any, args: Sequence[Any], result: Any) -> None:
        self.fun = fun
        self._known: Any = tuple(args), result

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        known = self._known
        if known is not None and all(map(operator.is_, args, known[0])):
            self.forget()
            return known[1]
        return self.fun(*args, **kwargs)

    def forget(self) -> None:
        self._known = None


class _Rule(Rule):
    """The derivatives that were registered with autograd for one primitive."""

    def __init__(self, fun: Any) -> None:
        self.fun = fun

    def vjp(self, primitive, cotangent, result, args, kwargs, argnums):
        xp = primitive.xp
        g = conj(xp, cotangent)
        try:
            parts = list(self._pull(result, args, kwargs, argnums)(g))
        except _SeveralResults:  # the rule works on tuples, as that of odeint does
            parts = [self._whole(xp, i, kwargs)(g, result, *args) for i in argnums]
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

    def _whole(self, xp, argnum, kwargs):
        """Return a pullback as one primitive, which records and batches but has no derivative."""

        def pulled(g, result, *args):
            (part,) = self._pull(result, args, kwargs, (argnum,))(g)
            return part

        return Primitive(Card(f"autograd's pullback of {_name(self.fun)}"), pulled, xp, xp.box)

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
