"""The quick part of the fuzzer of files."""

from __future__ import annotations

import pytest

pytest.importorskip("safetensors")
pytest.importorskip("ml_dtypes")

from fuzz.files.check import run
from fuzz.files.torn import torn


def test_files_at_random_are_what_the_formats_library_says():
    counts, faults = run(1500, seed=0)
    assert not faults
    assert min(counts["sound"], counts["refused"]) > 300


def test_no_file_is_torn(tmp_path):
    reads, seen = torn(tmp_path / "torn.safetensors", 2.0)
    assert reads > 100
    assert seen > 1
