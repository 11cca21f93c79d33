"""The table of events in DuckDB, in a temporary file: memory stays bounded however much is read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from poolwitness.logreport import queries as questions
from poolwitness.logreport.columns import (
    CANDIDATE,
    NAMED,
    NOT_BLANK,
    QUIET,
    QUIET_CANDIDATE,
    QUIET_COLUMNS,
    further_events,
    quiet_events,
    staging,
    view,
)
from poolwitness.logreport.streams import LONGEST_LINE
from poolwitness.logreport.workspace import Workspace

MEMORY = "1GB"
SPILLED = "10GB"  # what a question may put on disk for want of memory
LOGGED = "256MB"  # more than is usual before it goes into the table: a group of rows that is not full is packed anew
_FETCHED = 2_000
_GLOB = set("*?[{")


class Unreadable(Exception):
    """Something in a file that the database does not take as text; it has to be read line by line."""


class Mixed(Exception):
    """Lines that look like events and are none, or that were written meanwhile; all have to be taken apart."""


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
        self._workspace = Workspace()
        self.folder = self._workspace.folder
        try:
            self.connection = duckdb.connect(
                path or os.path.join(self.folder, "events.duckdb"),
                config={
                    "memory_limit": MEMORY,
                    "temp_directory": os.path.join(self.folder, "spilled"),
                    "max_temp_directory_size": SPILLED,
                    "preserve_insertion_order": False,
                    "checkpoint_threshold": LOGGED,
                    "autoinstall_known_extensions": False,  # nothing is fetched from anywhere
                },
            )
            for statement in (questions.text("duckdb/table"), questions.text("duckdb/quiet"), view()):
                self.connection.execute(statement)
        except BaseException:
            self._workspace.remove()
            raise

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.connection.close()
        finally:
            self._workspace.remove()

    def load(self, paths: Sequence[str]) -> Staged:
        """Keep the events of some files, where their lines are either events as they stand or nothing of the kind.

        Args:
            paths: absolute ones, of files that are not compressed.

        Raises:
            Unreadable: nothing of them was kept.
            Mixed: the same, for another reason.
        """
        # Twice over the files, and still quicker than taking every line apart as a text: the reader of JSON lines is
        # quick, but gives only fields; the lines that need more are few, and are picked out as text.
        self._of_files(
            "CREATE OR REPLACE TEMP TABLE sorted AS SELECT kind, CASE WHEN kind IN (1, 3) THEN raw END AS raw "
            f"FROM (SELECT raw, CASE WHEN {CANDIDATE} THEN CASE WHEN {QUIET_CANDIDATE} THEN 2 ELSE 3 END "
            f"WHEN {NAMED} THEN 1 ELSE 0 END AS kind FROM {_lines(paths)} WHERE {NOT_BLANK})"
        )
        counts = self.one(
            "SELECT count(*) AS lines, count(*) FILTER (kind = 2) AS quiet, count(*) FILTER (kind = 3) AS further, "
            "count(*) FILTER (kind = 1) AS named FROM sorted"
        )
        quiet = f"INSERT INTO quiet_events BY NAME {quiet_events(_listed(paths))}"
        if counts["quiet"] and not self._inserted(quiet, counts["quiet"]):
            raise Mixed("lines that look like pools opened or closed, and are not")
        looking = "(SELECT raw FROM sorted WHERE kind = 3)"
        if self._inserted(f"INSERT INTO other_events BY NAME {further_events(looking)}", counts["further"]):
            self.connection.execute("CREATE OR REPLACE TEMP TABLE staged AS SELECT raw FROM sorted WHERE kind = 1")
            return Staged(counts["lines"], counts["quiet"] + counts["further"], counts["named"])
        rest = self._taken_apart("(SELECT raw FROM sorted WHERE raw IS NOT NULL)")
        return Staged(counts["lines"], counts["quiet"] + rest.ours, rest.named)

    def _inserted(self, sql: str, expected: int) -> bool:
        """Whether a statement inserted as many rows as expected; if not, none stays."""
        self.connection.execute("BEGIN")
        try:
            kept = self._of_files(sql)
        except Mixed:
            self.connection.execute("ROLLBACK")
            return False
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT" if kept == expected else "ROLLBACK")
        return kept == expected

    def loadable(self, paths: Sequence[str]) -> list[str]:
        """Those of some files that `load` can be expected to take, where it did not take all of them.

        Args:
            paths: as for `load`.

        Raises:
            Unreadable: one of them at least is no text.
        """
        looking = (
            f"SELECT filename, count(*) AS looking FROM {_lines(paths, named=True)} "
            f"WHERE {CANDIDATE} AND ({QUIET_CANDIDATE}) GROUP BY filename"
        )
        being = (
            f"SELECT filename, count(*) AS being FROM ({quiet_events(_listed(paths), named=True)}) "
            "WHERE moment IS NOT NULL GROUP BY filename"
        )
        self._of_files(
            f"CREATE OR REPLACE TEMP TABLE counted AS FROM ({looking}) FULL JOIN ({being}) USING (filename) "
            "WHERE looking IS DISTINCT FROM being"
        )
        others = {row["filename"] for row in self.rows("FROM counted")}
        return [path for path in paths if path not in others]

    def stage(self, paths: Sequence[str]) -> Staged:
        """Take the lines of some files apart, whatever they are, and keep those that are events as they stand.

        Args:
            paths: as for `load`.

        Raises:
            Unreadable: nothing of them was kept.
        """
        return self._taken_apart(_lines(paths))

    def _taken_apart(self, source: str) -> Staged:
        self._of_files(f"CREATE OR REPLACE TEMP TABLE staged AS {staging(source)}")
        counts = self.one("SELECT count(*) AS lines, count(*) FILTER (ours) AS ours, count(raw) AS named FROM staged")
        if counts["ours"]:
            self.connection.execute(
                f"INSERT INTO quiet_events BY NAME SELECT {', '.join(QUIET_COLUMNS)} FROM staged WHERE ours AND {QUIET}"
            )
            self.connection.execute(
                "INSERT INTO other_events BY NAME SELECT * EXCLUDE (raw, named, ours, made_at) FROM staged "
                f"WHERE ours AND NOT {QUIET}"
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
        self.connection.execute(
            """
            CREATE OR REPLACE TEMP TABLE suspects AS SELECT run_id FROM events GROUP BY run_id
            HAVING count(*) <> max(seq) - min(seq) + 1
              OR sum(seq) * 2 <> (min(seq) + max(seq))::HUGEINT * count(*)
            """
        )
        return sum(
            self._of_files(
                f"""
                DELETE FROM {table} WHERE rowid IN (
                  SELECT place FROM (
                    SELECT rowid AS place,
                      row_number() OVER (PARTITION BY run_id, seq, moment, event ORDER BY rowid) AS nth
                    FROM {table} SEMI JOIN suspects USING (run_id)
                  ) WHERE nth > 1
                )
                """
            )
            for table in ("quiet_events", "other_events")
        )

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """The answer to a question, a dictionary a row."""
        cursor = self.connection.execute(sql)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def one(self, sql: str) -> dict[str, Any]:
        """The only row of an answer."""
        (row,) = self.rows(sql)
        return row

    def _of_files(self, sql: str) -> int:
        """Run a statement that reads files; the first number that it gives."""
        try:
            row = self.connection.execute(sql).fetchone()
        except (duckdb.OutOfMemoryException, duckdb.InterruptException):
            raise
        except duckdb.ConstraintException as error:
            raise Mixed(str(error)) from error
        except duckdb.Error as error:
            raise Unreadable(str(error)) from error
        return int(row[0]) if row else 0


def _lines(paths: Sequence[str], *, named: bool = False) -> str:
    # No quotes and a separator that no text has: a line is one value.
    return (
        f"read_csv({_listed(paths)}, columns={{'raw': 'VARCHAR'}}, delim='\\x1f', quote='', escape='', comment='', "
        f"header=false, auto_detect=false, compression='none', strict_mode=false, max_line_size={LONGEST_LINE}"
        f"{', filename=true' if named else ''})"
    )


def _listed(paths: Sequence[str]) -> str:
    if any(_GLOB & set(path) for path in paths):
        raise Unreadable("a name that would be taken for a pattern")
    return "[" + ", ".join("'" + path.replace("'", "''") + "'" for path in paths) + "]"
