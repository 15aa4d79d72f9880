"""The text of show_versions."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
import sys

import numpy as np

import portanet as pn
from portanet.backends import available


def test_text(capsys):
    assert pn.show_versions() is None
    rows = {}
    for line in capsys.readouterr().out.splitlines():
        name, _, text = line.strip().partition(" ")
        rows[name] = text.strip()
    assert rows["portanet"] == importlib.metadata.version("portanet")
    assert rows["python"] == f"{platform.python_version()} ({sys.executable})"
    assert rows["platform"] == platform.platform()
    assert rows["numpy"] == f"{np.__version__}; devices: cpu"
    for package in ("array-api-compat", "autograd", "optree"):
        assert rows[package] == importlib.metadata.version(package)
    for name, reason in available().items():
        assert rows[name] == reason if reason else "; devices: " in rows[name]


def test_missing_libraries(capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    pn.show_versions()
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert 'torch not installed: pip install "torch"' in lines
    assert 'cupy not installed: pip install "cupy-cuda12x"' in lines


def test_missing_libraries_are_not_imported():
    code = (
        "import importlib.util, sys; import portanet as pn;"
        "find = importlib.util.find_spec;"
        "hidden = ('torch', 'cupy', 'array_api_strict');"
        "importlib.util.find_spec = lambda n, *a: None if n in hidden else find(n, *a);"
        "pn.show_versions(); assert not {*hidden} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
