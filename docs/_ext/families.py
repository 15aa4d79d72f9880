"""A directive that describes the public names of a module, one section for each folder below it."""

from __future__ import annotations

import importlib
import inspect

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective


class Families(SphinxDirective):
    """The names in ``__all__`` of a module by the folder in which each is written."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        module = importlib.import_module(self.arguments[0])
        folders: dict[str, list[str]] = {}
        for name in module.__all__:
            written = inspect.unwrap(getattr(module, name))
            path = written.__module__.removeprefix(f"{module.__name__}.")
            below = path != written.__module__ and "." in path
            folder = path.partition(".")[0] if below else ""
            folders.setdefault(folder, []).append(name)
        return [self._section(module, folder, folders[folder]) for folder in sorted(folders)]

    def _section(self, module, folder: str, names: list[str]) -> nodes.Node:
        lines = []
        if folder:
            text = inspect.getdoc(importlib.import_module(f"{module.__name__}.{folder}")) or ""
            lines += [text.partition("\n\n")[0].replace("\n", " "), ""]
        lines += [f".. currentmodule:: {module.__name__}", ""]
        for name in sorted(names, key=str.lower):
            kind = "class" if isinstance(getattr(module, name), type) else "function"
            lines += [f".. auto{kind}:: {name}", ""]
        title = folder.replace("_", " ").capitalize() or "Others"
        section = nodes.section(ids=[nodes.make_id(f"{module.__name__}-{folder or 'others'}")])
        section += nodes.title(text=title)
        self.state.nested_parse(StringList(lines, source=module.__name__), 0, section)
        return section


def setup(app):
    """Register the directive."""
    app.add_directive("families", Families)
    return {"parallel_read_safe": True}
