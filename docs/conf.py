"""Configuration of Sphinx: `sphinx-build -W docs docs/_build/html`."""

import importlib.metadata
import inspect
import re
import sys
from pathlib import Path

from docutils import nodes

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "portanet"
author = copyright = "The portanet authors"
release = importlib.metadata.version("portanet")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "numpydoc",
    "capability_table",
    "families",
    "lux_table",
]
exclude_patterns = ["_build", "benchmarks/results.md"]

html_theme = "furo"
html_title = "portanet"

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_inherit_docstrings = False
autodoc_preserve_defaults = True
autodoc_typehints = "none"
numpydoc_show_class_members = False


def skip_field_defaults(app, what, name, obj, skip, options):
    """Leave out functions that are the default of a dataclass field, such as an activation."""
    is_default = what == "class" and inspect.isfunction(obj) and "." not in obj.__qualname__
    return True if is_default else None


def name_functions(app, what, name, obj, options, signature, returns):
    """Show a function among the default values by its name."""
    return re.sub(r"<function (\w+)>", r"\1", signature or "") or None, returns


def shorten_citations(app, doctree, page):
    """Show a citation as [1]; numpydoc makes its labels unique with a prefix."""
    for reference in doctree.findall(nodes.reference):
        text = reference.astext()
        if re.fullmatch(r"\[R[0-9a-f]+-\d+\]", text):
            reference.children[:] = [nodes.Text(f"[{text.rpartition('-')[2]}")]


def setup(app):
    """Connect the hooks above."""
    app.connect("autodoc-skip-member", skip_field_defaults)
    app.connect("autodoc-process-signature", name_functions)
    app.connect("doctree-resolved", shorten_citations)
