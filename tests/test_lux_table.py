"""The table of what Lux has names things that exist, and that the contract tests prove."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from contract.proved import BACKENDS, backends_of, exists

sys.path.insert(0, str(Path(__file__).parents[1] / "docs" / "_ext"))

from lux_rows import ADVANCED, CORE, EXPECTED, ROWS


@pytest.mark.parametrize("title", ROWS)
def test_every_name_exists_and_is_proved_on_every_backend(title):
    names = {name for row in ROWS[title] for name in row.names.split()}
    absent = {name for name in names if not exists(name)}
    assert absent == set(), "leave a name out to show the row as missing"
    assert {name for name in names if backends_of(name) != BACKENDS} == set()


def test_nothing_of_the_core_is_missing_and_no_row_comes_twice():
    rows = [row for rows in ROWS.values() for row in rows]
    assert {row.wanted for row in rows} == {CORE, EXPECTED, ADVANCED}
    missing = [row.lux for row in rows if row.wanted == CORE and not row.names]
    assert missing == []
    for rows in ROWS.values():
        assert len({row.lux for row in rows}) == len(rows)
