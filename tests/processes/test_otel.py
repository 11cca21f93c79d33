"""The output ``otel``: through the application's own SDK, whatever it is doing with it, and never in its place."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.semconv._incubating.metrics import db_metrics

from poolwitness.otel import metrics as otel_metrics
from tests.support.programs import PATIENCE_S, environment, run, same
from tests.support.validation import validate

pytestmark = pytest.mark.matrix_once

PROGRAM = """
    import asyncio, os, sys, threading, time
    {before}
    from psycopg_pool import AsyncConnectionPool, ConnectionPool, PoolTimeout

    with ConnectionPool(os.environ["DSN"], min_size=1, max_size=1, name="shop", open=True) as pool:
        {after}
        for _ in range(3):
            with pool.connection() as conn:
                conn.execute("select 1")
        with pool.connection() as conn:
            held = threading.Event()
            def wait():
                with pool.connection(timeout=20):
                    held.set()
            waiter = threading.Thread(target=wait)
            waiter.start()
            while not pool.get_stats()["requests_waiting"]:
                time.sleep(0.01)
            {inside}
            time.sleep(0.2)
        waiter.join()
        with pool.connection() as conn:
            try:
                pool.getconn(timeout=0.05)
            except PoolTimeout:
                print("refused")
    left = AsyncConnectionPool("host=127.0.0.1 port=1", min_size=0, max_size=1, name="left", open=False)
    asyncio.run(left.open())  # no thread of it holds up the exit
    {end}
    print("over")
"""
SDK = """
    from opentelemetry import metrics
    from opentelemetry._logs import set_logger_provider
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs import export as logs
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader

    def as_line(something):
        return something.to_json(indent=None) + "\\n"

    def set_up(kind=LoggerProvider):
        exporter = getattr(logs, "ConsoleLogRecordExporter", None) or logs.ConsoleLogExporter
        provider = kind()
        provider.add_log_record_processor(
            logs.BatchLogRecordProcessor(exporter(out=open("{folder}/logs", "w"), formatter=as_line))
        )
        set_logger_provider(provider)
        reader = PeriodicExportingMetricReader(
            ConsoleMetricExporter(out=open("{folder}/metrics", "w"), formatter=as_line), export_interval_millis=10**8
        )
        metrics.set_meter_provider(MeterProvider([reader]))
        return provider, reader
"""
ON = {"POOLWITNESS": "1", "POOLWITNESS_OUTPUT": "otel"}


def indented(text: str) -> str:
    """Lines as they stand in the program."""
    return text.strip("\n").lstrip()


def program(folder: Path, before: str = "", after: str = "pass", inside: str = "pass", end: str = "pass") -> str:
    """The program, with the SDK's names at hand where it is used at all."""
    sdk = SDK.replace("{folder}", str(folder)) if "set_up" in before + after else ""
    return (
        PROGRAM.replace("{before}", indented(sdk) + ("\n    " + before))
        .replace("{after}", after)
        .replace("{inside}", inside)
        .replace("{end}", end)
    )


def records(folder: Path) -> list[dict[str, Any]]:
    """The log records that were exported."""
    return [json.loads(line) for line in (folder / "logs").read_text().splitlines()]


def as_event(record: dict[str, Any]) -> dict[str, Any]:
    """A log record as the event that it was."""
    levels = {"INFO": "info", "WARN": "warning", "ERROR": "error"}
    return {
        "timestamp": record["timestamp"],
        "level": levels[record["severity_text"]],
        "event": record["event_name"],
        "message": record["body"],
        "logger": "poolwitness",
        **record["attributes"],
    }


def metrics_of(folder: Path) -> list[dict[str, dict[str, Any]]]:
    """Each collection: the metrics of ours by name."""
    found = []
    for line in (folder / "metrics").read_text().splitlines():
        scopes = [scope for each in json.loads(line)["resource_metrics"] for scope in each["scope_metrics"]]
        ours = [scope for scope in scopes if scope["scope"]["name"] == "poolwitness"]
        found.append({metric["name"]: metric for scope in ours for metric in scope["metrics"]})
    return found


def points(metric: dict[str, Any]) -> dict[tuple[str, ...], dict[str, Any]]:
    """The data points by their attributes."""
    return {tuple(point["attributes"].values()): point for point in metric["data"]["data_points"]}


