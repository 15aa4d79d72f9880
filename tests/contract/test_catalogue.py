"""No public layer, loss, optimizer or function is without a case."""

from __future__ import annotations

import dataclasses

from contract.activations import ELEMENTWISE
from contract.cases import LAYERS, LOSSES, RULES
from contract.functions import FUNCTIONS

import portanet as pn


def _public(module, base):
    found = {name: getattr(module, name) for name in module.__all__}
    return {
        name
        for name, value in found.items()
        if isinstance(value, type) and issubclass(value, base) and value is not base
    }


def _rules_in(value):
    """Return a rule and those that it is made of."""
    if isinstance(value, tuple):
        return [rule for part in value for rule in _rules_in(part)]
    if not isinstance(value, pn.optimizers.Rule):
        return []
    fields = dataclasses.fields(value)
    return [value, *_rules_in(tuple(getattr(value, field.name) for field in fields))]


def test_every_layer_has_a_case():
    assert _public(pn.layers, pn.Layer) == set(pn.layers.__all__)
    assert {type(case.make()).__name__ for case in LAYERS.values()} == set(pn.layers.__all__)


def test_every_loss_has_a_case():
    classes = {type(case.make()).__name__ for case in LOSSES.values()}
    assert classes == _public(pn.losses, pn.losses.Loss)


def test_every_optimizer_has_a_case():
    rules = [rule for make in RULES.values() for rule in _rules_in(make())]
    assert {type(rule).__name__ for rule in rules} == _public(pn.optimizers, pn.optimizers.Rule)


def test_every_function_has_a_case():
    names = {case.name for case in FUNCTIONS.values()} | set(ELEMENTWISE)
    assert set(pn.functional.__all__) - names == set()
    assert all(hasattr(pn.functional, name) for name in names)
