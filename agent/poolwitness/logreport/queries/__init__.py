"""The report's SQL: the tables, the views and the queries, which are the same for DuckDB and ClickHouse."""

from __future__ import annotations

from importlib.resources import files

from poolwitness.diagnose.lifecycle import dropped_open
from poolwitness.diagnose.registry import RULES

QUERIES = ("totals", "all_faults", "leaks", "worse", "resolved", "timeline", "finding_counts")
VIEWS = ("window", "faults")
STEPS = 96  # of the timeline


def sql(name: str) -> str:
    """One statement with its comments, from the file of this name, for example ``leaks`` or ``duckdb/table``.

    The files have ``{leak_rules}`` and ``{dropped_open}`` in the place of the codes of rules.
    """
    text = files(__name__).joinpath(*f"{name}.sql".split("/")).read_text(encoding="utf-8")
    leaks = ", ".join(f"'{code}'" for code, rule in sorted(RULES.items()) if rule.leak)
    return text.replace("{leak_rules}", leaks).replace("{dropped_open}", f"'{dropped_open.code}'")
