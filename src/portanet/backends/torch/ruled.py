"""Functions whose derivatives the tape knows better than torch.

Torch's first derivatives of them are right and fast, and stay. Derivatives of those are wrong or
NaN, without a word, under conditions that are known: there one of the tape's rules takes over.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Sequence
from typing import Any

import array_api_compat.torch as compat
import torch
from array_api_compat.torch import linalg
from torch._C._functorch import get_unwrapped, is_batchedtensor, is_functorch_wrapped_tensor
from torch.fx.experimental.proxy_tensor import get_proxy_mode

from portanet.backends.torch.custom import custom, is_traced
from portanet.backends.torch.modes import differentiates_forward_mode
from portanet.backends.torch.namespace import LINEAR_ALGEBRA
from portanet.tape import Operation
from portanet.tape.bundle import Several
from portanet.tape.ops.table import CARDS
from portanet.tape.rule import Rule


class Ruled:
    """A function of tensors with one of the tape's rules as its derivative.

    It stands in for the primitive that a rule is given. Only its positional arguments are
    differentiated, like those of a primitive.

    Parameters
    ----------
    name : str
    compute : callable
    rule : Rule
    xp : namespace
        In whose words the rule computes.
    needed : callable, optional
        ``needed(args)`` tells of which calls torch's own derivatives will not do.
    """

    def __init__(
        self, name: str, compute: Callable[..., Any], rule: Rule, xp: Any,
        needed: Callable[[Sequence[Any]], bool] = lambda _: True,
    ) -> None:  # fmt: skip
        self.name = name
        self.compute = compute
        self.rule = rule
        self.xp = xp
        self.needed = needed
        self.__doc__ = compute.__doc__

    def __call__(self, *args: Any, **options: Any) -> Any:
        if not self.needed(args):
            return self.compute(*args, **options)
        places = [i for i, x in enumerate(args) if isinstance(x, torch.Tensor)]
        several = isinstance(self.rule, Several)
        kind: Any = None

        def filled(arrays: Sequence[Any]) -> list[Any]:
            given = list(args)
            for i, x in zip(places, arrays, strict=True):
                given[i] = x
            return given

        def function(*arrays: Any) -> list[Any]:
            nonlocal kind
            result = self.compute(*filled(arrays), **options)
            kind = type(result)
            return list(result) if several else [result]

        def vjp(arrays: Any, outputs: Any, _: Any, cotangents: Any) -> list[Any]:
            given = filled(arrays)
            if isinstance(self.rule, Several):
                return [self.rule.formulas[0](self.xp, cotangents, outputs, *given, **options)]
            return list(self.rule.vjp(self, cotangents[0], outputs[0], given, options, places))

        def jvp(arrays: Any, outputs: Any, _: Any, tangents: Any) -> list[Any]:
            given = filled(arrays)
            if isinstance(self.rule, Several):
                return list(self.rule.formulas[1](self.xp, tangents[0], outputs, *given, **options))
            known = {i: t for i, t in zip(places, tangents, strict=True) if t is not None}
            directions = list(known.values())
            return [self.rule.jvp(self, directions, outputs[0], given, options, list(known))]

        operation = Operation(self.name, function, lambda *x: (function(*x), []), vjp, jvp)
        outputs = custom(operation, [args[i] for i in places])
        return kind(outputs) if several else outputs[0]


def _has_zero(args: Sequence[Any]) -> bool:
    """Whether a tensor that is being differentiated has an entry of 0, as far as can be told."""
    x = args[0]
    if not is_traced(x):
        return False
    return _is_batched(x) or get_proxy_mode() is not None or bool(torch.any(x == 0))


def _is_singular(args: Sequence[Any]) -> bool:
    """Whether a matrix that is being differentiated has the determinant 0: torch's are wrong."""
    (x,) = args
    if differentiates_forward_mode(args) or not is_traced(x):
        return differentiates_forward_mode(args)
    return (
        _is_batched(x)
        or get_proxy_mode() is not None
        or bool(torch.any(torch.linalg.det(x.detach()) == 0))
    )


def _is_batched(x: Any) -> bool:
    while is_functorch_wrapped_tensor(x):
        if is_batchedtensor(x):
            return True
        x = get_unwrapped(x)
    return False


def add_rules(xp: Any) -> None:
    """Put the functions with the tape's rules into a namespace of torch."""
    xp.complex_dtypes = {}
    rule = CARDS["cumulative_prod"].rule
    xp.cumulative_prod = Ruled("cumulative_prod", compat.cumulative_prod, rule, xp, _has_zero)
    xp.linalg = types.ModuleType(linalg.__name__, linalg.__doc__)
    xp.linalg.__dict__.update({**vars(linalg), **LINEAR_ALGEBRA})
    needed = {"det": _is_singular}
    for name in ("det", "eigh", "slogdet", "solve"):
        compute, rule = getattr(linalg, name), CARDS[f"linalg.{name}"].rule
        condition = needed.get(name, differentiates_forward_mode)
        setattr(xp.linalg, name, Ruled(name, compute, rule, xp, condition))
    for full_name, card in CARDS.items():
        room, _, name = full_name.rpartition(".")
        if room == "linalg" and card.body is not None and name not in LINEAR_ALGEBRA:
            compute = functools.partial(card.body, xp)
            setattr(xp.linalg, name, Ruled(name, compute, card.rule, xp))