@pytest.mark.parametrize("when", ["before", "after"])
def test_events_are_log_records_to_the_last(when: str, tmp_path: Path, dsn: str) -> None:
    set_up = {when: "provider, reader = set_up()"}
    text = program(tmp_path, **set_up)
    with_agent = run(text, environment(DSN=dsn, **ON))
    told = records(tmp_path)
    same(with_agent, run(text, environment(DSN=dsn)))
    assert with_agent.stdout == b"refused\nover\n"
    assert not with_agent.events, "what the provider took is not written as well"
    names = [record["event_name"] for record in told]
    assert names[0] == "poolwitness.agent.started", "what came before the provider has waited for it"
    assert names[-1] == "poolwitness.verdict", "the provider is shut down after the verdict"
    rules = [record["attributes"].get("poolwitness.rule") for record in told]
    assert "PW201" in rules
    assert "PW001" in rules
    for record in told:
        event = as_event(record)
        # The SDK's JSON has its own form of time, and of the severity's number.
        validate({**event, "timestamp": event["timestamp"][:26].rstrip("Z").ljust(26, "0") + "Z"})
        assert record["severity_number"] in (9, 13, 17)


def test_pools_are_metrics(tmp_path: Path, dsn: str) -> None:
    text = program(tmp_path, before="provider, reader = set_up()", inside="reader.collect()")
    ran = run(text, environment(DSN=dsn, **ON, POOLWITNESS_SWEEP_S="0.05"))
    assert ran.stdout == b"refused\nover\n"
    during, *_, last = metrics_of(tmp_path)
    shop = ("shop",)
    counts = points(during["db.client.connection.count"])
    assert counts[("shop", "used")]["value"] == 1
    assert counts[("shop", "idle")]["value"] == 0
    assert points(during["db.client.connection.max"])[shop]["value"] == 1
    assert points(during["db.client.connection.pending_requests"])[shop]["value"] == 1
    assert points(last["db.client.connection.timeouts"])[shop]["value"] == 1
    wait, use, create = (points(last[f"db.client.connection.{kind}_time"])[shop] for kind in ("wait", "use", "create"))
    assert wait["count"] == use["count"] == 6
    assert 0.2 <= wait["max"] < 20
    assert 0.2 <= use["max"] < 20
    assert create["count"] >= 1
    assert "left" in {name for name, *_ in points(last["db.client.connection.count"])}


def test_names_units_and_kinds_are_those_of_the_conventions(tmp_path: Path, dsn: str) -> None:
    class Meter:
        """Keeps what it is asked to make."""

        def __init__(self) -> None:
            self.made: dict[str, tuple[str, str, str]] = {}

        def get_meter(self, *_: Any) -> Any:
            return self

        def __getattr__(self, kind: str) -> Any:
            def make(name: str, *arguments: Any, **_: Any) -> None:
                callbacks = [each for each in arguments if isinstance(each, list)]
                unit, description = (each for each in arguments if each not in callbacks)
                self.made[name] = (kind.replace("_observable", ""), unit, description)

            return make

    ours, theirs = Meter(), Meter()
    otel_metrics.PoolMetrics(ours, list)
    for name in ours.made:
        key = name.removeprefix("db.client.connection.")
        meter: Any = type("Theirs", (), {"__getattr__": lambda self, kind: _keep(theirs, kind)})()
        getattr(db_metrics, f"create_db_client_connection_{key}")(meter)
    assert ours.made == theirs.made
    assert len(ours.made) == 7


def _keep(theirs: Any, kind: str) -> Any:
    def make(name: str, unit: str, description: str) -> None:
        theirs.made[name] = (kind, unit, description)

    return make


ENDS = """
    import atexit, os, sys
    {sdk}
    from psycopg_pool import ConnectionPool

    class Telling(LoggerProvider):
        def shutdown(self):
            print("the provider is shut down")
            super().shutdown()

    def closing():
        print("clean-up")
        for each in pools:
            each.close()

    pools = []
    {first}
    provider, reader = set_up(Telling)
    pools.append(ConnectionPool(os.environ["DSN"], min_size=1, num_workers=1, name="shop", open=True))
    atexit.register(print, "the last to be registered and the first to be called")
    {then}
    print("over")
"""


