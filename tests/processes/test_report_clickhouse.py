"""The same questions, asked of ClickHouse, have the same answers."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("chdb")

from poolwitness.logreport import queries
from poolwitness.logreport.answers import create_views
from poolwitness.logreport.columns import COLUMNS
from poolwitness.logreport.reading.reader import read_sources as read
from poolwitness.logreport.reading.sources import find_sources as sources
from poolwitness.logreport.store import Store
from tests.support.clickhouse import ClickHouse
from tests.support.log_lines import Process, day, history

pytestmark = pytest.mark.slow  # its server is half a gigabyte


def fleet() -> bytes:
    """Some hundred processes with pools, findings and everything that the questions read, never the same twice."""
    chance = random.Random(7)
    lines = []
    for number in range(120):
        process = Process(f"run-{number:03}", pid=number, at=day(21 * chance.random()))
        file = f"/app/shop/{chance.choice(['db', 'jobs', 'api'])}.py"
        for pool_id in range(1, chance.randint(2, 6)):
            process.at += 3600 * chance.random()
            lines.append(process.opened(pool_id, file))
            if chance.random() < 0.3:
                rule = chance.choice(["PW001", "PW101", "PW103", "PW002"])
                more = {"poolwitness__held_s": chance.random() * 100, "poolwitness__pool__id": pool_id}
                lines.append(process.found(rule, f"{rule}-{file[10]}", line=chance.randint(5, 9), file=file, **more))
                if rule == "PW103" and chance.random() < 0.5:
                    lines.append(
                        process.line("poolwitness.finding.resolved", poolwitness__fingerprint=f"{rule}-{file[10]}")
                    )
                lines.append(process.found(rule, f"{rule}-{file[10]}", poolwitness__held_back=chance.randint(0, 9)))
            if chance.random() < 0.7:
                lines.append(process.closed(pool_id, file, poolwitness__peak_in_use=chance.randint(0, 9)))
        if chance.random() < 0.8:
            lines.append(process.verdict())
    return b"".join(lines)


@pytest.fixture(scope="module", params=["a known history", "a fleet"])
def log(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clickhouse") / "all.log"
    path.write_bytes(history() if request.param == "a known history" else fleet())
    return path


@pytest.fixture(scope="module")
def duck(log: Path) -> Iterator[Store]:
    with Store() as store:
        read(sources([str(log)]), store)
        create_views(store)
        yield store


@pytest.fixture(scope="module")
def house(log: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    made = ClickHouse(tmp_path_factory.mktemp("house"))
    made.load(log)
    for view in queries.VIEWS:
        made.session.query(queries.sql(view))
    yield made
    made.session.close()


def test_they_hold_the_same_rows(duck: Store, house: ClickHouse) -> None:
    rows = [connection.rows("SELECT * FROM events ORDER BY run_id, seq") for connection in (duck, house)]
    assert rows[0] == rows[1]
    assert len(rows[0]) > 20


@pytest.mark.parametrize("question", queries.QUERIES)
def test_they_answer_alike(duck: Store, house: ClickHouse, question: str) -> None:
    sql = queries.sql(question)
    answers = [connection.rows(sql) for connection in (duck, house)]
    assert answers[0] == answers[1]
    assert answers[0]


def test_what_arrives_twice_is_merged_away(log: Path, house: ClickHouse) -> None:
    before = house.rows(queries.sql("totals"))
    house.load(log)
    house.session.query("OPTIMIZE TABLE events FINAL")
    assert house.rows(queries.sql("totals")) == before


def test_both_tables_have_the_columns_that_are_read() -> None:
    columns = [re.findall(r"(?m)^    (\w+) [A-Z]", queries.sql(f"{name}/table")) for name in ("duckdb", "clickhouse")]
    assert columns[0] == columns[1]
    assert set(columns[0]) == {"moment", "process", "pool_file", *(column.name for column in COLUMNS)}
    load = queries.sql("clickhouse/load")
    assert re.findall(r"^    .* AS (\w+),?$", load[: load.index("FROM (")], re.M) == columns[1]
    for column in COLUMNS:
        types = {"text": "String", "integer": "Int64", "real": "Float64"}
        assert re.search(rf"^ +`?{re.escape(column.key)}`? {types[column.kind]},?$", load, re.M)
