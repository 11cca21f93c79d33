"""The table of events in DuckDB, in a temporary file: memory stays bounded however much is read."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from poolwitness.history import questions
from poolwitness.history.columns import staging
from poolwitness.history.streams import LONGEST_LINE

MEMORY = "1GB"
_FETCHED = 2_000
_GLOB = set("*?[{")


class Unreadable(Exception):
    """Something in a file that the database does not take as text; it has to be read line by line."""


@dataclass(frozen=True, slots=True)
class Staged:
    """What was in some files: lines that are not blank, those that are events, and those to look at."""

    lines: int
    ours: int
    named: int


class Store:
    """A database of its own, gone when it is closed unless it was given a path.

    Args:
        path: a file to make, and to keep.

    Raises:
        OSError: there is no room for it.
        duckdb.Error: the file is there and is no database, or has such a table.
    """

    def __init__(self, path: str | None = None) -> None:
        self.folder = tempfile.mkdtemp(prefix="poolwitness-report-")
        try:
            self.connection = duckdb.connect(
                path or os.path.join(self.folder, "events.duckdb"),
                config={
                    "memory_limit": MEMORY,
                    "temp_directory": os.path.join(self.folder, "spilled"),
                    "preserve_insertion_order": False,
                    "autoinstall_known_extensions": False,  # nothing is fetched from anywhere
                },
            )
            self.connection.execute(questions.text("duckdb/table"))
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def stage(self, paths: Sequence[str]) -> Staged:
        """Take the lines of some files apart, and keep those that are events as they stand.

        Args:
            paths: absolute ones, of files that are not compressed.

        Raises:
            Unreadable: nothing of them was kept.
        """
        if any(_GLOB & set(path) for path in paths):
            raise Unreadable("a name that would be taken for a pattern")
        listed = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
        # No quotes and a separator that no text has: a line is one value.
        source = (
            f"read_csv([{listed}], columns={{'raw': 'VARCHAR'}}, delim='\\x1f', quote='', escape='', comment='', "
            f"header=false, auto_detect=false, compression='none', strict_mode=false, max_line_size={LONGEST_LINE})"
        )
        try:
            self.connection.execute(f"CREATE OR REPLACE TEMP TABLE staged AS {staging(source)}")
        except duckdb.OutOfMemoryException:
            raise
        except duckdb.Error as error:
            raise Unreadable(str(error)) from error
        counts = self.one("SELECT count(*) AS lines, count(*) FILTER (ours) AS ours, count(raw) AS named FROM staged")
        if counts["ours"]:
            self.connection.execute(
                "INSERT INTO events BY NAME SELECT * EXCLUDE (raw, named, ours) FROM staged WHERE ours"
            )
        return Staged(**counts)

    def named(self) -> Iterator[str]:
        """The lines of the last files that name us and are not events as they stand."""
        # A temporary table belongs to its connection: nothing else may be asked until all lines are fetched.
        cursor = self.connection.execute("SELECT raw FROM staged WHERE raw IS NOT NULL")
        while rows := cursor.fetchmany(_FETCHED):
            yield from (row[0] for row in rows)

    def drop_duplicates(self) -> int:
        """Take out what was there twice: in two files, or by two outputs of one process.

        Returns:
            How many events were taken out.
        """
        # A process counts its lines: where all numbers are there once, their count and sum say so, and that takes a
        # hundredth of what it takes to look at each.
        deleted = self.connection.execute(
            """
            DELETE FROM events WHERE rowid IN (
              SELECT place FROM (
                SELECT rowid AS place, row_number() OVER (PARTITION BY run_id, seq, moment, event ORDER BY rowid) AS nth
                FROM events SEMI JOIN (
                  SELECT run_id FROM events GROUP BY run_id
                  HAVING count(*) <> max(seq) - min(seq) + 1
                    OR sum(seq) * 2 <> (min(seq) + max(seq))::HUGEINT * count(*)
                ) AS suspects USING (run_id)
              ) WHERE nth > 1
            )
            """
        ).fetchone()
        return int(deleted[0]) if deleted else 0

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """The answer to a question, a dictionary a row."""
        cursor = self.connection.execute(sql)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def one(self, sql: str) -> dict[str, Any]:
        """The only row of an answer."""
        (row,) = self.rows(sql)
        return row
