"""ClickHouse in the process, for what is asked of it as well."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

from poolwitness.logreport import queries


class ClickHouse:
    """ClickHouse in this process, as a fleet's would be set up: from the files of the package alone."""

    def __init__(self, folder: Path) -> None:
        self.session = import_module("chdb.session").Session(str(folder))
        for statement in ("CREATE DATABASE shop", "USE shop", queries.sql("clickhouse/table")):
            self.session.query(statement)
        self.session.query("CREATE TABLE lines (raw String) ENGINE = MergeTree ORDER BY tuple()")

    def load(self, *logs: Path) -> None:
        """Take in files of lines."""
        for log in logs:
            self.session.query(f"INSERT INTO lines SELECT raw FROM file('{log}', LineAsString, 'raw String')")
        self.session.query(queries.sql("clickhouse/load"))
        self.session.query("TRUNCATE TABLE lines")

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """The answer to a question."""
        settings = " SETTINGS output_format_json_quote_64bit_integers = 0"
        told = str(self.session.query(sql.strip().removesuffix(";") + settings, "JSONEachRow"))
        return [json.loads(line) for line in told.splitlines()]
