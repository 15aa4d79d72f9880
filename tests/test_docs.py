"""The code in the README and in the docs runs, and prints what the page says.

The Python blocks of a page run from top to bottom in one namespace. A block of ``text`` right after
one is what it prints.
"""

from __future__ import annotations

import importlib
import importlib.util
import operator
import re
from pathlib import Path

import pytest

import portanet as pn

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *(page for page in sorted((ROOT / "docs").rglob("*.md")) if "_build" not in page.parts),
]
OPTIONAL = "onnxruntime", "torch"
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)


def code_blocks(page: Path) -> list[tuple[int, str, str | None]]:
    """Return the line, the source and the promised output of every Python block."""
    text = page.read_text(encoding="utf-8")
    return [
        (text.count("\n", 0, match.start(1)), match[1], match[2]) for match in BLOCK.finditer(text)
    ]


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES if code_blocks(page)],
)
def test_the_code_of_a_page_runs(page, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    namespace = {"__name__": "__main__"}
    for line, source, promised in code_blocks(page):
        if any(f"import {x}" in source and importlib.util.find_spec(x) is None for x in OPTIONAL):
            continue
        exec(compile("\n" * line + source, str(page), "exec"), namespace)
        printed = capsys.readouterr().out
        if promised is not None:
            assert printed.splitlines() == promised.splitlines()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_name_that_a_page_mentions_exists(page):
    text = page.read_text(encoding="utf-8")
    for path in sorted(set(re.findall(r"\bpn\.([a-zA-Z_]\w*(?:\.[a-zA-Z_]\w*)*)", text))):
        operator.attrgetter(path)(pn)


def test_every_public_name_is_in_the_reference():
    api = ROOT / "docs" / "api"
    listed = set(re.findall(r"^\.\. auto\w+:: (\w+)$", (api / "portanet.md").read_text(), re.M))
    for page in api.glob("*.md"):
        if page.stem not in ("index", "portanet"):
            module = importlib.import_module(f"portanet.{page.stem}")
            listed |= set(getattr(module, "__all__", vars(module))) | {page.stem}
    assert set(pn.__all__) - listed == set()


def test_every_example_is_shown():
    shown = re.findall(r"examples/(\w+\.py)$", (ROOT / "docs" / "examples.md").read_text(), re.M)
    assert sorted(shown) == sorted(path.name for path in (ROOT / "docs" / "examples").glob("*.py"))


def test_the_readme_has_two_commands_and_they_start_from_nothing():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = [line for line in readme.splitlines() if line.startswith("python3 -m venv")]
    assert len(commands) == 2
    assert commands[0].endswith("docs/examples/digits.py")
    assert "-m pytest" in commands[1]
