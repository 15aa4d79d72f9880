"""The checks that layers, losses, optimizers and initializers share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from portanet import checks
from portanet.errors import (
    BackendMismatchError,
    DeviceError,
    DTypeError,
    HyperparameterError,
    ParameterTreeError,
    ShapeError,
)


@dataclass(frozen=True)
class Owner:
    a: Any


def text_of(error, call, *args, **options):
    with pytest.raises(error) as caught:
        call(*args, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("check", "value", "relation"),
    [
        (checks.integers, 2.0, "a is an integer"),
        (checks.integers, True, "a is an integer"),
        (checks.integers, "3", "a is an integer"),
        (checks.integers, None, "a is an integer"),
        (checks.integers, 0, "a >= 1"),
        (checks.integers, -3, "a >= 1"),
        (checks.sizes, "34", "a is an integer or a sequence of integers"),
        (checks.sizes, 0, "a[0] >= 1"),
        (checks.finite, float("nan"), "a is a finite number"),
        (checks.finite, float("inf"), "a is a finite number"),
        (checks.finite, "1", "a is a finite number"),
        (checks.finite, False, "a is a finite number"),
        (checks.positive, 0.0, "a > 0"),
        (checks.positive, float("nan"), "a is a finite number"),
        (checks.non_negative, -1e-9, "a >= 0"),
        (checks.probabilities, 1.01, "0 <= a <= 1"),
        (checks.decays, 1.0, "0 <= a < 1"),
        (checks.functions, 3, "a is a function"),
        (checks.optional_functions, 3, "a is a function"),
        (checks.flags, 1, "a is True or False"),
    ],
)
def test_a_hyperparameter_outside_its_domain(check, value, relation):
    message = text_of(HyperparameterError, check, Owner(value), "a")
    assert message == f"Owner: {relation}: got {value!r}"


def test_sizes_names_the_entry():
    message = text_of(HyperparameterError, checks.sizes, Owner((3, -1)), "a")
    assert message == "Owner: a[1] >= 1: got -1"


def test_one_of_lists_the_options():
    message = text_of(HyperparameterError, checks.one_of, Owner("max"), "a", ("mean", "sum"))
    assert message == "Owner: a is one of 'mean', 'sum': got 'max'"


@pytest.mark.parametrize(
    ("check", "given", "kept"),
    [
        (checks.integers, np.int64(4), 4),
        (checks.sizes, 4, (4,)),
        (checks.sizes, [np.int32(4), 5], (4, 5)),
        (checks.finite, np.float32(0.5), 0.5),
        (checks.positive, 1, 1),
        (checks.non_negative, 0, 0),
        (checks.probabilities, 1.0, 1.0),
        (checks.decays, 0.0, 0.0),
        (checks.functions, abs, abs),
        (checks.optional_functions, None, None),
        (checks.flags, False, False),
    ],
)
def test_a_good_hyperparameter_becomes_plain_python(check, given, kept):
    owner = Owner(given)
    check(owner, "a")
    assert owner.a == kept
    assert type(owner.a) is type(kept)


def test_a_missing_entry_names_what_is_there():
    mend = "pass the tree that pn.setup(rng, model) made for this model"
    assert text_of(ParameterTreeError, checks.entry, {"b": 1, "c": 2}, "a") == (
        f"'a' in ps: found 'b', 'c': {mend}"
    )
    assert text_of(ParameterTreeError, checks.entry, {}, "a", "st") == (
        f"'a' in st: found no entries: {mend}"
    )
    assert text_of(ParameterTreeError, checks.entry, None, "a") == (
        f"'a' in ps: found a NoneType: {mend}"
    )


def test_relations_of_shapes(backend):
    x = backend.asarray(np.zeros((2, 3), np.float32))
    y = backend.asarray(np.zeros(3, np.float32))
    scalar = backend.asarray(np.zeros((), np.float32))
    assert text_of(ShapeError, checks.shape_of, "w", x, (3, 2), "(out, in)") == (
        "w.shape == (out, in): (2, 3) != (3, 2)"
    )
    assert text_of(ShapeError, checks.same_shape, "x", x, "y", y) == (
        "x.shape == y.shape: (2, 3) != (3,)"
    )
    assert text_of(ShapeError, checks.last_axis, "x", x, 4, "features") == (
        "x.shape[-1] == features: 3 != 4"
    )
    assert text_of(ShapeError, checks.last_axis, "x", scalar, 4, "features") == (
        "x.ndim >= 1: 0 < 1: the features are the last axis of x"
    )
    assert text_of(ShapeError, checks.last_axes, "x", y, (2, 3), "shape") == (
        "x.shape[-2:] == shape: (3,) does not end with (2, 3)"
    )
    assert text_of(ShapeError, checks.rank_at_least, "y", y, 2) == "y.ndim >= 2: 1 < 2"
    checks.shape_of("x", x, (2, 3), "shape")
    checks.same_shape("x", x, "x", x)
    checks.last_axis("x", x, 3, "features")
    checks.last_axes("x", x, (2, 3), "shape")
    checks.rank_at_least("x", x, 2)


def test_relations_of_dtypes(backend):
    single = backend.asarray(np.zeros(3, np.float32))
    double = backend.asarray(np.zeros(3, np.float64))
    whole = backend.asarray(np.zeros(3, np.int32))
    assert text_of(DTypeError, checks.same_kind, "x", double, "weight", single) == (
        "x.dtype == weight.dtype: float64 != float32: convert the input with "
        'pn.astype(x, "float32") or build the parameters with '
        'pn.setup(rng, model, dtype="float64")'
    )
    floats = 'x.dtype is floating: int32: convert it with pn.astype(x, "float32")'
    assert text_of(DTypeError, checks.same_kind, "x", whole, "weight", single) == floats
    assert text_of(DTypeError, checks.floating, "x", whole) == floats
    assert text_of(DTypeError, checks.integral, "x", single) == (
        "x.dtype is an integer: float32: convert it with xp.astype(x, xp.int64)"
    )
    checks.same_kind("x", single, "weight", single)
    checks.floating("x", double)
    checks.integral("x", whole)


def test_two_libraries_and_no_array():
    strict = pytest.importorskip("array_api_strict")
    host = np.zeros(3, np.float32)
    message = text_of(
        BackendMismatchError, checks.same_kind, "x", strict.asarray(host), "weight", host
    )
    assert message.startswith("arrays of two libraries in one operation: array_api_strict and nu")
    assert text_of(BackendMismatchError, checks.last_axis, "x", [1.0], 1, "features") == (
        "x is an array: got list: convert it first, for example with "
        "numpy.asarray(x, dtype=numpy.float32)"
    )


def test_two_devices():
    strict = pytest.importorskip("array_api_strict")
    x = strict.zeros(3, device=strict.Device("device1"))
    assert text_of(DeviceError, checks.same_kind, "x", x, "weight", strict.zeros(3)) == (
        "x.device == weight.device: device1 != cpu_device: move both with the same device, as in "
        "device((ps, st, x))"
    )


def test_member_finds_an_array_of_its_shape():
    weight = np.zeros((2, 3))
    assert checks.member({"weight": weight}, "weight", (2, 3), "(out, in)") is weight
    assert (
        text_of(
            ShapeError, checks.member, {"running_mean": weight}, "running_mean", (3,), "(n,)", "st"
        )
        == 'st["running_mean"].shape == (n,): (2, 3) != (3,)'
    )
    assert text_of(ParameterTreeError, checks.member, {}, "weight", (3,), "(n,)").startswith(
        "'weight' in ps: found no entries"
    )
    assert text_of(
        BackendMismatchError, checks.member, {"weight": [1.0]}, "weight", (1,), "(n,)"
    ).startswith('ps["weight"] is an array: got list')
