"""autograd's own primitives inside a function that portanet traces on NumPy.

autograd asks the type of each argument whether it is traced. A traced one has a value, the number
of its trace, and a node, whose class builds the node of the result. That is enough to take part:

- the value of any of our boxes is an `_Operand`: a plain array, for a batch its first entry,
  which is traced once more, in a trace without a past;
- so autograd computes a plain result and hands it, still wrapped, to `_Call`, the class of our
  nodes, which calls the primitive on the boxes: NumPy's function with several results and what
  SciPy was taught as themselves, any other as one of ours with the derivatives that autograd has;
- the box that autograd is about to make of the result is looked up by type: `_Result` gives ours.

Nothing changes for arrays that autograd itself traces.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Any, NoReturn

import autograd.builtins
import autograd.core
import autograd.numpy
import numpy as np
from autograd.numpy.numpy_boxes import ArrayBox
from autograd.tracer import Box as AutogradBox
from autograd.tracer import notrace_primitives

from portanet import tape
from portanet.backends.numpy.autograd_rules import called, name_of
from portanet.backends.numpy.scipy import is_taught
from portanet.errors import NoDerivativeError, TracedValueError
from portanet.tape.batched import Batched
from portanet.tape.numpy.table import BODIES
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
    ours = list(itertools.chain.from_iterable(map(classes, kinds)))
    AutogradBox.types.update([_Operand, *ours])
    AutogradBox.type_mappings.update(dict.fromkeys(ours, _boxed))


def _boxed(value: Any, trace: Any, node: Any) -> Any:
    """Return the traced array that a primitive returns, instead of a box of autograd."""
    if type(node) is _Call:
        return node.result
    if type(node) is _Answer:
        return value
    _refuse_nesting("autograd's derivative")


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
            _refuse_nesting(name_of(fun))


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


class _Call:
    """The node of our boxes: the box itself, or the result of a primitive."""

    __slots__ = ("result",)

    def __init__(
        self, ans: Any, fun: Any, args: Sequence[Any], kwargs: dict[str, Any],
        argnums: Sequence[int], parents: Sequence[_Call],
    ) -> None:  # fmt: skip
        traced = list(args)
        for i, parent in zip(argnums, parents, strict=True):
            traced[i] = parent.result
        if _takes_boxes(fun, ans):
            self.result = fun.fun(*traced, **kwargs)
        else:
            given = [x._value if type(x) is _Operand else x for x in args]
            plain = _plain_result(fun, ans)
            self.result = called(parents[0].result.xp, fun, plain, given, traced, kwargs)
        if isinstance(ans, AutogradBox):
            ans.__class__ = _Result

    @classmethod
    def of(cls, box: tape.Box) -> _Call:
        call = cls.__new__(cls)
        call.result = box
        return call


def _takes_boxes(fun: Any, ans: Any) -> bool:
    """Whether the function inside a primitive is to be called with traced arrays itself."""
    if is_taught(fun.fun) or fun is autograd.builtins.make_sequence:
        return True
    several = isinstance(ans, AutogradBox) and not isinstance(ans, ArrayBox)
    known = isinstance(fun.fun, np.ufunc) or fun.fun in BODIES
    return several and known and fun in _of_numpy()


@functools.cache
def _of_numpy() -> frozenset[Any]:
    """The primitives that autograd makes of NumPy's functions."""
    homes = autograd.numpy, autograd.numpy.linalg, autograd.numpy.fft
    return frozenset(f for home in homes for f in vars(home).values() if hasattr(f, "fun"))


def _plain_result(fun: Any, ans: Any) -> Any:
    """Return what autograd has computed, refusing what it has traced itself."""
    if isinstance(ans, tape.Box):
        raise TracedValueError(
            f"{name_of(fun)} uses an array that is being differentiated but is not among its "
            "positional arguments, so that its derivative would be lost: give it as one"
        )
    if type(ans._node) is not _Answer or type(ans._value) in AutogradBox.types:
        _refuse_nesting(name_of(fun))
    if isinstance(ans._value, dict):
        raise NoDerivativeError(
            f"{name_of(fun)} returns a dict, which only autograd can differentiate: return a tuple"
        )
    return ans._value


def _refuse_nesting(what: str) -> NoReturn:
    raise TracedValueError(
        f"{what} was given arrays that autograd differentiates and arrays that portanet "
        "does: take both derivatives with pn.grad, or both with autograd.grad"
    )
