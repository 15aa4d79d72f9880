"""Cards of the elementwise functions that are locally constant: comparisons, bits and rounding."""

from __future__ import annotations

from typing import Any

from portanet.tape.ops.batching import elementwise
from portanet.tape.ops.card import Card
from portanet.tape.ops.form import Form, FormOf, called, kind_of
from portanet.tape.ops.words import Words
from portanet.tape.rule import Constant


def _rounding(name: str) -> FormOf:
    def form(call: Any, x: Any) -> Form | None:
        return called(name, 1) if kind_of(x) == "f" else None  # others keep their dtype

    return form


def _of_one(name: str, words: Words | str | None = None, **entries: Any) -> Card:
    return Card(name, Constant("x"), elementwise, words=words, **entries)


def _of_two(name: str, words: Words | None = None, numpy: str | None = None) -> Card:
    return Card(name, Constant("x1", "x2"), elementwise, numpy or name, words)


CARDS = [
    _of_two("equal", Words(compared="{0} == {1}")),
    _of_two("greater", Words(compared="{0} > {1}")),
    _of_two("greater_equal", Words(compared="{0} >= {1}")),
    _of_two("less", Words(compared="{0} < {1}")),
    _of_two("less_equal", Words(compared="{0} <= {1}")),
    _of_two("not_equal", Words(compared="{0} != {1}")),
    _of_two("logical_and", Words(logic="{0} && {1}")),
    _of_two("logical_or", Words(logic="{0} || {1}")),
    _of_two("logical_xor", Words(logic="{0} != {1}")),
    _of_one("logical_not", Words(logic="!{0}"), numpy="logical_not"),
    _of_two("bitwise_and", Words(integers="{0} & {1}", logic="{0} && {1}")),
    _of_two("bitwise_or", Words(integers="{0} | {1}", logic="{0} || {1}")),
    _of_two("bitwise_xor", Words(integers="{0} ^ {1}", logic="{0} != {1}")),
    _of_one("bitwise_invert", Words(integers="~{0}", logic="!{0}"), numpy="invert"),
    _of_two("bitwise_left_shift", numpy="left_shift"),
    _of_two("bitwise_right_shift", numpy="right_shift"),
    _of_two("floor_divide"),
    _of_one("isfinite", Words(tested="isfinite({0})"), numpy="isfinite"),
    _of_one("isinf", Words(tested="isinf({0})"), numpy="isinf"),
    _of_one("isnan", Words(tested="{0} != {0}"), numpy="isnan"),
    _of_one("signbit", Words(tested="signbit({0})"), numpy="signbit"),
    _of_one("ceil", "ceil({0})", numpy=_rounding("ceil"), fresh=True),
    _of_one("floor", "floor({0})", numpy=_rounding("floor"), fresh=True),
    _of_one("trunc", "trunc({0})", numpy=_rounding("trunc"), fresh=True),
    Card("round", Constant("x", named="decimals"), elementwise, words="rint({0})", fresh=True),
]