def ending(folder: Path, dsn: str, first: str = "pass", then: str = "pass") -> tuple[list[dict[str, Any]], list[Any]]:
    """A program that says in which order it ends; the events sent to its provider, and those told on stderr."""
    sdk = indented(SDK.replace("{folder}", str(folder)))
    text = ENDS.replace("{sdk}", sdk).replace("{first}", first).replace("{then}", then)
    quiet = {"DSN": dsn, "PYTHONWARNINGS": "ignore"}  # of forks while the SDK's threads run
    with_agent = run(text, environment(**quiet, **ON))
    sent = [as_event(record) for record in records(folder)]
    without = run(text, environment(**quiet))
    assert b"the provider is shut down" in without.stdout
    same(with_agent, without)
    numbers: dict[str, list[int]] = {}
    for event in [*sent, *with_agent.events]:
        numbers.setdefault(event["poolwitness.run_id"], []).append(event["poolwitness.seq"])
    for of_run in numbers.values():
        assert sorted(of_run) == [*range(1, len(of_run) + 1)], "each is told once, here or there"
    return sent, with_agent.events


def rules_and_verdict(events: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """What was found."""
    rules = [event["poolwitness.rule"] for event in events if event["event"] == "poolwitness.finding"]
    return rules, [event["poolwitness.verdict"] for event in events if event["event"] == "poolwitness.verdict"]


def test_the_verdict_is_told_before_the_provider_is_shut_down(tmp_path: Path, dsn: str) -> None:
    sent, printed = ending(tmp_path, dsn)
    assert rules_and_verdict(sent) == (["PW001"], ["findings"])
    assert {event.get("poolwitness.rule") for event in printed} <= {"PW003"}, (
        "a finalizer comes after the provider's end"
    )


def test_a_clean_up_that_comes_before_is_waited_for(tmp_path: Path, dsn: str) -> None:
    sent, printed = ending(tmp_path, dsn, then="atexit.register(closing)")
    assert rules_and_verdict(sent) == ([], ["clean"])
    assert not printed


def test_a_clean_up_that_comes_later_is_waited_for_too(tmp_path: Path, dsn: str) -> None:
    sent, printed = ending(tmp_path, dsn, first="atexit.register(closing)")
    assert sent[0]["event"] == "poolwitness.agent.started"
    assert rules_and_verdict(sent) == ([], [])
    assert rules_and_verdict(printed) == ([], ["clean"]), "nobody reads the provider any more"


def test_a_callback_that_might_close_pools_is_waited_for(tmp_path: Path, dsn: str) -> None:
    sent, printed = ending(tmp_path, dsn, first="atexit.register(lambda: None)")
    assert rules_and_verdict(sent) == ([], [])
    rules, verdicts = rules_and_verdict(printed)
    assert "PW001" in rules
    assert verdicts == ["findings"]


def test_a_provider_that_is_set_when_all_has_been_told_gets_nothing_twice(tmp_path: Path, dsn: str) -> None:
    text = program(tmp_path, before="later = set_up", end="provider, reader = later()")
    with_agent = run(text, environment(DSN=dsn, **ON))
    events = [*map(as_event, records(tmp_path)), *with_agent.events]
    same(with_agent, run(text, environment(DSN=dsn)))  # which writes the records again
    assert sorted(event["poolwitness.seq"] for event in events) == [*range(1, len(events) + 1)]
    # It goes to the provider where that is found before its shutdown.
    assert [event["poolwitness.verdict"] for event in events if event["event"].endswith(".verdict")] == ["findings"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="it forks")
@pytest.mark.parametrize(
    "fork",
    [
        "os.waitpid(os.fork() or use_a_pool() or sys.exit(), 0)",
        "child = multiprocessing.get_context('fork').Process(target=use_a_pool); child.start(); child.join()",
    ],
    ids=["os", "multiprocessing"],
)
def test_a_forked_child_tells_its_own(fork: str, tmp_path: Path, dsn: str) -> None:
    functions = (
        "def use_a_pool():\n        ConnectionPool(os.environ['DSN'], min_size=1, num_workers=1, name='child').close()"
    )
    sent, printed = ending(
        tmp_path, dsn, first=f"import multiprocessing\n    {functions}", then="closing()\n    " + fork
    )
    runs = {event["poolwitness.run_id"] for event in [*sent, *printed]}
    assert len(runs) == 2, "the parent's are not told again by the child"
    assert sum(event["event"] == "poolwitness.verdict" for event in [*sent, *printed]) == 2


def test_the_provider_of_the_environment(tmp_path: Path, dsn: str) -> None:
    """``opentelemetry-instrument`` makes the providers before the program's first line."""
    instrument = shutil.which("opentelemetry-instrument", path=os.path.dirname(sys.executable))
    if instrument is None:
        pytest.skip("opentelemetry-distro is not installed")
    path = tmp_path / "program.py"
    path.write_text(textwrap.dedent(program(tmp_path)), encoding="utf-8")
    exporters = {
        "OTEL_LOGS_EXPORTER": "console",
        "OTEL_METRICS_EXPORTER": "console",
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_METRIC_EXPORT_INTERVAL": "100000000",
        "OTEL_SERVICE_NAME": "shop",
    }

    def ran(**more: str) -> tuple[int, str, list[dict[str, Any]]]:
        ended = subprocess.run(
            [instrument, sys.executable, str(path)],
            env=environment(DSN=dsn, **exporters, **more),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert not ended.stderr
        own, documents = unmixed(ended.stdout)
        return ended.returncode, own, documents

    status, own, documents = ran(**ON)
    assert (status, own) == ran()[:2] == (0, "refused\nover\n")
    told = [document for document in documents if "event_name" in document]
    assert told[0]["event_name"] == "poolwitness.agent.started"
    assert told[-1]["event_name"] == "poolwitness.verdict"
    assert {document["resource"]["attributes"]["service.name"] for document in told} == {"shop"}
    measured = {
        metric["name"]
        for document in documents
        for each in document.get("resource_metrics", ())
        for scope in each["scope_metrics"]
        if scope["scope"]["name"] == "poolwitness"
        for metric in scope["metrics"]
    }
    kinds = ("count", "max", "pending_requests", "timeouts", "wait_time", "use_time", "create_time")
    assert measured == {f"db.client.connection.{kind}" for kind in kinds}


def unmixed(text: str) -> tuple[str, list[dict[str, Any]]]:
    """What a program printed itself, and the documents of the console's exporters."""
    own, documents, decoder = "", [], json.JSONDecoder()
    while text:
        if text.startswith("{"):
            document, end = decoder.raw_decode(text)
            documents.append(document)
            text = text[end:].removeprefix("\n")
        else:
            line, _, text = text.partition("\n")
            own += line + "\n"
    return own, documents


def test_without_a_provider_it_is_told_on_stderr(tmp_path: Path, dsn: str) -> None:
    text = program(tmp_path)
    with_agent = run(text, environment(DSN=dsn, **ON))
    same(with_agent, run(text, environment(DSN=dsn)))
    assert with_agent.named("poolwitness.agent.started")
    assert with_agent.verdict == "findings"
    assert [event["poolwitness.seq"] for event in with_agent.events] == list(range(1, len(with_agent.events) + 1))


def test_a_provider_that_the_program_shuts_down_is_not_written_to(tmp_path: Path, dsn: str) -> None:
    text = program(tmp_path, before="provider, reader = set_up()", end="provider.shutdown()")
    with_agent = run(text, environment(DSN=dsn, **ON))
    same(with_agent, run(text, environment(DSN=dsn)))
    assert with_agent.verdict == "findings"
    assert "PW001" in with_agent.rules


def test_the_programs_own_choice_of_provider_stands(tmp_path: Path, dsn: str) -> None:
    env = environment(DSN=dsn, **ON, OTEL_PYTHON_METER_PROVIDER="sdk_meter_provider")
    text = program(
        tmp_path,
        after="provider, reader = set_up()",
        end="print(metrics.get_meter_provider() is not None, type(metrics.get_meter_provider()).__name__)",
    )
    with_agent = run(text, env)
    assert b"True MeterProvider" in with_agent.stdout
    same(with_agent, run(text, environment(DSN=dsn, OTEL_PYTHON_METER_PROVIDER="sdk_meter_provider")))


def test_nothing_of_it_is_loaded_unasked(dsn: str) -> None:
    text = """
        import os, sys
        from psycopg_pool import ConnectionPool
        with ConnectionPool(os.environ["DSN"], min_size=1, num_workers=1, open=False) as pool:
            pass
        print([name for name in sys.modules if "otel" in name or "opentelemetry" in name or name.endswith("telemetry")])
    """
    for output, loaded in (("stderr", 0), ("otel", 5)):
        ran = run(text, environment(DSN=dsn, POOLWITNESS="1", POOLWITNESS_OUTPUT=output))
        names = eval(ran.stdout)
        assert len(names) == loaded
        assert not [name for name in names if name.startswith("opentelemetry")]
