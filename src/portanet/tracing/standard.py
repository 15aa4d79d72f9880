"""Which primitives are what their names say, and which are functions of the user's so named."""

from __future__ import annotations

from typing import Any

from portanet.tape.rule import Constant, Rule
from portanet.tape.rules import EXTENSIONS, RULES, fft, linalg

_RULES: dict[str, Rule] = {}
for _prefix, _room in (("fft.", fft), ("linalg.", linalg)):
    _RULES |= {_prefix + name: rule for name, rule in _room.RULES.items()}
    _RULES |= {_prefix + name: rule for name, (rule, _) in _room.EXTENSIONS.items()}
_RULES |= RULES
_RULES |= {name: rule for name, (rule, _) in EXTENSIONS.items()}


def is_standard(primitive: Any) -> bool:
    """Whether a primitive is one of portanet's, and so is known by its name.

    Kernels, the primitives of autograd and operations with derivatives of their own may bear any
    name.
    """
    generic = getattr(primitive, "generic", None)
    if generic is not None:
        return str(generic.__module__).startswith("portanet.")
    rule = getattr(primitive, "rule", None)
    return rule is None or type(rule) in (Rule, Constant) or _RULES.get(primitive.name) is rule
