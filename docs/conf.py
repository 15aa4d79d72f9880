"""Configuration of Sphinx: `sphinx-build -W docs docs/_build/html`."""

import importlib.metadata
import inspect

project = "portanet"
author = "The portanet authors"
release = importlib.metadata.version("portanet")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "numpydoc",
]
exclude_patterns = ["_build"]

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


def setup(app):
    """Connect the hook above."""
    app.connect("autodoc-skip-member", skip_field_defaults)
