"""The events in a DuckDB database, which is a temporary file: memory stays bounded however much is read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import duckdb

from poolwitness.logreport import columns, queries
from poolwitness.logreport.columns import IS_LIFECYCLE, LOOKS_LIKE_EVENT, LOOKS_LIKE_LIFECYCLE
from poolwitness.logreport.workspace import Workspace

_FETCH_SIZE = 2_000
_GLOB_CHARACTERS = set("*?[{")


class Unreadable(Exception):
    """The database cannot read a file as text; it has to be read line by line."""


class NotLoadable(Exception):
    """Some lines look like events and are not, or were written meanwhile; every line has to be parsed."""


class LoadCounts(NamedTuple):
    """Counts of the lines of some files: not blank, events, and those that events have to be extracted from."""

    lines: int
    events: int
    unparsed: int


class Store:
    """A new database, which is removed when it is closed unless a *path* to create and keep is given.

    Raises:
        OSError: there is no space for it.
        duckdb.Error: the file exists and is not a database, or already has such a table.
    """

    def __init__(self, path: str | None = None) -> None:
        self._workspace = Workspace()
        self.folder = self._workspace.folder
        config: dict[str, Any] = {
            "memory_limit": "1GB",
            "temp_directory": os.path.join(self.folder, "temporary"),
            "max_temp_directory_size": "10GB",  # for queries that need more memory
            "preserve_insertion_order": False,
            # Larger than the default: each checkpoint compresses incomplete row groups again.
            "checkpoint_threshold": "256MB",
            "autoinstall_known_extensions": False,  # nothing is downloaded
        }
        try:
            self.connection = duckdb.connect(path or os.path.join(self.folder, "events.duckdb"), config=config)
            self.connection.execute(queries.sql("duckdb/table"))
            self.connection.execute(queries.sql("duckdb/lifecycle"))
            self.connection.execute(columns.create_events_view())
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

    def load(self, paths: Sequence[str]) -> LoadCounts:
        """Store the events of files in which every line is either an event or does not look like one.

        The paths are absolute, here and below, and the files are not compressed.

        Raises:
            Unreadable, NotLoadable: nothing was stored.
        """
        # This reads the files twice and is still faster than parsing every line as text: the reader of JSON lines is
        # fast but returns only fields; the lines that need more are few, and are selected as text.
        self._execute(
            "CREATE OR REPLACE TEMP TABLE classified AS SELECT kind, CASE WHEN kind IN (1, 3) THEN raw END AS raw "
            f"FROM (SELECT raw, CASE WHEN {LOOKS_LIKE_EVENT} THEN CASE WHEN {LOOKS_LIKE_LIFECYCLE} THEN 2 ELSE 3 END "
            f"WHEN {columns.MENTIONS_US} THEN 1 ELSE 0 END AS kind FROM {_lines(paths)} WHERE {columns.NOT_BLANK})"
        )
        counts = self.one(
            "SELECT count(*) AS lines, count(*) FILTER (kind = 2) AS lifecycle, count(*) FILTER (kind = 3) AS other, "
            "count(*) FILTER (kind = 1) AS unparsed FROM classified"
        )
        lifecycle = f"INSERT INTO lifecycle_events BY NAME {columns.select_lifecycle_events(_sql_list(paths))}"
        if counts["lifecycle"] and not self._insert_exactly(counts["lifecycle"], lifecycle):
            raise NotLoadable("lines that look like lifecycle events and are not")
        other = columns.select_other_events("(SELECT raw FROM classified WHERE kind = 3)")
        if self._insert_exactly(counts["other"], f"INSERT INTO other_events BY NAME {other}"):
            self.connection.execute("CREATE OR REPLACE TEMP TABLE staged AS SELECT raw FROM classified WHERE kind = 1")
            return LoadCounts(counts["lines"], counts["lifecycle"] + counts["other"], counts["unparsed"])
        rest = self._parse("(SELECT raw FROM classified WHERE raw IS NOT NULL)")
        return LoadCounts(counts["lines"], counts["lifecycle"] + rest.events, rest.unparsed)

    def _insert_exactly(self, expected: int, sql: str) -> bool:
        """Run an INSERT; if it inserts another number of rows than expected, roll it back and return False."""
        exact = False
        self.connection.execute("BEGIN")
        try:
            exact = self._execute(sql) == expected
        except NotLoadable:
            pass
        finally:
            self.connection.execute("COMMIT" if exact else "ROLLBACK")
        return exact

    def loadable(self, paths: Sequence[str]) -> set[str]:
        """The files that `load` can be expected to accept after it has rejected all of them together; maybe none."""
        if len(paths) == 1:
            return set()
        expected = (
            f"SELECT filename, count(*) AS expected FROM {_lines(paths, with_filename=True)} "
            f"WHERE {LOOKS_LIKE_EVENT} AND ({LOOKS_LIKE_LIFECYCLE}) GROUP BY filename"
        )
        lifecycle = columns.select_lifecycle_events(_sql_list(paths), with_filename=True)
        found = f"SELECT filename, count(*) AS found FROM ({lifecycle}) WHERE moment IS NOT NULL GROUP BY filename"
        differ = f"FROM ({expected}) FULL JOIN ({found}) USING (filename) WHERE expected IS DISTINCT FROM found"
        try:
            self._execute(f"CREATE OR REPLACE TEMP TABLE counted AS {differ}")
        except Unreadable:
            return set()
        others = {row["filename"] for row in self.rows("FROM counted")}
        return set(paths) - others if others else set()  # without others, a file was written to meanwhile

    def stage(self, paths: Sequence[str]) -> LoadCounts:
        """Parse every line of some files and store those that are events.

        Raises:
            Unreadable: nothing was stored.
        """
        return self._parse(_lines(paths))

    def _parse(self, source: str) -> LoadCounts:
        self._execute(f"CREATE OR REPLACE TEMP TABLE staged AS {columns.select_any_lines(source)}")
        counts = self.one(
            "SELECT count(*) AS lines, count(*) FILTER (is_event) AS events, count(raw) AS unparsed FROM staged"
        )
        if counts["events"]:
            self.connection.execute(
                f"INSERT INTO lifecycle_events BY NAME SELECT {', '.join(columns.LIFECYCLE_COLUMNS)} FROM staged "
                f"WHERE is_event AND {IS_LIFECYCLE}"
            )
            self.connection.execute(
                "INSERT INTO other_events BY NAME SELECT * EXCLUDE (raw, mentions_us, is_event, created_at) "
                f"FROM staged WHERE is_event AND NOT {IS_LIFECYCLE}"
            )
        return LoadCounts(**counts)

    def unparsed_lines(self) -> Iterator[str]:
        """The lines of the last files that contain our name but are not events."""
        # A temporary table belongs to its connection, which must not be used until all lines are fetched.
        cursor = self.connection.execute("SELECT raw FROM staged WHERE raw IS NOT NULL")
        while rows := cursor.fetchmany(_FETCH_SIZE):
            yield from (row[0] for row in rows)

    def drop_duplicates(self) -> int:
        """Delete duplicate events (of one process in two files, or from two of its outputs) and return their number."""
        # A process numbers its lines. If every number occurs once, their count and sum show it, in a hundredth of the
        # time that it takes to check each.
        self.connection.execute(
            "CREATE OR REPLACE TEMP TABLE suspects AS SELECT run_id FROM events GROUP BY run_id "
            "HAVING count(*) <> max(seq) - min(seq) + 1 OR sum(seq) * 2 <> (min(seq) + max(seq))::HUGEINT * count(*)"
        )
        number = "row_number() OVER (PARTITION BY run_id, seq, moment, event ORDER BY rowid)"
        return sum(
            self._execute(
                f"DELETE FROM {table} WHERE rowid IN ("
                f"SELECT rowid FROM {table} SEMI JOIN suspects USING (run_id) QUALIFY {number} > 1)"
            )
            for table in ("lifecycle_events", "other_events")
        )

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a query's result, as dictionaries."""
        cursor = self.connection.execute(sql)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def one(self, sql: str) -> dict[str, Any]:
        """The only row of a query's result."""
        (row,) = self.rows(sql)
        return row

    def _execute(self, sql: str) -> int:
        """Execute a statement that reads files; its first result, a number of rows."""
        try:
            row = self.connection.execute(sql).fetchone()
        except (duckdb.OutOfMemoryException, duckdb.InterruptException):
            raise
        except duckdb.ConstraintException as error:
            raise NotLoadable(str(error)) from error
        except duckdb.Error as error:
            raise Unreadable(str(error)) from error
        return int(row[0]) if row else 0


def _lines(paths: Sequence[str], *, with_filename: bool = False) -> str:
    # Without quotes, and with a separator that text does not contain, each line is one value.
    return (
        f"read_csv({_sql_list(paths)}, columns={{'raw': 'VARCHAR'}}, delim='\\x1f', quote='', escape='', comment='', "
        f"header=false, auto_detect=false, compression='none', strict_mode=false, max_line_size={columns.MAX_LINE}"
        f"{', filename=true' if with_filename else ''})"
    )


def _sql_list(paths: Sequence[str]) -> str:
    if any(_GLOB_CHARACTERS & set(path) for path in paths):
        raise Unreadable("the database would take a path for a pattern")
    return "[" + ", ".join("'" + path.replace("'", "''") + "'" for path in paths) + "]"
