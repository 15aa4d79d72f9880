"""What the recordings for several sizes of a batch are together."""

from __future__ import annotations

import numpy as np
import pytest

from portanet.errors import ArgumentError
from portanet.export._sizes import Counted, Repeated, Size, for_all_sizes
from portanet.tape.ops.card import Card
from portanet.tape.primitive import Primitive
from portanet.tracing.program import Operation, Program, Variable

SIZES = 3, 4, 7
KEPT = Primitive(Card("kept"), lambda *args: args[0], None, object)


def programs(argument, name="kept"):
    """Return programs of one call, whose second argument depends on the size."""
    made = []
    for n in SIZES:
        x, y = Variable((n, 2), np.float64), Variable((n, 2), np.float64)
        made.append(Program([x], [Operation(KEPT, [x, argument(n)], {}, y)], [y]))
    return made


def joined(argument):
    (operation,) = for_all_sizes(programs(argument), SIZES).operations
    return operation.args[1]


def test_lengths_are_linear():
    assert joined(lambda n: (n, 5 * n - 2, 8)) == (Size(1, 0), Size(5, -2), 8)
    assert joined(lambda n: slice(None, n - 1, 1)) == slice(None, Size(1, -1), 1)
    assert [str(Size(*x)) for x in ((1, 0), (1, -2), (3, 0), (3, 4))] == [
        "n", "n - 2", "3 * n", "3 * n + 4"
    ]  # fmt: skip
    assert Size(3, 4)(10) == 34


def test_constants_repeat_themselves():
    row = np.array([1.0, np.nan])
    found = joined(lambda n: np.broadcast_to(row, (n, 2)))
    assert isinstance(found, Repeated)
    np.testing.assert_array_equal(found.array, row[None])
    assert found.shape == (Size(1, 0), 2)


def test_constants_count():
    found = joined(lambda n: 7 + 2 * np.arange(n)[:, None] + np.array([0, 1]))
    assert isinstance(found, Counted)
    assert (found.axis, found.size, found.places) == (0, Size(1, 0), (Size(1, 0), 1))
    assert found.start.tolist() == [[7, 8]]
    assert found.step.tolist() == [[2, 2]]


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        (lambda n: n * n, "for 3, 4, 7 rows a length is 9, 16, 49"),
        (lambda n: 1.0 / n, "a number is"),
        (lambda n: (2,) * n, "different numbers of axes"),
        (lambda n: n if n < 5 else "n", "int or int or str in one place"),
        (lambda n: np.arange(n) ** 2, "a constant has shape"),
        (lambda n: np.arange(n, dtype=float), "a constant has shape"),
        (lambda n: np.arange(3) * n, "a constant has shape"),
        (lambda n: np.ones(3, "f4" if n == 3 else "f8"), "another dtype or rank"),
    ],
)
def test_what_has_no_pattern_is_refused(argument, text):
    with pytest.raises(ArgumentError, match=text):
        joined(argument)


def test_other_operations_are_refused():
    one, other, third = programs(lambda n: 0)
    other.operations.append(other.operations[0])
    with pytest.raises(ArgumentError, match="different operations"):
        for_all_sizes([one, other, third], SIZES)
    one, other, third = programs(lambda n: 0)
    third.outputs = [third.inputs[0]]
    with pytest.raises(ArgumentError, match="reads another result"):
        for_all_sizes([one, other, third], SIZES)
