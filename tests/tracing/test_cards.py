"""The cards of operations: every trait and every form, held against the function itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tracing.recorded_calls import Call, functions_with_cards, is_array, layouts, recorded_calls

import portanet as pn
from portanet.functional.kernel import kernel
from portanet.tape.ops.batching import elementwise, loop
from portanet.tape.ops.card import UNKNOWN, Card, Role
from portanet.tape.ops.table import CARDS
from portanet.tape.ops.words import Words
from portanet.tape.rule import Elementwise, Rule
from portanet.tracing.plan.form import NumPy, form_of
from portanet.tracing.program import Operation, Variable
from portanet.tracing.record.sharing import is_fresh

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def calls():
    return recorded_calls()


def parts_of(results):
    return results if isinstance(results, tuple | list) else (results,)


def looks(results, x):
    """Whether a result lies in the memory of an operand."""
    return any(isinstance(y, np.ndarray) and np.may_share_memory(x, y) for y in parts_of(results))


def with_layouts(call):
    """Yield an operand in each order of memory, and what the operation makes of it there."""
    for i, x in enumerate(call.args):
        for y in layouts(x) if is_array(x) else ():
            yield y, call(*call.args[:i], y)


def same(actual, expected):
    """Whether two arrays are equal bit by bit, but for what a NaN says."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    if actual.dtype != expected.dtype or actual.shape != expected.shape:
        return False
    if actual.dtype.kind == "c":
        return same(actual.real, expected.real) and same(actual.imag, expected.imag)
    if actual.dtype.kind != "f":
        return np.array_equal(actual, expected)
    number = ~np.isnan(expected)
    signs = np.array_equal(np.signbit(actual[number]), np.signbit(expected[number]))
    return signs and np.array_equal(actual, expected, equal_nan=True)


COULD_LOOK = {
    "differences",  # of order 0
    "clip", "digitize", "isclose", "unwrap",  # constants, of which nothing is claimed
}  # fmt: skip
"""Operations of which no result here looks at an operand, though the trait says that it may."""


def test_new_results_share_no_memory(calls):
    wrong, known, new, looked = set(), set(), set(), set()
    for call in calls:
        fresh, name = is_fresh(call.operation), call.card.name
        new |= {name} if fresh else set()
        for x, results in with_layouts(call):
            known.add(name)
            if x.size and looks(results, x):
                looked.add(name)
                wrong |= {repr(call)} if fresh else set()
    assert wrong == set()
    assert known - looked - new == COULD_LOOK
    said = {name for name, card in CARDS.items() if card.fresh or isinstance(card.numpy, str)}
    assert said <= new


def test_views_show_all_of_their_operand(calls):
    seen = set()
    for call in calls:
        if call.card.view and is_array(call.args[0]):
            seen.add(call.card.name)
            form = form_of(call.operation)
            assert form.view is not None or call.options.get("copy") is not None, call
            x = call.args[0]
            if form.view is not None and isinstance(x, np.ndarray) and x.flags.c_contiguous:
                assert looks(run(form.view, call), x) or not call().size, call
            for x, y in with_layouts(call):
                shown = np.array_equal(np.unique(y), np.unique(x), equal_nan=x.dtype.kind in "fc")
                assert shown or not y.size, call
    assert seen == {name for name, card in CARDS.items() if card.view}


def test_rearranged_elements_are_all_there_once(calls):
    seen = set()
    for call in calls:
        if call.card.rearranged and is_array(call.args[0]):
            seen.add(call.card.name)
            for x, y in with_layouts(call):
                assert same(np.sort(np.ravel(y)), np.sort(np.ravel(x))), call
    assert seen == {name for name, card in CARDS.items() if card.rearranged}


SPECIAL = [0.0, -0.0, 1.0, -1.5, 2.0, math.inf, -math.inf, math.nan]
DTYPES = ["float16", "float32", "float64", "complex64", "complex128", "int8", "int64", "uint8"]


def special(dtype, shape=(8,)):
    """Return an array of numbers at which functions differ, without NaN for whole numbers."""
    if np.dtype(dtype).kind in "iu":
        return np.resize(np.asarray([0, 1, 2, 7, 100], dtype), shape)
    return np.resize(np.asarray(SPECIAL, dtype), shape)


def test_identities_return_their_operand(calls):
    seen = set()
    for call in calls:
        if call.card.identity and is_array(call.args[0]):
            x = special(call.args[0].dtype, call.args[0].shape)
            y = call(x)
            if y.shape == x.shape and y.dtype == x.dtype:
                seen.add(call.card.name)
                assert same(y, x), call
    assert seen >= {"convert", "positive", "reshape"}
    assert seen <= {name for name, card in CARDS.items() if card.identity}


