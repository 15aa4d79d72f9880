"""Layers and losses on torch's tensors, forward and backward, beside those of torch.nn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch.nn import functional

import portanet as pn
from benchmarks.agreement import agree
from benchmarks.report import duration, table
from benchmarks.timing import interleave

_SMALL, _LARGE = (8, 14, 14, 16), (32, 32, 32, 32)
_HEADER = ["layer or loss", "input", "torch.nn", "portanet", "portanet ÷ torch.nn"]

Calls = dict[str, Callable[[], Any]]


def torch_layers() -> Iterator[str]:
    """Normalisations of few and many numbers, pooling, and the losses of classes and outliers."""
    rows = []
    for name, shape, calls in _cases():
        agree(name, {who: call() for who, call in calls.items()}, rtol=2e-3, atol=2e-3)
        times = interleave(calls)
        own, theirs = times["portanet"], times["torch.nn"]
        texts = duration(theirs.seconds), duration(own.seconds), f"{own.ratios['torch.nn']:.2f}"
        rows.append([name, "×".join(map(str, shape)), *texts])
    yield "### Layers on torch, forward and backward, float32\n\n" + table(_HEADER, rows)


def _cases() -> Iterator[tuple[str, tuple[int, ...], Calls]]:
    for shape in (_SMALL, _LARGE):
        n = shape[-1]
        layers = {
            "BatchNorm": (pn.BatchNorm(n), nn.BatchNorm2d(n)),
            "BatchNorm, testing": (pn.BatchNorm(n), nn.BatchNorm2d(n).eval()),
            "InstanceNorm": (pn.InstanceNorm(n), nn.InstanceNorm2d(n)),
            "GroupNorm of 4 groups": (pn.GroupNorm(n, 4), nn.GroupNorm(4, n)),
            "MaxPool": (pn.MaxPool((2, 2)), nn.MaxPool2d(2)),
        }
        for name, (own, theirs) in layers.items():
            yield name, shape, _layer(own, theirs, torch.randn(shape), behind=True)
    for shape in ((32, 64), (16, 128, 512)):
        n = shape[-1]
        yield "LayerNorm", shape, _layer(pn.LayerNorm(n), nn.LayerNorm(n), torch.randn(shape))
        yield "RMSNorm", shape, _layer(pn.RMSNorm(n), nn.RMSNorm(n, 1e-5), torch.randn(shape))
    for shape in ((32, 64), (4096, 256)):
        n = shape[-1]
        yield "BatchNorm", shape, _layer(pn.BatchNorm(n), nn.BatchNorm1d(n), torch.randn(shape))
    for shape in ((128, 10), (4096, 64)):
        scores, numbers = torch.randn(shape), torch.randn(shape)
        labels = torch.randint(0, shape[1], shape[:1])
        losses = {
            "cross-entropy of labels": (
                pn.CrossEntropyLoss(logits=True), functional.cross_entropy, labels,
            ),
            "logistic loss": (
                pn.BinaryCrossEntropyLoss(logits=True),
                functional.binary_cross_entropy_with_logits,
                torch.sigmoid(numbers),
            ),
            "Huber's loss": (pn.HuberLoss(), functional.huber_loss, numbers),
        }  # fmt: skip
        for name, (own, theirs, target) in losses.items():
            yield name, shape, _loss(own, theirs, scores, target)


def _layer(own: Any, theirs: nn.Module, x: torch.Tensor, behind: bool = False) -> Calls:
    """Return the gradients of both in the input and the parameters, for the same upstream ones."""
    ps, st = pn.device("torch")(pn.setup(0, own))
    st = st if theirs.training else pn.test_mode(st)
    given = [p.requires_grad_() for p in pn.trees.leaves(ps)]
    parameters, d = list(theirs.parameters()), torch.randn_like(own(x, ps, st)[0])
    moved, theirs_d = (_in_front(t, behind) for t in (x, d))
    x, moved = x.requires_grad_(), moved.requires_grad_()

    def run() -> list[Any]:
        return list(torch.autograd.grad(own(x, ps, st)[0], [x, *given], d))

    def run_theirs() -> list[Any]:
        found = torch.autograd.grad(theirs(moved), [moved, *parameters], theirs_d)
        slope = found[0].movedim(1, -1) if behind else found[0]
        return [slope, *reversed(found[1:])]  # ours go by name: the bias first

    return {"torch.nn": run_theirs, "portanet": run}


def _in_front(x: torch.Tensor, behind: bool) -> torch.Tensor:
    """Return a copy with the channels where torch.nn has them."""
    x = x.detach()
    return x.movedim(-1, 1).clone(memory_format=torch.contiguous_format) if behind else x.clone()


def _loss(own: Any, theirs: Callable[..., Any], x: torch.Tensor, target: Any) -> Calls:
    x = x.clone().requires_grad_()
    return {
        "torch.nn": lambda: torch.autograd.grad(theirs(x, target), x),
        "portanet": lambda: torch.autograd.grad(own(x, target), x),
    }
