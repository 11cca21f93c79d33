"""The report's SQL: the tables, the views and the queries, which are the same for DuckDB and ClickHouse."""

from __future__ import annotations

from importlib.resources import files

QUERIES = ("totals", "all_faults", "leaks", "worse", "resolved", "timeline", "finding_counts")
VIEWS = ("window", "faults")
STEPS = 96  # of the timeline


def sql(name: str) -> str:
    """The SQL of a query, a view or a table.

    Args:
        name: for example ``leaks`` or ``duckdb/table``.

    Returns:
        One statement, with its comments.

    Raises:
        FileNotFoundError: there is no such file.
    """
    return files(__name__).joinpath(*f"{name}.sql".split("/")).read_text(encoding="utf-8")
