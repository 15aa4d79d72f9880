"""The text of a module that computes a program by NumPy alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from portanet import trees
from portanet.errors import ArgumentError
from portanet.export._program import Exported
from portanet.export._source import Body
from portanet.export._values import is_ours, written_out
from portanet.tracing.write.trees import Text, Unknown, literal, sorted_keys

MADE = "made"
"""The entry of the file of arrays that says to which module it belongs."""

_CHECKED = '''
def checked(name, x, dtype, shape):
    """Return an argument as an array of a dtype and a shape, in which "n" is any number."""
    x = np.asarray(x)
    fits = x.ndim == len(shape) and all(b in ("n", a) for a, b in zip(x.shape, shape))
    if x.dtype != dtype or not fits:
        raise ValueError(f"{name} is {dtype} of shape {shape}: got {x.dtype} of {x.shape}")
    return x
'''
_LOADED = '''
def loaded(made):
    """Return the arrays beside this module, which were written together with it."""
    with np.load(Path(__file__).with_suffix(".npz")) as file:
        arrays = dict(file)
    if str(arrays.pop("made", "")) != made:
        raise ImportError("the arrays beside this module were not written together with it")
    return arrays
'''

_TREES = "what is exported {} arrays, or tuples, lists and dicts of them: got another tree"

TAKEN = (
    "added", "allow_pickle", "arrays", "checked", "checked_index", "descending", "file", "loaded",
    MADE, "np", "patch_product", "Path", "window_max", "window_patches", "windows",
)  # fmt: skip
"""What an exported module calls by these names, or NumPy in writing its arrays."""


@dataclass(frozen=True)
class Module:
    """A module and the arrays beside it.

    Parameters
    ----------
    name : str
        That of its function.
    body : str
        Its text below the reading of the arrays.
    arrays : dict
    """

    name: str
    body: str
    arrays: dict[str, np.ndarray]

    @property
    def made(self) -> str:
        """What the module and its arrays are known by."""
        digest = hashlib.sha256(self.body.encode())
        for name, x in self.arrays.items():
            digest.update(f"{name} {x.dtype.str} {x.shape}".encode() + x.tobytes())
        return digest.hexdigest()[:16]

    @property
    def text(self) -> str:
        head = f'"""``{self.name}``, written by portanet. It needs NumPy alone."""\n\n'
        if not self.arrays:
            return f"{head}import numpy as np\n\n{self.body}"
        imports = "from pathlib import Path\n\nimport numpy as np\n\n"
        return f"{head}{imports}{_LOADED}\n\narrays = loaded({self.made!r})\n{self.body}"

    def function(self) -> Any:
        """Return the function without writing or reading a file."""
        names: dict[str, Any] = {"np": np, "arrays": self.arrays}
        exec(compile(self.body, f"<{self.name}>", "exec"), names)
        return names[self.name]


def module_of(whole: Exported, name: str, known: dict[int, str]) -> Module:
    """Return the module of a program.

    Parameters
    ----------
    whole : Exported
    name : str
        What to call the function. A parameter whose name the text needs gets an underscore.
    known : dict
        What to call arrays, by their identities.
    """
    arguments, program = whole.arguments, whole.program
    names = [f"{x}_" if is_ours(x) or x in (name, *TAKEN) else x for x in arguments.names]
    body = Body(known, (name, *names, *TAKEN))
    try:
        pairs = zip(names, arguments.examples, strict=True)
        places = [place for name, tree in pairs for place in _places(name, tree)]
    except Unknown:
        raise ArgumentError(_TREES.format("takes")) from None
    checks = []
    for variable, path, place in zip(program.inputs, arguments.paths, places, strict=True):
        alone = place in names
        body.names[variable] = place if alone else body.new()
        shape = tuple(
            "n" if axis == arguments.batch_axis else size
            for axis, size in enumerate(variable.shape)
        )
        checks.append(
            f"    {body.names[variable]} = checked({path!r}, {place}, "
            f"{np.dtype(variable.dtype).name!r}, {shape!r})"
        )
    body.write(program)
    texts = [Text(body.result(y)) for y in program.outputs]
    result = literal(trees.unflatten(whole.structure, texts))
    if result is None:
        raise ArgumentError(_TREES.format("returns"))
    lines = [*checks, *_lengths(whole, body), *body.lines, f"    return {result}"]
    arrays, written = {}, []
    for key, x in body.constants.items():
        text = written_out(x)
        if text is None:
            arrays[key] = x
        written.append(f"{key} = {text or f'arrays[{key!r}]'}\n")
    head = f"def {name}({', '.join(names)}):\n"
    helpers = "".join(f"\n{text}\n" for text in (_CHECKED, *body.helpers))
    text = f"{''.join(written)}{helpers}\n{head}" + "\n".join(lines) + "\n"
    return Module(name, text, arrays)


def _places(text: str, tree: Any) -> Iterator[str]:
    """Yield the expression of each array of an argument that is called `text`."""
    if type(tree) is dict:
        for key in sorted_keys(tree):
            yield from _places(f"{text}[{key!r}]", tree[key])
    elif type(tree) in (list, tuple):
        for i, part in enumerate(tree):
            yield from _places(f"{text}[{i}]", part)
    elif trees.is_leaf(tree):
        yield text
    else:
        raise Unknown


def _lengths(whole: Exported, body: Body) -> list[str]:
    """Return the lines that find the size of the batch, and refuse arguments of several."""
    axis = whole.arguments.batch_axis
    if axis is None:
        return []
    first, *others = (body.names[v] for v in whole.program.inputs)
    lines = []
    for other in others:
        lines += [
            f"    if {other}.shape[{axis}] != {first}.shape[{axis}]:",
            f'        raise ValueError("arguments have one length along axis {axis}")',
        ]
    if body.uses_size:
        lines.append(f"    n = {first}.shape[{axis}]")
    return lines
