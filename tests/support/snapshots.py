"""Hand-made records for tests of rules: only what a test is about need be said."""

from __future__ import annotations

from typing import Any

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

NOW = 1_800_000_000.0
APP = "/srv/shop/db.py"
# Each is given a value of its own by `pool`.
_NONE: Any = [None] * (len(PoolInfo._fields) - len(PoolInfo._field_defaults))


def frame(line: int, file: str = APP, function: str = "make_pool", kind: str = "application") -> Frame:
    """A frame, the application's unless said otherwise."""
    return Frame(file, line, function, kind)


def stack(line: int, file: str = APP, function: str = "make_pool", folder: str = "/srv/shop") -> Stack:
    """A stack as an application has it: its function, called by its main module, through a library's frame."""
    origin = frame(line, file, function)
    library = Frame("/usr/lib/python3/site-packages/web/run.py", 7, "serve", "installed")
    main = Frame(f"{folder}/main.py", 3, "<module>", "application")
    return Stack((origin, library, main), origin)


def worker(name: str = "shop-worker-0", alive: bool = True, role: str = "worker", **fields: Any) -> WorkerRecord:
    """A worker thread."""
    return WorkerRecord(name=name, role=role, alive=alive, **fields)


THREADS = (
    worker("shop-worker-0"),
    worker("shop-worker-1"),
    worker("shop-worker-2"),
    worker("shop-scheduler", role="scheduler"),
)


def pool(**fields: Any) -> PoolRecord:
    """An open sync pool that is well."""
    usual: dict[str, Any] = {
        "id": 1,
        "name": "shop",
        "cls": "psycopg_pool.ConnectionPool",
        "is_async": False,
        "is_null": False,
        "state": "open",
        "created": stack(10),
        "created_at": NOW - 60,
        "created_in": "MainThread",
        "min_size": 4,
        "max_size": 4,
        "num_workers": 3,
        "database": Database(host="db", dbname="shop"),
        "pid": 1,
        "opened_at": NOW - 60,
        "opened": stack(10),
        "workers": THREADS,
        "stats": {"requests_num": 3, "pool_size": 4, "pool_available": 4},
    }
    return changed(PoolRecord(PoolInfo(*_NONE), PoolLife("open"), 0, 0), **{**usual, **fields})


def changed(record: PoolRecord, **fields: Any) -> PoolRecord:
    """The same pool with other values, each by its own name, whichever part of the record it belongs to."""
    for group in ("info", "life", "usage", "misuse"):
        part = getattr(record, group)
        own = {name: fields.pop(name) for name in list(fields) if name in part._fields}
        record = record._replace(**{group: part._replace(**own)})
    return record._replace(**fields)


def async_pool(**fields: Any) -> PoolRecord:
    """An open async pool that is well."""
    return pool(**{"cls": "psycopg_pool.AsyncConnectionPool", "is_async": True, "workers": (), **fields})


def closed(record: PoolRecord) -> PoolRecord:
    """The same pool later: closed by the application."""
    return changed(record, state="closed", closed_at=NOW - 10, closed=stack(20, function="shut_down"), close_s=0.01)


def checkout(**fields: Any) -> CheckoutRecord:
    """A connection that is out for a moment, in a thread that lives."""
    usual: dict[str, Any] = {
        "id": 1,
        "taken": stack(30, function="handle"),
        "held_s": 0.2,
        "idle_s": 0.0,
        "holder": "Thread-1",
        "in_task": False,
        "holder_alive": True,
        "status": "idle",
    }
    return CheckoutRecord(**{**usual, **fields})


def snapshot(
    *pools: PoolRecord, moment: str = "sweep", python: tuple[int, int, int] = (3, 13, 1), **versions: tuple[int, ...]
) -> Snapshot:
    """A snapshot of these pools."""
    return Snapshot(
        taken_at=NOW,
        taken_mono=1000.0,
        moment=moment,
        process=ProcessRecord(pid=1, python=python, versions={"python": python, "psycopg_pool": (3, 3, 3), **versions}),
        pools=pools,
    )
