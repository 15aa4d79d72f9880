"""The public names: each is documented, and nothing private leaks."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from types import ModuleType

import pytest

import portanet as pn


def public_modules() -> list[ModuleType]:
    """Return portanet and every module right below it that says what it exports."""
    names = [info.name for info in pkgutil.iter_modules(pn.__path__)]
    below = [importlib.import_module(f"portanet.{name}") for name in names if name[0] != "_"]
    return [pn, *(module for module in below if hasattr(module, "__all__"))]


def shown_modules(module: ModuleType = pn) -> dict[str, ModuleType]:
    """Return the modules that users see: portanet, and those among the public names of one."""
    found = {module.__name__: module}
    for name in module.__all__:
        thing = getattr(module, name)
        if isinstance(thing, ModuleType):
            found |= shown_modules(thing)
    return found


SHOWN = shown_modules()
MODULES = {module.__name__: module for module in public_modules()}
NAMES = [(module, name) for module in MODULES for name in MODULES[module].__all__]


@pytest.mark.parametrize("module", MODULES)
def test_all_is_unique_and_public(module):
    names = MODULES[module].__all__
    assert len(names) == len(set(names))
    assert [name for name in names if name.startswith("_") and name != "__version__"] == []


@pytest.mark.parametrize(("module", "name"), NAMES)
def test_every_public_name_is_documented(module, name):
    thing = getattr(MODULES[module], name)
    if isinstance(thing, str | int | float):
        return
    doc = inspect.getdoc(thing)
    assert doc, f"{module}.{name} has no docstring"
    assert not doc.startswith(f"{name}("), f"{module}.{name} has only the dataclass's own docstring"


def test_users_see_every_documented_room():
    below = {"portanet.random", "portanet.io.safetensors", "portanet.optimizers.schedules"}
    assert below <= set(SHOWN)


@pytest.mark.parametrize("module", SHOWN)
def test_a_module_shows_its_public_names_alone(module):
    names = dir(SHOWN[module])
    assert names == sorted(SHOWN[module].__all__)
    for name in names:
        assert getattr(SHOWN[module], name) is not None


@pytest.mark.parametrize(("module", "name"), NAMES)
def test_signatures_show_what_users_write(module, name):
    """No factories of dataclasses, no private parameters, no caches."""
    try:
        parameters = inspect.signature(getattr(MODULES[module], name)).parameters.values()
    except (TypeError, ValueError):
        return
    assert [
        p.name for p in parameters if p.name.startswith("_") or "factory" in repr(p.default)
    ] == []


def test_nothing_leaks_from_the_top():
    public = {name: thing for name, thing in vars(pn).items() if not name.startswith("_")}
    modules = {name for name, thing in public.items() if isinstance(thing, ModuleType)}
    assert {public[name].__name__ for name in modules} <= {f"portanet.{name}" for name in modules}
    assert set(public) - modules <= set(pn.__all__)


def test_names_that_are_loaded_later_are_those_of_their_modules():
    assert set(pn.layers.__all__) <= set(pn.__all__)
    assert {name for name in pn.losses.__all__ if name.endswith("Loss")} - {"Loss"} <= set(
        pn.__all__
    )
    for name, module in pn._LATER.items():
        assert getattr(pn, name) is getattr(importlib.import_module(f"portanet.{module}"), name)
