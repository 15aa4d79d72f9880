"""Kernels of rows: programs with reductions, compiled for the host, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from tracing.kernels_on_host import KernelsOnHost
from tracing.same import check_same
from tracing.test_fused import replay_of

import portanet as pn
from portanet.functional.kernel import GENERIC
from portanet.tracing.plan import fused
from portanet.tracing.plan.fused_levels import Level
from portanet.tracing.plan.simplify import without_common_subexpressions, without_dead_code
from portanet.tracing.record.record import record

pytestmark = pytest.mark.gpu
XP = pn.backends.get_backend("numpy").xp
RNG = np.random.default_rng(0)


@pytest.fixture
def cupy():
    return KernelsOnHost()


def planned(function, inputs, cupy):
    """Return a recorded function with its kernels, and what it returned."""
    program, results = record(function, inputs, XP)
    program = without_dead_code(without_common_subexpressions(program, None))
    return fused.with_kernels(program, cupy), results


def names_of(program):
    """Return what is called, without what only shows or takes apart."""
    shown = ("take result", "reshape", "expand_dims", "squeeze", "broadcast_to")
    return [x.name for x in program.operations if x.name not in shown]


def check_kernels(function, inputs, cupy, count=1, rtol=1e-12):
    program, results = planned(function, inputs, cupy)
    assert len(names_of(program)) == count, names_of(program)
    check_same(replay_of(program, results, inputs)(*inputs), results, rtol, rtol)
    return program


X = RNG.normal(size=(4, 3, 7))


def centred(x):
    return x - XP.mean(x, axis=-1, keepdims=True)


def test_what_stands_around_reductions_is_one_kernel(cupy):
    def function(x, scale):
        y = centred(x * 2.0)
        return [XP.tanh(y / XP.sqrt(XP.mean(y * y, axis=-1, keepdims=True) + 1e-3) * scale)]

    check_kernels(function, [X, RNG.normal(size=7)], cupy)


def test_results_of_rows_and_entries(cupy):
    def function(x):
        top, total = XP.max(x, axis=-1), XP.sum(XP.exp(x), axis=-1, keepdims=True)
        return [top, XP.log(total), XP.exp(x) / total, XP.min(x * x, axis=(-1,))]

    check_kernels(function, [X], cupy)


def test_a_reduction_alone_is_the_librarys(cupy):
    for function in (lambda x: [XP.sum(x, axis=-1)], lambda x: [XP.mean(x)]):
        program, _ = planned(function, [X], cupy)
        assert names_of(program) in (["sum"], ["mean"])


def test_other_axes_stay_calls(cupy):
    check_kernels(lambda x: [XP.sum(XP.exp(x), axis=1, keepdims=True) * 2.0 * x], [X], cupy, 4)


def test_all_rows_together(cupy):
    """The value of a loss, and its gradient, which needs that of the sum."""

    def function(x, target):
        def loss(x):
            logs = x - XP.log(XP.sum(XP.exp(x), axis=-1, keepdims=True))
            return -XP.sum(logs * target) / 12.0

        return pn.value_and_grad(loss)(x)

    check_kernels(function, [X, RNG.random(X.shape)], cupy)


def test_all_rows_of_results_for_rows(cupy):
    """As of labels: a value for each sample, then their mean."""

    def function(x):
        values = XP.max(x, axis=-1)
        return [XP.mean(XP.where(values > 0.0, values, 0.0)) * 3.0, values]

    check_kernels(function, [X], cupy)


def test_one_column(cupy):
    def function(x, y):
        return pn.value_and_grad(lambda x: XP.mean((x - y) * (x - y)))(x)

    check_kernels(function, [RNG.normal(size=(50, 1)), RNG.normal(size=(50, 1))], cupy)


def test_too_much_for_one_block(cupy):
    """Rows have blocks enough; of all together the library takes the sum."""
    x = RNG.normal(size=(200, 100))
    program = check_kernels(lambda x: [XP.sum(centred(x) ** 2.0)], [x], cupy, 2)
    assert names_of(program)[1] == "sum"
    long = RNG.normal(size=(1 << 14,))
    check_kernels(lambda x: [XP.max(x * 2.0)], [long], cupy, 2)


def test_an_axis_that_is_dropped_is_not_that_of_the_entries(cupy):
    """The sums of a square matrix go along its columns then."""
    x = RNG.normal(size=(5, 5))
    check_kernels(lambda x: [x * 2.0 - XP.sum(x * 2.0, axis=-1)], [x], cupy, 2)
    check_kernels(
        lambda x: [x * 2.0 - XP.expand_dims(XP.sum(x * 2.0, axis=-1), axis=-1)], [x], cupy
    )


def test_views_of_results_for_rows(cupy):
    def function(x):
        total = XP.sum(x * x, axis=-1)
        wide = XP.broadcast_to(XP.expand_dims(total, axis=-1), x.shape)
        return [x / wide, XP.reshape(total, (4, 3, 1)) + 1.0, wide]

    check_kernels(function, [X], cupy)


def test_numbers_and_constants(cupy):
    given = RNG.normal(size=(3, 7))

    def function(x, rate):
        return [XP.where(x > XP.mean(x, axis=-1, keepdims=True), rate * x, -np.inf) + given]

    check_kernels(function, [X, 0.3], cupy)


def test_layouts(cupy):
    x = RNG.normal(size=(7, 3, 4)).T
    y = RNG.normal(size=(6, 4, 14))[::2, :, ::-2].transpose(1, 0, 2)
    scale = np.broadcast_to(RNG.normal(size=(3, 1)), (3, 7))
    check_kernels(lambda x, y, s: [centred(x) * y + s], [x, y, scale], cupy)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0, 4)])
def test_no_rows(cupy, shape):
    check_kernels(lambda x: [XP.sum(XP.exp(x), axis=-1), centred(x)], [np.zeros(shape)], cupy, 4)


@pytest.mark.parametrize("name", ["layer_norm", "log_softmax", "masked_softmax", "rms_norm"])
def test_the_functions_of_rows(cupy, name):
    check_kernels(lambda x: [GENERIC[name](x)], [X], cupy)


def test_no_thread_reads_what_another_has_not_written(cupy, monkeypatch):
    library = pytest.importorskip("cupy")
    if not hasattr(library.RawKernel, "order"):
        pytest.skip("of the stand-in alone")

    def function(x):
        return [centred(x) / XP.max(x, axis=-1, keepdims=True), XP.mean(XP.exp(x)) * 2.0]

    program, results = planned(function, [X], cupy)
    run, found = replay_of(program, results, [X]), []
    for order in (1, -1):
        monkeypatch.setattr(library.RawKernel, "order", order)
        found.append(run(X))
    for forth, back in zip(*found, strict=True):
        np.testing.assert_array_equal(forth, back)


class Made:
    """A program made at random: numbers for entries, rows and the whole, each shown in some way."""

    def __init__(self, seed):
        self.rng = rng = np.random.default_rng(seed)
        outer = tuple(int(n) for n in rng.integers(1, 6, size=rng.integers(1, 3)))
        self.shape = (*outer, outer[0] if rng.random() < 0.3 else int(rng.integers(1, 40)))
        shapes = [self.shape, self.shape, self.shape[-1:], (*outer, 1), outer, ()]
        self.inputs = [rng.normal(size=shape) for shape in shapes]
        self.steps = [self.step() for _ in range(rng.integers(4, 18))]
        self.wanted = rng.random(len(self.steps)) < 0.4

    def step(self):
        kinds = ["unary", "binary", "binary", "fold", "fold", "view", "spread"]
        return self.rng.choice(kinds), *self.rng.integers(0, 1 << 30, size=3).tolist()

    def __call__(self, *values):
        values, outputs = list(values), []
        for (kind, a, b, c), wanted in zip(self.steps, self.wanted, strict=True):
            x = values[-1 - a % min(len(values), 6)]
            y = getattr(self, kind)(x, values, b, c)
            values.append(y)
            if wanted and hasattr(y, "shape"):
                outputs.append(y)
        return [*outputs, values[-1]]

    def unary(self, x, values, b, c):
        return (XP.tanh, XP.sin, XP.negative, lambda x: XP.exp(-x * x))[b % 4](x)

    def binary(self, x, values, b, c):
        def fits(y):
            pairs = zip(reversed(x.shape), reversed(y.shape), strict=False)
            return all(1 in (m, n) or m == n for m, n in pairs)

        alike = [y for y in values if fits(y)]
        y = alike[b % len(alike)]
        return (XP.add, XP.multiply, XP.subtract, XP.maximum)[c % 4](x, y)

    def fold(self, x, values, b, c):
        if not x.ndim:
            return x + 1.0
        axis = (None, -1, -1, x.ndim - 1)[b % 4]
        return (XP.sum, XP.mean, XP.max, XP.min)[c % 4](x, axis=axis, keepdims=bool(c & 8))

    def view(self, x, values, b, c):
        if x.ndim and x.shape[-1] == 1 and b % 2:
            return XP.squeeze(x, axis=-1)
        return XP.expand_dims(x, axis=-1) if x.ndim < 3 else XP.reshape(x, x.shape)

    def spread(self, x, values, b, c):
        outer = x.shape[:-1]
        if x.ndim == len(self.shape) and x.shape[-1] == 1 and outer == self.shape[:-1]:
            return XP.broadcast_to(x, self.shape)
        return XP.broadcast_to(x, self.shape) if not x.ndim else x * 0.5


def test_programs_made_at_random(cupy):
    """They are compiled together at the first replay."""
    made = []
    for seed in range(200):
        function = Made(seed)
        program, results = planned(function, function.inputs, cupy)
        made.append((seed, replay_of(program, results, function.inputs), function, results))
    for seed, run, function, results in made:
        for got, wanted in zip(run(*function.inputs), results, strict=True):
            assert got.shape == wanted.shape, seed
            np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-9, err_msg=f"{seed}")
    levels = {level for text in cupy.row_texts for _, level in text.outputs}
    assert levels == {*Level}
    assert sum(text.alone for text in cupy.row_texts) > 10
    assert len(cupy.row_texts) > 100
