"""A directive that writes what Lux has beside its names here, and where each is proved."""

from __future__ import annotations

import sys
from pathlib import Path

from capability_table import table
from docutils import nodes
from lux_rows import ROWS
from sphinx.util.docutils import SphinxDirective

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from contract.proved import BACKENDS, backends_of


class LuxTable(SphinxDirective):
    """Each thing of Lux beside its names here, and the backends on which they are proved."""

    def run(self) -> list[nodes.Node]:
        made: list[nodes.Node] = []
        for title, rows in ROWS.items():
            section = nodes.section(ids=[nodes.make_id(f"lux-{title}")])
            section += nodes.title(text=title)
            lines = [self._line(row) for row in rows]
            section += table(["Lux, Flux", "wanted", "portanet", "proved on", "remark"], lines)
            made.append(section)
        return made

    def _line(self, row) -> list[str]:
        names = row.names.split()
        known = [set(backends_of(name)) for name in names] or [set()]
        proved = set.intersection(*known)
        places = "all" if proved == set(BACKENDS) else ", ".join(sorted(proved)) or "–"
        return [row.lux, row.wanted, ", ".join(names) or "missing", places, row.remark]


def setup(app):
    """Register the directive."""
    app.add_directive("lux-table", LuxTable)
    return {"parallel_read_safe": True}
