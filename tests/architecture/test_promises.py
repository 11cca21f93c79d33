"""docs/promises.md names tests and modules that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
TESTS = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(test_\w+)`", PAGE))))
def test_a_test_that_is_named_exists(name: str) -> None:
    assert re.search(rf"^ *(async )?def {name}\(", TESTS, re.MULTILINE)


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`([a-z_]+/[\w/.]*)`", PAGE))))
def test_a_file_that_is_named_exists(path: str) -> None:
    assert (ROOT / path).exists() or (ROOT / "agent" / "poolwitness" / path).exists()


def test_each_promise_has_a_test_or_says_that_it_has_none() -> None:
    rows = re.findall(r"^\| \d+\.\d+ \|.*$", PAGE, re.MULTILINE)
    assert rows
    for row in rows:
        test = row.split(" | ")[-1]
        assert "`" in test or "no test yet" in test, row
