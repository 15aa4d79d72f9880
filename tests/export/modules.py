"""Exported modules, imported as a user imports them."""

from __future__ import annotations

import importlib.util

import portanet as pn


def imported(path):
    """Import a module from its file, anew."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def module_of(folder, function, *examples, **options):
    """Export a function and import the module."""
    path = folder / "made.py"
    pn.export.numpy(function, path, *examples, **options)
    return imported(path)


def statements_of(folder):
    """Return the statements of the function of an exported module, without its checks."""
    text = (folder / "made.py").read_text()
    lines = text[text.rindex("\ndef ") :].splitlines()[2:]
    return [line[4:] for line in lines if "checked(" not in line]
