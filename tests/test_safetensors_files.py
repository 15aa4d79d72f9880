"""Files of safetensors that are broken, hostile, or replaced while they are read."""

from __future__ import annotations

import json
import os
import resource
import stat
import struct
import subprocess
import sys
import time
import tracemalloc

import numpy as np
import pytest

from portanet.errors import ArgumentError, DTypeError, ShapeError
from portanet.io import safetensors as files

pytest.importorskip("safetensors")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tree.safetensors"


def one(**changes):
    return {"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16], **changes}}


def put(path, header, data=bytes(16)):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


ENTRY = json.dumps(one())[1:-1]
BAD = {
    "float shape": one(shape=[4.0]),
    "bool shape": one(shape=[True, 4]),
    "negative shape": one(shape=[-4]),
    "shape of a text": one(shape=["x", 300_000_000]),
    "float offsets": one(data_offsets=[0.0, 16.0]),
    "offsets beyond the file": one(shape=[8], data_offsets=[0, 32]),
    "offsets backwards": one(data_offsets=[16, 0]),
    "unknown dtype": one(dtype="X9"),
    "no entry": [],
    "nested deep": b"[" * 100_000 + b"]" * 100_000,
    "bytes used twice": {**one(), "b": one()["a"]},
    "bytes of nobody": one(shape=[2], data_offsets=[0, 8]),
    "a hole": one(shape=[2], data_offsets=[8, 16]),
    "one name twice": f"{{{ENTRY},{ENTRY}}}".encode(),
    "one note twice": f'{{"__metadata__":{{"k":"1","k":"2"}},{ENTRY}}}'.encode(),
    "byte order mark": b"\xef\xbb\xbf" + json.dumps(one()).encode(),
    "UTF-16": json.dumps(one()).encode("utf-16"),
    "space in front": b" " + json.dumps(one()).encode(),
    "notes in a list": {"__metadata__": [1], **one()},
    "a note that is a number": {"__metadata__": {"k": 1}, **one()},
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_file_of_the_format_is_refused_at_once(path, name):
    put(path, BAD[name])
    tracemalloc.start()
    start = time.perf_counter()
    try:
        for read in (files.load, files.metadata):
            with pytest.raises(ArgumentError, match="is no safetensors file, or not all of one: "):
                read(path)
        assert tracemalloc.get_traced_memory()[1] < 5e6
        assert time.perf_counter() - start < 1
    finally:
        tracemalloc.stop()


def test_parts_of_files_are_refused(path):
    files.save(path, {"a": np.ones(100)})
    whole = path.read_bytes()
    for content in (b"", whole[:7], whole[:40], whole[:-8], whole + b"x", b"PK" * 100):
        path.write_bytes(content)
        for read in (files.load, files.metadata):
            with pytest.raises(ArgumentError, match="is no safetensors file, or not all of one: "):
                read(path)


def test_arrays_that_numpy_cannot_have_are_named(path):
    for shape, end, content in [([0, 2**63], 0, b""), ([1] * 65, 4, bytes(4))]:
        put(path, one(shape=shape, data_offsets=[0, end]), content)
        with pytest.raises(ShapeError, match="'a': NumPy has no such shape"):
            files.load(path)


def test_notes_of_portanet_that_it_did_not_write_are_refused(path):
    for text in ("", "[]", "{}", '{"empty": [1]}', "[" * 10_000):
        put(path, {"__metadata__": {"portanet": text}, **one()})
        with pytest.raises(ArgumentError, match="the metadata 'portanet' is not what portanet"):
            files.load(path)
        assert files.load(path, like={"a": np.ones(4)})["a"].shape == (4,)
        assert files.metadata(path) == {}


def test_dtypes_that_no_library_has_are_named(path):
    put(path, one(dtype="F4", shape=[32]))
    # Older versions of the library do not know it either.
    with pytest.raises((ArgumentError, DTypeError), match=r"F4|no safetensors file"):
        files.load(path)


def test_paths_are_names_of_files(path, tmp_path):
    for wrong in (None, 3, 2.5, [], "", "a\0b", tmp_path, os.devnull):
        for call in (files.load, files.metadata, lambda p: files.save(p, {"a": np.ones(1)})):
            with pytest.raises(ArgumentError):
                call(wrong)
    for call in (files.load, files.metadata):
        with pytest.raises(FileNotFoundError):
            call(path)
    with pytest.raises(FileNotFoundError) as caught:
        files.save(tmp_path / "no" / "folder", {"a": np.ones(1)})
    assert caught.value.filename == str(tmp_path / "no" / "folder")
    files.save(os.fsencode(path), {"a": np.ones(1)})
    assert files.load(str(path))["a"] == 1
    assert os.listdir(tmp_path) == [path.name]


def _mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_modes_are_those_of_other_files(path):
    old = os.umask(0o027)
    try:
        files.save(path, {"a": np.ones(1)})
        assert _mode(path) == 0o640
        for mode in (0o600, 0o666, 0o755):
            path.chmod(mode)
            files.save(path, {"a": np.ones(2)})
            assert _mode(path) == mode
    finally:
        os.umask(old)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_file_that_may_not_be_written_is_left_alone(path):
    files.save(path, {"a": np.ones(1)})
    path.chmod(0o444)
    with pytest.raises(PermissionError):
        files.save(path, {"a": np.zeros(1)})
    assert files.load(path)["a"] == 1


def test_links_are_followed(path, tmp_path):
    (tmp_path / "store").mkdir()
    target = tmp_path / "store" / "v1"
    path.symlink_to("store/v1")
    for n in (1, 2):
        files.save(path, {"a": np.ones(n)})
        assert path.is_symlink()
        assert files.load(target)["a"].shape == files.load(path)["a"].shape == (n,)
    path.unlink()
    path.symlink_to(path.name)
    with pytest.raises(OSError, match="symbolic links"):
        files.save(path, {"a": np.ones(1)})
    assert os.listdir(tmp_path / "store") == ["v1"]


def test_names_may_be_as_long_as_the_system_has_them(tmp_path):
    path = tmp_path / ("é" * 120 + "x" * 15)
    assert len(os.fsencode(path.name)) == 255
    for n in (1, 2):
        files.save(path, {"a": np.ones(n)})
        assert files.load(path)["a"].shape == (n,)
    with pytest.raises(OSError, match="too long"):
        files.save(tmp_path / ("x" * 256), {"a": np.ones(1)})
    assert os.listdir(tmp_path) == [path.name]


def test_what_does_not_fit_the_disk_leaves_the_old_file(path):
    files.save(path, {"a": np.ones(2)})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            files.save(path, {"a": np.ones(10_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert os.listdir(path.parent) == [path.name]
    assert files.load(path)["a"].shape == (2,)


WRITER = """
import sys
import numpy as np
from portanet.io import safetensors

trees = [{"a": np.full(n, 1.0), "b": np.full(8 - n, 2.0)} for n in (2, 6)]
while True:
    for k, tree in enumerate(trees):
        safetensors.save(sys.argv[1], tree, {"k": str(k)})
"""


def test_a_file_that_a_process_replaces_meanwhile_is_all_old_or_all_new(path):
    files.save(path, {"a": np.full(2, 1.0), "b": np.full(6, 2.0)}, {"k": "0"})
    seen = set()
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)]) as writer:
        try:
            end = time.monotonic() + 30
            reads = 0
            while reads < 2000 or len(seen) < 2:
                assert time.monotonic() < end
                tree = files.load(path)
                assert (tree["a"] == 1).all()
                assert (tree["b"] == 2).all()
                assert tree["a"].size + tree["b"].size == 8
                seen.add(tree["a"].size)
                assert files.metadata(path)["k"] in "01"
                reads += 1
        finally:
            writer.kill()
