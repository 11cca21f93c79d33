"""The questions as SQL, the same for DuckDB and for ClickHouse, with the table that they ask."""

from __future__ import annotations

from importlib.resources import files

QUESTIONS = ("totals", "all", "leaks", "worse", "resolved", "timeline", "moments")
VIEWS = ("asked", "faults")
STEPS = 96


def text(name: str) -> str:
    """The SQL of a question, a view or a table.

    Args:
        name: for example ``leaks`` or ``duckdb/table``.

    Returns:
        One statement, with its comments.

    Raises:
        FileNotFoundError: there is no such file.
    """
    folder, _, file = name.rpartition("/")
    room = files(__name__)
    return (room.joinpath(folder) if folder else room).joinpath(f"{file}.sql").read_text(encoding="utf-8")
