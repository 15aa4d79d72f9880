"""Schedules against those of PyTorch, and rules that follow them."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest

from portanet import optimizers as opt
from portanet.errors import HyperparameterError
from portanet.optimizers import schedules

PAIRS = {
    "Constant": (schedules.Constant(0.3), lambda s, o: s.ConstantLR(o, factor=1.0)),
    "StepDecay": (schedules.StepDecay(0.3, 0.5, 4), lambda s, o: s.StepLR(o, 4, 0.5)),
    "ExponentialDecay": (
        schedules.ExponentialDecay(0.3, 0.9),
        lambda s, o: s.ExponentialLR(o, 0.9),
    ),
    "InverseDecay": (
        schedules.InverseDecay(0.3, 0.2, 0.5),
        lambda s, o: s.LambdaLR(o, lambda t: (1.0 + 0.2 * t) ** -0.5),
    ),
    "Polynomial": (
        schedules.Polynomial(0.3, 0.0, 12, power=2.0),
        lambda s, o: s.PolynomialLR(o, 12, power=2.0),
    ),
    "Polynomial, warm-up": (
        schedules.Polynomial(0.1, 0.3, 5),
        lambda s, o: s.LinearLR(o, start_factor=1 / 3, total_iters=5),
    ),
    "CosineAnnealing": (
        schedules.CosineAnnealing(0.3, 0.02, 19),
        lambda s, o: s.CosineAnnealingLR(o, 19, eta_min=0.02),
    ),
    "CosineAnnealing, restart": (
        schedules.CosineAnnealing(0.3, 0.02, 6, restart=True),
        lambda s, o: s.CosineAnnealingWarmRestarts(o, 6, eta_min=0.02),
    ),
    "Triangle": (
        schedules.Triangle(0.1, 0.3, 8),
        lambda s, o: s.CyclicLR(o, 0.1, 0.3, step_size_up=4, cycle_momentum=False),
    ),
    "Triangle, decay": (
        schedules.Triangle(0.1, 0.3, 8, decay=0.5),
        lambda s, o: s.CyclicLR(o, 0.1, 0.3, 4, mode="triangular2", cycle_momentum=False),
    ),
    # PyTorch counts the points, where ours counts the steps between them.
    "OneCycle": (
        schedules.OneCycle(0.3, 19, rising=0.2),
        lambda s, o: s.OneCycleLR(
            o, 0.3, total_steps=20, pct_start=5 / 20, final_div_factor=4000, cycle_momentum=False
        ),
    ),
    "Sequence": (
        schedules.Sequence(
            (schedules.Polynomial(0.1, 0.3, 5), schedules.ExponentialDecay(0.3, 0.9)), (5,)
        ),
        lambda s, o: s.SequentialLR(
            o, [s.LinearLR(o, 1 / 3, total_iters=5), s.ExponentialLR(o, 0.9)], [5]
        ),
    ),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("schedule", "theirs"), PAIRS.values(), ids=PAIRS)
def test_they_are_those_of_torch(schedule, theirs):
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    scheduler = theirs(torch.optim.lr_scheduler, optimizer)
    expected = []
    for _ in range(20):
        expected.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    np.testing.assert_allclose([schedule(t) for t in range(20)], expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("schedule", [pair[0] for pair in PAIRS.values()], ids=PAIRS)
def test_they_are_values(schedule):
    assert eval(repr(schedule), vars(schedules)) == schedule
    assert pickle.loads(pickle.dumps(schedule)) == schedule
    assert hash(schedule) == hash(dataclasses.replace(schedule))
    assert all(type(schedule(t)) is float for t in (0, 7, 1000))


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: schedules.StepDecay(0.1, 0.5, 0), "StepDecay: every >= 1: got 0"),
        (lambda: schedules.ExponentialDecay(0.1, 0.0), "ExponentialDecay: decay > 0: got 0.0"),
        (lambda: schedules.Polynomial(0.1, float("nan"), 3), "Polynomial: end is a finite number"),
        (lambda: schedules.OneCycle(0.1, 1), "OneCycle: steps >= 2: got 1"),
        (lambda: schedules.OneCycle(0.1, 9, rising=1.0), "OneCycle: 0 < rising < 1: got 1.0"),
        (
            lambda: schedules.Sequence((schedules.Constant(1.0),), (3,)),
            r"Sequence: len\(steps\) == len\(schedules\) - 1 == 0: got \(3,\)",
        ),
        (lambda: schedules.Sequence((0.1,), ()), "Sequence: each schedule is a function of the st"),
        (lambda: opt.Scheduler(0.1), "Scheduler: rule is one such as"),  # pyright: ignore
        (lambda: opt.Scheduler(opt.SGD(), rate=abs), r"Scheduler: rate is no number of SGD\(lr"),
        (
            lambda: opt.Scheduler(opt.chain(opt.ClipNorm(1.0), opt.SGD()), lr=abs),
            "put the Scheduler around the rule inside",
        ),
        (
            lambda: opt.Scheduler(opt.Accumulate(opt.SGD(), 2), lr=abs),
            "put the Scheduler around the rule inside",
        ),
        (lambda: opt.Scheduler(opt.SGD(), nesterov=abs), "Scheduler: nesterov is no number of SGD"),
        (lambda: opt.Scheduler(opt.SGD(), lr=0.1), "Scheduler: lr is a function of the step: got"),
        (lambda: opt.Scheduler(opt.SGD(), lr=lambda t: -1.0), "SGD: lr >= 0: got -1.0"),
    ],
)
def test_bad_hyperparameters(build, text):
    with pytest.raises(HyperparameterError, match=text):
        build()


def test_a_scheduled_rule_is_one_adjusted_before_each_step(backend):
    ps = {"weight": backend.asarray(np.asarray([1.0, -2.0])), "bias": backend.asarray(np.ones(1))}
    grads = {"weight": backend.asarray(np.asarray([0.5, 3.0])), "bias": backend.asarray(np.ones(1))}
    schedule = schedules.CosineAnnealing(0.2, 0.0, 5)
    state = opt.setup(opt.Scheduler(opt.AdamW(weight_decay=0.1), lr=schedule), ps)
    plain, expected = opt.setup(opt.AdamW(weight_decay=0.1), ps), ps
    for t in range(6):
        state, ps = opt.update(state, ps, grads)
        plain, expected = opt.update(opt.adjust(plain, schedule(t)), expected, grads)
        for name in ps:
            found, wanted = (backend.to_numpy(x[name]) for x in (ps, expected))
            np.testing.assert_array_equal(found, wanted)


def test_adjust_reaches_what_is_not_scheduled():
    rule = opt.Scheduler(opt.AdamW(), lr=schedules.Constant(0.1))
    state = opt.setup(rule, {"weight": np.ones(2)})
    adjusted = opt.adjust(state, weight_decay=0.5)["weight"].rule
    assert adjusted == opt.Scheduler(opt.AdamW(weight_decay=0.5), lr=schedules.Constant(0.1))
    with pytest.raises(HyperparameterError, match=r"adjust: no rule has \['lr'\]"):
        opt.adjust(state, 0.5)


@pytest.mark.parametrize(("steps", "rising"), [(100, 0.07), (100, 0.55), (50, 0.14), (8, 0.001)])
def test_one_cycle_peaks_at_the_nearest_step(steps, rising):
    schedule = schedules.OneCycle(1.0, steps, rising=rising)
    values = [schedule(t) for t in range(steps + 1)]
    assert np.argmax(values) == max(round(steps * rising), 1)
    assert values[0] == pytest.approx(0.04)


def test_adjust_refuses_a_rate_that_two_rules_of_a_chain_have():
    chain = opt.chain(opt.RMSProp(0.01), opt.SGD(1.0, momentum=0.9))
    state = opt.setup(chain, {"w": np.ones(1)})
    with pytest.raises(HyperparameterError, match="one rule of a chain has lr: 2 have it, RMSProp"):
        opt.adjust(state, 0.001)
    assert opt.adjust(state, rho=0.5)["w"].rule.rules[0] == opt.RMSProp(0.01, 0.5)