@pytest.mark.parametrize("dtype", [d for d in DTYPES if "complex" not in d])
@pytest.mark.parametrize("card", [c for c in CARDS.values() if c.neutral], ids=lambda c: c.name)
def test_neutral_operands_change_nothing(card, dtype):
    xp = pn.backends.get_backend("numpy").xp
    x, one = special(dtype), np.asarray(1, dtype)
    for place in card.neutral:
        y = getattr(xp, card.name)(*((one, x) if place == 0 else (x, one)))
        assert same(y, x) or y.dtype != x.dtype


def test_of_shape_no_value_matters(calls):
    seen = set()
    for call in calls:
        if call.card.of_shape:
            seen.add(call.card.name)
            (x,) = call.args
            one, other = call(x), call(special(x.dtype, x.shape))
            assert (one.shape, one.dtype) == (other.shape, other.dtype)
            assert call.card.name == "empty_like" or same(one, other)
    assert seen == {name for name, card in CARDS.items() if card.of_shape}


def test_shapes_are_those_of_all_values_but_where_a_card_says_so(calls):
    rng = np.random.default_rng(0)
    for call in calls:
        if call.card.unsized(call.args) or call.card.body is CARDS["getitem"].body:
            continue
        args = [shuffled(rng, x) for x in call.args]
        try:
            results = call(*args)
        except Exception:  # such as an index that is out of range
            continue
        shapes = [np.shape(y) for y in parts_of(results) if is_array(y)]
        expected = [np.shape(y) for y in parts_of(call()) if is_array(y)]
        assert shapes == expected, call


def shuffled(rng, x):
    if not is_array(x) or not x.ndim:
        return x
    return ~x if x.dtype == bool else rng.permutation(np.ravel(x)).reshape(x.shape)


def test_sizes_that_depend_on_values_are_named():
    some, more = np.asarray([0, 1, 1]), np.asarray([0, 1, 2])
    raw = pn.backends.get_backend("numpy").xp.raw
    known = {name for name, card in CARDS.items() if card.of_values is True}
    assert known == {"nonzero", "unique_all", "unique_counts", "unique_inverse", "unique_values"}
    for name in known:
        counts = [parts_of(getattr(raw, name)(x))[0].size for x in (some, more, some * 0)]
        assert len(set(counts)) > 1
    x, mask = np.arange(3.0), np.asarray([True, False, True])
    getitem, repeat = CARDS["getitem"], CARDS["repeat"]
    assert getitem.unsized((x, mask)) == "an index by a condition"
    assert getitem.unsized((x, (mask, None))) == "an index by a condition"
    assert not getitem.unsized((x, some))
    assert not getitem.unsized((x, (slice(2), 0)))
    assert repeat.unsized((x, some))
    assert not repeat.unsized((x, None))


def test_roles_are_played(calls):
    seen = set()
    for call in calls:
        role, args, options = call.card.role, call.args, call.options
        if role is None or role is Role.PART:
            continue
        seen.add(call.card.name)
        y = call()
        if role is Role.ADDITION:
            expected = args[0] + args[1]
        elif role is Role.PRODUCT:
            expected = np.matmul(*args)
        elif role is Role.SUM:
            expected = np.sum(args[0], **options)
        elif role is Role.JOIN:
            expected = np.concatenate(args, **options)
        elif args[1:] and tuple(args[1]) != (1, 0):
            continue
        else:
            expected = np.swapaxes(args[0], -1, -2)
        np.testing.assert_allclose(y, expected, 1e-6, 1e-9, err_msg=repr(call))
    assert seen == {c.name for c in CARDS.values() if c.role and c.role is not Role.PART}


class Number:
    def __init__(self, dtype):
        self.dtype = dtype

    def __format__(self, text):
        return f"np.asarray({float(text)!r}, {str(self.dtype)!r})".replace("inf", "np.inf")


class Filled(Number):
    def __init__(self, dtype, number):
        super().__init__(dtype)
        self.number = number

    def __format__(self, text):
        return f"np.full(({text},), {self.number}, {str(self.dtype)!r})"


class Lower:
    def __format__(self, text):
        return f"np.tri({text}, np.bool_)"


def run(text, call, out=None):
    """Run the text of a form on the values of a call; return what it makes, or `out`."""
    names = {f"x{i}": x for i, x in enumerate(call.args)} | {"out": out, "np": np}
    options = {f"k{i}": x for i, x in enumerate(call.options.values())}
    names |= options | {"own": call.operation.primitive.compute}
    given = [*(f"x{i}" for i in range(len(call.args)))]
    named = [f"{k}={v}" for k, v in zip(call.options, options, strict=True)]
    dtype, call_text = call.operation.result.dtype, f"own({', '.join([*given, *named])}"
    source = text.format(
        *given,
        out="out",
        ones=Filled(dtype, 1.0),
        zeros=Filled(dtype, 0.0),
        lower=Lower(),
        call=call_text,
        number=Number(dtype),
        np=NumPy(lambda path: f"np.{path}"),
    )
    with np.errstate(all="ignore"):
        if out is None:
            return eval(source, names)
        exec(source, names)
    return out


