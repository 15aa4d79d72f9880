"""A directive that writes the capability table of the tape as it is in the code."""

from __future__ import annotations

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from portanet.tape.capabilities import BACKENDS, STANDARD, State, capability, counts

SIGNS = {
    State.WORKS: "✓",
    State.ZERO: "0",
    State.NAMED_ERROR: "error",
    State.MISSING: "✗",
    State.NOTHING: "–",
}


def table(head: list[str], rows: list[list[str]]) -> nodes.table:
    group = nodes.tgroup(cols=len(head))
    group += [nodes.colspec(colwidth=1) for _ in head]
    for parent, lines in ((nodes.thead(), [head]), (nodes.tbody(), rows)):
        for line in lines:
            row = nodes.row()
            for i, text in enumerate(line):
                name = i == 0 and lines is rows
                content = nodes.literal(text=text) if name else nodes.Text(text)
                row += nodes.entry("", nodes.paragraph("", "", content))
            parent += row
        group += parent
    return nodes.table("", group)


class CapabilityCounts(SphinxDirective):
    """How many functions of the standard each backend differentiates."""

    def run(self) -> list[nodes.Node]:
        rows = [
            [name, *(str(counts(name)[state]) for state in State), str(counts(name).total())]
            for name in BACKENDS
        ]
        return [table(["backend", *(state.value for state in State), "all"], rows)]


class CapabilityTable(SphinxDirective):
    """Each function of the standard beside its state on each backend."""

    def run(self) -> list[nodes.Node]:
        made: list[nodes.Node] = []
        for title, names in STANDARD.items():
            section = nodes.section(ids=[nodes.make_id(f"capabilities-{title}")])
            section += nodes.title(text=title)
            rows, remarks = [], []
            for name in names:
                row = [capability(name, backend) for backend in BACKENDS]
                rows.append([name, *(self._cell(c) for c in row)])
                remarks += [(c.function, c.backend, c.reason) for c in row if c.reason]
            section += table(["function", *BACKENDS], rows)
            if remarks:
                section += nodes.bullet_list("", *(self._remark(*r) for r in remarks))
            made.append(section)
        return made

    def _cell(self, row) -> str:
        states = (row.vjp, row.jvp, row.second)
        return SIGNS[row.vjp] if len(set(states)) == 1 else " ".join(SIGNS[s] for s in states)

    def _remark(self, function: str, backend: str, reason: str) -> nodes.list_item:
        return nodes.list_item("", nodes.paragraph(text=f"{function} on {backend}: {reason}"))


def setup(app):
    """Register the directives."""
    app.add_directive("capability-counts", CapabilityCounts)
    app.add_directive("capability-table", CapabilityTable)
    return {"parallel_read_safe": True}
