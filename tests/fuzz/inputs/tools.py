"""Valid calls of what reads and writes files, and of the kit for tests."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import portanet as pn
from fuzz.inputs.places import Call
from portanet import testing
from portanet.io import Checkpointer, npz, safetensors

FILE = "model.safetensors"
FOLDER = "checkpoints"


def calls(arrays: Callable[[Any], Any]) -> Iterator[Call]:
    """Walk over valid calls with the arrays that `arrays` makes."""
    yield from _files(arrays)
    yield from _kit(arrays)


def _files(arrays: Callable[[Any], Any]) -> Iterator[Call]:
    model = pn.Chain(pn.Dense(3, 2), pn.Dropout(0.5))
    ps, st = arrays(pn.setup(0, model))
    tree = {"parameters": ps, "states": st}
    loader = pn.data.DataLoader(arrays(np.ones(3)), 2)
    with tempfile.TemporaryDirectory() as kept:
        with contextlib.chdir(kept):
            safetensors.save_model(FILE, ps, st)
            Checkpointer(FOLDER).save(tree, step=1, metrics={"loss": 1.0}, loader=loader)
        for name, function, args, options in (
            *_single_files(model, ps, st),
            *_checkpoints(tree, loader),
        ):
            yield Call(name, _among_copies(kept, function), args, options)


def _single_files(model: Any, ps: Any, st: Any) -> Iterator[tuple[Any, ...]]:
    tree = {"parameters": ps, "states": st}
    for name, args, options in (
        ("save", (FILE, tree), {"metadata": {"a": "b"}}),
        ("load", (FILE,), {"like": tree, "device": None, "only": _all}),
        ("load anything", (FILE,), {"like": None, "device": None, "only": None}),
        ("metadata", (FILE,), {}),
        ("save_model", (FILE, ps, st), {"metadata": None}),
        ("load_model", (FILE, model), {"device": None}),
    ):
        yield f"safetensors.{name}", getattr(safetensors, name.partition(" ")[0]), args, options
    yield "npz.save", npz.save, ("a.npz", tree), {"metadata": None}


def _checkpoints(tree: Any, loader: Any) -> Iterator[tuple[Any, ...]]:
    options = {"keep": 1, "best": "loss", "mode": "min", "format": "npz"}
    yield "Checkpointer", Checkpointer, (FOLDER,), options
    there = {"step": 1, "only": None, "loader": loader, "device": None}
    for name, args, options in (
        ("save", (tree,), {"step": 2, "metrics": {"loss": 1.0}, "loader": loader}),
        ("restore", (), {"like": tree, **there}),
        ("metrics", (1,), {}),
        ("path", (1,), {}),
    ):
        yield f"Checkpointer.{name}", getattr(Checkpointer(FOLDER), name), args, options


def _among_copies(kept: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that is called in a folder with copies of files."""

    def called(*args: Any, **options: Any) -> Any:
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            shutil.copytree(kept, ".", dirs_exist_ok=True)
            with contextlib.suppress(OSError):  # as for any file, says the documentation
                function(*args, **options)

    return called


def _all(path: str, x: Any) -> bool:
    return True


def _kit(arrays: Callable[[Any], Any]) -> Iterator[Call]:
    x, host = arrays(np.ones(3)), np.linspace(0.1, 0.9, 3)
    numpy = {"backends": ["numpy"], "order": 1, "rtol": 1e-7, "atol": 1e-8}
    for name, args, options in (
        ("assert_close", ({"a": x}, {"a": x}), {"rtol": 1e-7, "atol": 0.0, "what": "result"}),
        ("assert_same_kind", ({"a": x}, {"a": x}), {"what": "result"}),
        ("check_backend", ("nothing",), {}),
        ("check_layer", (pn.Dense(3, 2), host[None, :]), {**numpy, "names": None}),
        ("check_rule", (pn.tanh, host), numpy),
        ("slope", (lambda t: [host * t],), {"step": 1e-3}),
        ("Snapshot", (x,), {}),
    ):
        yield Call(f"testing.{name}", _judging(getattr(testing, name)), args, options)


def _judging(check: Callable[..., Any]) -> Callable[..., Any]:
    """Return a check whose verdict does not matter."""

    def called(*args: Any, **options: Any) -> Any:
        with contextlib.suppress(AssertionError):
            check(*args, **options)

    return called
