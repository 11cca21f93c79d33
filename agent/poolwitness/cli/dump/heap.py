"""The state of a process without the agent, from what was found on its heap, as the events that an agent sends."""

from __future__ import annotations

import math
from typing import Any

from poolwitness.config import Config
from poolwitness.diagnose.registry import run_rules
from poolwitness.model.records import (
    CheckoutRecord,
    Database,
    Frame,
    PoolInfo,
    PoolLife,
    PoolRecord,
    ProcessRecord,
    Snapshot,
    Stack,
    WorkerRecord,
)
from poolwitness.report.pipeline import as_lines
from poolwitness.report.state import StateReport, thread_event, with_report_id
from poolwitness.snapshot.versions import parse_version

NOWHERE = Stack((), None)
UNKNOWN = (
    "who took each connection, at which line, and since when: no agent was there to see it",
    "where each pool was created",
    "what was lost, refused or returned late before now",
)


def lines_of(heap: dict[str, Any], config: Config) -> bytes:
    """The state of a process without the agent, as JSON lines, from what the script in it wrote."""
    snapshot = snapshot_of(heap)
    report = StateReport(snapshot, run_rules(snapshot, config)[0])
    unknown = list(UNKNOWN)
    if heap["frozen"]:
        unknown.append(f"pools among the {heap['frozen']} objects that the program hid from us with gc.freeze()")
    threads = [thread_event(str(each["name"]), bool(each["main"]), _stack(each["stack"])) for each in heap["threads"]]
    events = [report.state("poolwitness dump", "heap", unknown), *report.pool_events(), *threads, *report.findings()]
    return as_lines(with_report_id(events, {"process.pid": heap["pid"], "timestamp": heap["taken_at"]}))


def snapshot_of(heap: dict[str, Any]) -> Snapshot:
    """What was found, as a snapshot for the rules and the report."""
    versions = {name: parse_version(text) for name, text in heap["versions"].items()}
    major, minor, micro = python = tuple(heap["python"])
    return Snapshot(
        taken_at=heap["taken_at"],
        taken_mono=0.0,
        moment="event",
        process=ProcessRecord(heap["pid"], python=(major, minor, micro), versions={"python": python, **versions}),
        pools=tuple(_pool(pool, number, heap["pid"]) for number, pool in enumerate(heap["pools"], start=1)),
    )


def _pool(found: dict[str, Any], number: int, pid: int) -> PoolRecord:
    module = "psycopg_pool" if found["module"].startswith("psycopg_pool") else found["module"]
    target = found["target"]
    return PoolRecord(
        info=PoolInfo(
            id=number,
            name=found["name"],
            cls=f"{module}.{found['class']}",
            is_async="AsyncConnectionPool" in found["bases"],
            is_null=any(base.endswith("NullConnectionPool") for base in found["bases"]),
            created=NOWHERE,
            created_at=math.nan,
            created_in="",
            num_workers=found["num_workers"] or 0,
            database=Database(**{name: target.get(name) for name in ("host", "port", "dbname", "user")}),
            pid=pid,
        ),
        life=PoolLife(state=found["state"], retained_by=found["kept_by"]),
        min_size=found["min_size"] or 0,
        max_size=found["max_size"],
        stats={
            name: found[key]
            for name, key in (("pool_size", "size"), ("pool_available", "idle"), ("requests_waiting", "waiting"))
            if found[key] is not None
        },
        checkouts=tuple(_checkout(each, index) for index, each in enumerate(found["out"], start=1)),
        workers=tuple(
            WorkerRecord(name=each["name"], role=each["role"], alive=each["alive"], where=_stack(each["where"]))
            for each in found["workers"]
        ),
    )


def _checkout(found: dict[str, Any], number: int) -> CheckoutRecord:
    return CheckoutRecord(
        id=number,
        taken=NOWHERE,
        held_s=math.nan,
        idle_s=math.nan,
        holder="",
        in_task=False,
        holder_alive=True,
        status=found["status"],
        where=_stack(found["where"]),
        retained_by=found["kept_by"],
    )


def _stack(places: list[list[Any]]) -> Stack | None:
    frames = tuple(Frame(str(file), int(line), str(function), str(kind)) for file, line, function, kind in places)
    kinds = ("application", "installed", "stdlib")
    origin = next((frame for kind in kinds for frame in frames if frame.kind == kind), None)
    return Stack(frames, origin) if frames else None