def number(x, dtype):
    if not is_array(x) or x.dtype.kind not in "fc":
        return x
    if dtype.kind in "iu":
        return np.asarray(np.clip(np.abs(x.real) * 3, 0, 9), dtype)
    return np.array(x if dtype.kind == "c" else x.real, dtype)


def converted(call, dtype):
    """Return a call with its floating-point arrays in another dtype, and its result.

    None where it has no such arrays, or does not take the others.
    """
    args = tuple(number(x, np.dtype(dtype)) for x in call.args)
    if all(x is y for x, y in zip(args, call.args, strict=True)):
        return None
    with np.errstate(all="ignore"):
        try:
            result = call(*args)
        except Exception:  # the function does not take such numbers
            return None
    if not is_array(result):
        return None
    given = {id(x): Variable(x.shape, x.dtype) for x in args if is_array(x)}
    operation = Operation(
        call.operation.primitive, [given.get(id(x), x) for x in args], call.options,
        Variable(result.shape, result.dtype),
    )  # fmt: skip
    return Call(operation, args, call.options), result


def outs(form, result):
    """Yield memory for a result: that of the planner, and for universal functions any."""
    yield np.empty(result.shape, result.dtype)
    yield np.empty(result.size + 3, result.dtype)[3:].reshape(result.shape)
    if form.universal:
        yield np.empty(result.shape, result.dtype, order="F")
        yield np.empty((*result.shape, 2), result.dtype)[..., 0]


ROUNDED_OTHERWISE = {"matmul", "mean", "sum"}
"""What NumPy adds up in another order than a form does, both within a few roundings."""


@pytest.mark.parametrize("dtype", DTYPES)
def test_forms_are_the_functions(calls, dtype):
    wrong, seen = set(), set()
    for call in calls:
        found = converted(call, dtype) if call.card.form is not None else None
        form = None if found is None else form_of(found[0].operation)
        if form is None:
            continue
        (call, expected), name = found, call.card.name
        made = (
            [] if form.write is None else [run(form.write, call, y) for y in outs(form, expected)]
        )
        made += [run(text, call) for text in (form.fresh, form.view) if text is not None]
        seen.add(name)
        for y in made:
            close = same(y, expected)
            if name in ROUNDED_OTHERWISE and y.dtype == expected.dtype:
                eps = np.finfo(expected.dtype).eps if expected.dtype.kind in "fc" else 0
                scale = np.max(np.abs(expected), initial=1.0)
                close = np.allclose(y, expected, 8 * eps, 8 * eps * scale, equal_nan=True)
            wrong |= set() if close else {repr(call)}
    assert wrong == set()
    assert len(seen) > 30


ENTRY_BY_ENTRY = {"patch_collect", "searchsorted"}
"""Operations that run entry by entry in a batch."""

WITHOUT_WORDS = {
    "bitwise_left_shift", "bitwise_right_shift", "conj", "digamma", "erf", "erfc",
    "floor_divide", "imag", "lgamma", "nextafter", "real", "remainder", "sign_of_complex",
}  # fmt: skip
"""Elementwise operations that are recorded as such and never fused."""

WITHOUT_DERIVATIVE = {
    "astype", "checked_index", "clip", "take_along_axis", "unique_all", "unique_counts",
    "unique_inverse", "unique_values",
}  # fmt: skip
"""Operations that refuse to be differentiated."""


def test_each_card_has_or_declines_each_entry():
    ruled = [x.card for x in functions_with_cards().values() if x.card.rule is not UNKNOWN]
    cards = [*CARDS.values(), *ruled]
    for card in cards:
        assert isinstance(card.rule, Rule)
        assert callable(card.batched)
        assert card.form is None or callable(card.form)
        assert card.spoken is None or isinstance(card.spoken, Words)
    assert {c.name for c in cards if c.batched is loop} == ENTRY_BY_ENTRY
    whole = [*CARDS.values(), *(card for card in ruled if card.form is not None)]
    assert {c.name for c in whole if c.batched is elementwise and c.spoken is None} == WITHOUT_WORDS
    assert {c.name for c in cards if c.rule is UNKNOWN} == WITHOUT_DERIVATIVE


def test_a_function_of_the_users_keeps_to_its_own_card():
    """The name of a function says nothing: neither of a kernel nor of a custom derivative."""

    @kernel(rule=Elementwise(lambda xp, d, y, x: d * 3.0))
    def sigmoid(x):
        return x * 3.0

    @pn.custom_vjp
    def matmul(x, y):
        return x + y

    matmul.defvjp(lambda x, y: (x + y, ()), lambda kept, g: (g, g))
    x = np.asarray([[1.0, 2.0], [3.0, 4.0]])

    def f(x):
        return np.sum(matmul(sigmoid(x), x.T) * x)

    assert pn.jit(f)(x) == f(x)
    np.testing.assert_array_equal(pn.jit(pn.grad(f))(x), pn.grad(f)(x))


def test_traits_are_of_the_card_and_not_of_the_name():
    shown = Card("reshape")
    assert not shown.view
    assert shown.form is None
    assert shown.batched is loop
