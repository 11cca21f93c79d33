"""The alerts of docs/ingestion: ClickHouse's are run on real events, the others name no field that there is not."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

import pytest

from poolwitness.report.fields import FIELDS, TYPES
from poolwitness.report.json_lines import render_json
from poolwitness.report.pipeline import timestamp
from poolwitness.report.profiles import PROFILES
from tests.support import samples
from tests.support.programs import environment, run

RECIPES = Path(__file__).resolve().parents[2] / "docs" / "ingestion"
TEXT = (RECIPES / "alerts.md").read_text(encoding="utf-8")
SECTIONS = {title.split()[0].strip(","): body for title, body in re.findall(r"(?ms)^## (.+?)\n(.+?)(?=^## |\Z)", TEXT)}
ALERTS = ("a new fault", "exhaustion", "exit delayed")
LEAKS = """
    import os
    from psycopg_pool import ConnectionPool, PoolTimeout
    # Neither delays the exit: nothing waits for them any more.
    with ConnectionPool(os.environ["DSN"], min_size=1, max_size=1, name="shop", open=True) as pool:
        with pool.connection():
            try:
                pool.getconn(timeout=0.05)
            except PoolTimeout:
                pass
"""


@pytest.mark.parametrize("store", ["Loki", "Elasticsearch", "ClickHouse", "Datadog"])
def test_each_store_has_the_three(store: str) -> None:
    for alert in ALERTS:
        assert re.search(rf"(?m)^ *(#|//|--) {alert}", SECTIONS[store]), alert


def test_the_names_are_those_of_the_profile() -> None:
    def names(profile: str) -> set[str]:
        theirs = PROFILES[profile].names
        return {theirs.get(name, name) for name in FIELDS} | set(samples.SAMPLES)

    dotted = r"[a-z_]+(?:\.[a-z_]+)+"
    in_elastic = {
        name
        for query in SECTIONS["Elasticsearch"].split("FROM filebeat-*")[1:]
        for name in re.findall(rf"(?<![\w.]){dotted}", query)
    }
    assert {"event.action", "rule.id", "poolwitness.fingerprint", "code.file.path"} <= in_elastic <= names("ecs")
    in_datadog = set(re.findall(rf"@({dotted})", SECTIONS["Datadog"]))
    assert {"evt.name", "poolwitness.rule", "poolwitness.exit_delay_s"} <= in_datadog <= names("datadog")
    for store in ("Loki", "Elasticsearch", "Datadog"):
        told = set(re.findall(r"poolwitness\.finding[a-z_.]*", SECTIONS[store].replace("(.held_back)?", ".held_back")))
        assert told - {"poolwitness.finding."} <= samples.SAMPLES.keys()


def test_elasticsearchs_are_taken_by_its_own_parser() -> None:
    esql = pytest.importorskip("esql")
    kinds = {"text": "keyword", "integer": "long", "number": "double", "boolean": "boolean", "texts": "keyword"}
    theirs = PROFILES["ecs"].names
    mapping = {theirs.get(name, name): kinds[kind] for name, kind in TYPES.items()} | {"@timestamp": "date"}
    queries = [each for each in re.split(r"\n\n", SECTIONS["Elasticsearch"]) if "FROM" in each]
    assert len(queries) == len(ALERTS)
    for query in queries:
        esql.analyze(esql.parse_query(query), esql.Schema(mapping))


def test_lokis_labels_are_those_that_its_recipe_makes() -> None:
    recipe = (RECIPES / "loki-alloy.alloy").read_text(encoding="utf-8")
    made = set(re.findall(r'(\w+)"? *= *"', recipe))
    used = set(re.findall(r"by \(([^)]+)\)", SECTIONS["Loki"]))
    asked = {name.strip() for each in used for name in each.split(",")} | {"source", "event", "rule"}
    assert asked <= made
    for name in re.findall(r'\\"(poolwitness\.[a-z_.]+)\\"', recipe + SECTIONS["Loki"]):
        assert name in TYPES, name


@pytest.mark.slow
def test_clickhouses_are_answered_by_real_events(dsn: str, tmp_path: Path) -> None:
    chdb = pytest.importorskip("chdb.session")
    from poolwitness.logreport import queries

    log = tmp_path / "all.jsonl"
    ran = run(LEAKS, environment(DSN=dsn, POOLWITNESS="1", POOLWITNESS_OUTPUT=f"file:{log}"))
    assert ran.status == 0
    now = time.time()

    def line(age_s: float, seq: int, **more: Any) -> bytes:
        event = {
            **samples.SAMPLES["poolwitness.finding"],
            "timestamp": timestamp(now - age_s),
            "poolwitness.seq": seq,
            "poolwitness.held_back": 0,
        }
        return render_json({**event, **{name.replace("__", "."): value for name, value in more.items()}})

    old, late, flood = "0" * 15 + "1", "0" * 15 + "2", "0" * 15 + "3"
    with log.open("ab") as file:
        file.write(line(86_400 * 3, 1, poolwitness__fingerprint=old) + line(60, 2, poolwitness__fingerprint=old))
        file.write(line(86_400 * 20, 3, poolwitness__fingerprint=late) + line(60, 4, poolwitness__fingerprint=late))
        file.write(
            line(
                60, 5, event="poolwitness.finding.held_back", poolwitness__fingerprint=flood, poolwitness__held_back=41
            )
        )
        file.write(line(60, 6, poolwitness__rule="PW003", poolwitness__fingerprint=old, poolwitness__exit_delay_s=10.5))
        file.write(line(60, 7, poolwitness__rule="PW003", poolwitness__fingerprint=old, poolwitness__exit_delay_s=0.5))
    session = chdb.Session(str(tmp_path / "clickhouse"))
    for statement in ("CREATE DATABASE shop", "USE shop", queries.sql("clickhouse/table")):
        session.query(statement)
    session.query("CREATE TABLE lines (raw String) ENGINE = MergeTree ORDER BY tuple()")
    session.query(f"INSERT INTO lines SELECT raw FROM file('{log}', LineAsString, 'raw String')")
    session.query(queries.sql("clickhouse/load"))
    (sql,) = re.findall(r"(?s)```sql\n(.*?)```", SECTIONS["ClickHouse"])
    answers = [
        [tuple(row.split("\t")) for row in str(session.query(each, "TSV")).splitlines()]
        for each in sql.split(";")
        if each.strip()
    ]
    new, exhausted, delayed = answers
    times = {fingerprint: count for fingerprint, _, _, count in new}
    rules = {rule for _, rule, _, _ in new}
    assert old not in times
    assert (times.pop(late), times.pop(flood)) == ("1", "41")
    assert "PW201" in rules, "the program's own, a minute old at most"
    assert set(times.values()) == {"1"}
    assert exhausted == [("shop", "1")]
    assert delayed == [("/srv/shop/db.py", "14", "10.5")]
    assert os.path.getsize(log) > 0
