"""A random program: inputs, lines of Python, outputs, and its text."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import special

import portanet as pn

NAMES = re.compile(r"\b[akv]\d+\b")


def names(backend: Any) -> dict[str, Any]:
    """Return what the lines of a program know by name."""
    return {"np": np, "pn": pn, "special": special, "xp": backend.xp, "backend": backend}


@dataclass(frozen=True)
class Program:
    """A function of arrays as text.

    Attributes
    ----------
    library : str
    seed : int
    inputs : tuple of tuple
        Names, each with the expression that makes an input of a generator `rng`.
    lines : tuple of tuple
        Names, each with the expression that computes it of names before it.
    outputs : tuple of tuple
        What stands before a name in the tree that is returned, and the name.
    kind : str
        ``"dict"``, ``"tuple"`` or ``"list"``.
    donated : tuple of int
        The places of donated inputs.
    block : tuple of int, optional
        The bytes of a large array and of a block, where they are not those of the planner.
    """

    library: str
    seed: int
    inputs: tuple[tuple[str, str], ...]
    lines: tuple[tuple[str, str], ...]
    outputs: tuple[tuple[str, str], ...]
    kind: str = "tuple"
    donated: tuple[int, ...] = ()
    block: tuple[int, int] | None = None

    def body(self) -> str:
        """Return the text of the function `f`."""
        names = ", ".join(name for name, _ in self.inputs)
        lines = [f"    {name} = {text}" for name, text in self.lines]
        if self.kind == "dict":
            tree = "{" + ", ".join(f"{key!r}: {name}" for key, name in self.outputs) + "}"
        else:
            tree = "[" + ", ".join(name for _, name in self.outputs) + "]"
            tree = f"tuple({tree})" if self.kind == "tuple" else tree
        return "\n".join([f"def f({names}):", *lines, f"    return {tree}", ""])

    def maker(self) -> str:
        """Return the text of the function that makes inputs of a seed."""
        made = [f"    {name} = {text}" for name, text in self.inputs]
        names = "".join(f"{name}, " for name, _ in self.inputs)
        head = ["def inputs(seed):", "    rng = np.random.default_rng(seed)"]
        return "\n".join([*head, *made, f"    return ({names})", ""])

    def text(self) -> str:
        """Return a program that runs by itself and prints what is computed plain and recorded."""
        head = ["import numpy as np", "from scipy import special", "import portanet as pn"]
        if self.block is not None:
            large, block = self.block
            head.append("from portanet.tracing.plan import blocks")
            head.append(f"blocks._LARGE, blocks._BLOCK = {large}, {block}")
        head += [f"backend = pn.backends.get_backend({self.library!r})", "xp = backend.xp", ""]
        donated = f", donate_argnums={self.donated}" if self.donated else ""
        tail = [
            f"jitted = pn.jit(f{donated})",
            f"for seed in ({self.seed}, {self.seed + 1}, {self.seed}):",
            "    print(f(*inputs(seed)))",
            "    print(jitted(*inputs(seed)))",
        ]
        return "\n".join([*head, self.maker(), self.body(), *tail, ""])

    def used(self) -> Program:
        """Return the program without the lines that no output needs."""
        needed = {name for _, name in self.outputs}
        kept = []
        for name, text in reversed(self.lines):
            if name in needed:
                kept.append((name, text))
                needed.update(NAMES.findall(text))
        return replace(self, lines=tuple(kept[::-1]))

    def without(self, i: int, other: str) -> Program:
        """Return the program with the name `other` in the place of line `i`."""
        gone = self.lines[i][0]

        def current(text: str) -> str:
            return re.sub(rf"\b{gone}\b", other, text)

        lines = [(name, current(text)) for name, text in (*self.lines[:i], *self.lines[i + 1 :])]
        outputs = tuple((key, current(name)) for key, name in self.outputs)
        return replace(self, lines=tuple(lines), outputs=outputs).used()
