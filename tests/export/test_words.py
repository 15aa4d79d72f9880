"""Each operation that can be recorded is written as NumPy computes it, or refused by name."""

from __future__ import annotations

import numpy as np
import pytest
from export.modules import module_of
from fuzz.programs.generate import Generator
from fuzz.programs.words import NUMPY, STANDARD
from tracing.recorded_calls import MORE

from portanet.errors import ArgumentError

WORDS = [*STANDARD, *NUMPY, *MORE]
REFUSALS = "NumPy has no '", "got another tree", "returns arrays: got none"


def filled(seed, word):
    """Return texts of a word on operands of several kinds, and these."""
    generator, rng = Generator("numpy", seed), np.random.default_rng(seed)
    made = [
        rng.normal(size=(3, 4)), rng.normal(size=(3, 3)), rng.normal(size=4),
        np.asarray(rng.normal()), rng.normal(size=(3, 4)) + 1j, np.asarray(1 + 2j),
        rng.integers(1, 5, size=(3, 4)), np.asarray(3), rng.random((3, 4)) < 0.5,
    ]  # fmt: skip
    generator.values = {f"a{i}": x for i, x in enumerate(made)}
    texts = {generator._filled(word) for _ in range(4)} - {None}
    return sorted(texts), generator.values, generator.names


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("part", range(8))
def test_words(tmp_path, part):
    written = 0
    for seed in range(part, len(WORDS), 8):
        texts, values, space = filled(seed, WORDS[seed])
        for text in texts:
            names = [name for name in values if name in text]

            def function(*args, text=text, names=names, space=space):
                return [eval(text, {**space, **dict(zip(names, args, strict=True))})]

            try:
                function(*(values[name] for name in names))
            except Exception:  # an operand of another shape or dtype
                continue
            if not names or "empty" in text or "special." in text:
                continue
            try:
                module_of(tmp_path, function, *(values[x] for x in names), batch_axis=None)
                written += 1
            except ArgumentError as error:
                if not any(refusal in str(error) for refusal in REFUSALS):
                    raise AssertionError(text) from error
    assert written > 100
