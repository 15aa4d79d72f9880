"""Importing portanet is light, no array library but NumPy; and its rooms import one way."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import portanet

HEAVY = {
    "array_api_strict",
    "cupy",
    "jax",
    "jaxlib",
    "matplotlib",
    "ml_dtypes",
    "mpi4py",
    "pytest",
    "safetensors",
    "scipy",
    "sklearn",
    "torch",
    "tqdm",
}

TRAIN_ON_NUMPY = """
import numpy as np
import portanet as pn

model = pn.Dense(2, 1)
ps, st = pn.setup(0, model)
ts = pn.training.TrainState(model, ps, st, pn.optimizers.SGD(0.1))
x = np.ones((3, 2), np.float32)
pn.training.train_step(pn.MSELoss(), (x, x[:, :1]), ts)
"""


def modules_loaded_by(program: str) -> set[str]:
    report = "\nimport sys; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", program + report], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("program", ["import portanet", TRAIN_ON_NUMPY])
def test_no_framework_is_imported(program):
    loaded = modules_loaded_by(program)
    assert "portanet" in loaded
    assert loaded & HEAVY == set()


ROOMS = (
    "listing",
    "errors once",
    "trees",
    "tape",
    "interface",
    "random",
    "checks devices parameters versions",
    "autodiff",
    "control tracing",
    "core functional",
    "initializers losses stateful",
    "backends layers optimizers",
    "data inspection io",
    "distributed export plots",
    "training",
    "testing",
)
"""From below to above; those of one line do not import each other."""

TRACING = (
    "program",
    "record watch",
    "compound",
    "interpret",
    "plan",
    "loops",
    "passes",
    "write",
    "call",
)
"""The same inside `tracing`."""

LEVELS = {room: level for level, rooms in enumerate(ROOMS) for room in rooms.split()}
SOURCE = Path(portanet.__file__).parent


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(path): path for path in SOURCE.rglob("*.py")}


def imports_of(module: str) -> set[str]:
    """Return the modules of portanet in all import statements of a file, wherever they stand."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import"
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if name in MODULES else str(node.module) for name in whole}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    if module.startswith("portanet.testing"):
        found.discard("portanet")  # it is loaded when asked for, and speaks as its users do
    return (found & MODULES.keys()) - {module}


def room_of(module: str) -> str:
    return module.split(".")[1]


@pytest.mark.parametrize("room", LEVELS)
def test_imports_run_one_way(room):
    """Down the list, in function bodies and for types alone too."""
    inside = [name for name in MODULES if name != "portanet" and room_of(name) == room]
    assert inside
    for name in inside:
        for imported in imports_of(name):
            assert imported != "portanet", f"{name} imports the whole package"
            other = room_of(imported)
            assert other == room or LEVELS[other] < LEVELS[room], f"{name} imports {imported}"


def test_the_compiler_is_built_in_one_direction():
    levels = {name: level for level, names in enumerate(TRACING) for name in names.split()}
    inside = {name for name in MODULES if name.startswith("portanet.tracing.")}
    assert {name.split(".")[2] for name in inside} == set(levels)
    for name in inside:
        own = name.split(".")[2]
        for imported in imports_of(name) & inside:
            other = imported.split(".")[2]
            assert other == own or levels[other] < levels[own], f"{name} imports {imported}"


def circle_in(graph: dict[str, set[str]]) -> list[str]:
    """Return modules that import each other in a circle; none where there is no circle."""
    left = dict(graph)
    while left:
        leaves = [name for name, below in left.items() if not below & left.keys()]
        if not leaves:
            return sorted(left)
        for name in leaves:
            del left[name]
    return []


def test_no_files_import_each_other_in_a_circle():
    assert circle_in({"a": {"b"}, "b": {"a"}, "c": {"a"}}) == ["a", "b", "c"]
    assert circle_in({name: imports_of(name) for name in MODULES}) == []


def test_every_room_has_its_place():
    found = {
        path.stem for path in SOURCE.iterdir() if path.stem[0] != "_" and path.name != "py.typed"
    }
    assert found == set(LEVELS)
