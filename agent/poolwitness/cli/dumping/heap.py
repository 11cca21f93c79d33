"""Make records of what was found on the heap of another process, and run the rules on them."""

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
from poolwitness.report.redact import clean_text
from poolwitness.report.state_document import Document, document
from poolwitness.snapshot.versions import parse_version

NOWHERE = Stack((), None)
UNKNOWN = (
    "who took each connection, at which line, and since when: the agent was not there to see it",
    "where each pool was made",
    "what was lost, refused or returned late before now",
)


def document_of(heap: dict[str, Any], config: Config) -> Document:
    """The document of a process without the agent.

    Args:
        heap: what the script in it wrote.
        config: whose ``ignore`` holds.

    Returns:
        As the agent would make it; what it alone could know is None there, and named under ``unknown``.
    """
    snapshot = snapshot_of(heap)
    living = document(snapshot, run_rules(snapshot, config)[0], source="heap")
    living["threads"] = [
        {
            "name": clean_text(str(thread["name"]), 200),
            "main": bool(thread["main"]),
            "now_stack": [clean_text(f"{place[0]}:{place[1]} in {place[2]}", 1000) for place in thread["stack"]],
        }
        for thread in heap["threads"]
    ]
    living["unknown"] = list(UNKNOWN)
    if heap["frozen"]:
        living["unknown"].append(
            f"pools among the {heap['frozen']} objects that the program put out of sight with gc.freeze()"
        )
    return living


def snapshot_of(heap: dict[str, Any]) -> Snapshot:
    """What was found, as a snapshot that rules can be run on."""
    versions = {name: parse_version(text) for name, text in heap["versions"].items()}
    python = tuple(heap["python"])
    return Snapshot(
        taken_at=heap["taken_at"],
        taken_mono=0.0,
        moment="event",
        process=ProcessRecord(
            pid=heap["pid"], python=(python[0], python[1], python[2]), versions={"python": python, **versions}
        ),
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
            database=Database(
                host=target.get("host"), port=target.get("port"), dbname=target.get("dbname"), user=target.get("user")
            ),
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
    for wanted in ("application", "installed", "stdlib"):
        for frame in frames:
            if frame.kind == wanted:
                return Stack(frames, frame)
    return Stack(frames, None) if frames else None
