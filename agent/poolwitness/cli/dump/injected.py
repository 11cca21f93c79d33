"""Runs inside a process without an agent: finds its pools on the heap and reports what can be seen of them.

`sys.remote_exec` is given its text, so it imports nothing from this package. It calls none of the program's code, takes
no lock and changes nothing. It runs in a thread of its own, on Python 3.14 and later.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import threading
import time
from itertools import compress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import Any

    Stands = dict[int, tuple[str, FrameType]]
    Place = list[str | int]
    Hands = dict[int, tuple[str, list[Place]]]

MOST_POOLS = 500
MOST_OUT = 2000
MOST_THREADS = 300
DEEPEST = 60
SHOWN = 24
STATUSES = ("idle", "active", "idle in transaction", "in failed transaction")
STDLIB = os.path.dirname(os.__file__) + os.sep


def run(answer: int) -> None:
    """Write the agent's answer to a descriptor, or what is on the heap as one line of JSON; then an empty line."""
    # An agent that has seen no pool is not loaded, and must not be loaded in this thread.
    current_dump = getattr(sys.modules.get("poolwitness.agent"), "current_dump", None)
    text = current_dump() if current_dump is not None else b""
    text = (text or json.dumps(_settled()).encode("ascii") + b"\n") + b"\n"
    while text:
        text = text[os.write(answer, text) :]


def _settled() -> dict[str, Any]:
    for _ in range(3):
        try:
            return look()
        except RuntimeError:  # a dict or set changed while it was read
            continue
    return look()


def look() -> dict[str, Any]:
    """The pools of this process, and what its threads are at."""
    pool_kinds = _kinds("psycopg_pool", "ConnectionPool", "AsyncConnectionPool")
    conn_kinds = _kinds("psycopg", "Connection", "AsyncConnection")
    task_kinds = _kinds("asyncio", "Task")
    living = _living(pool_kinds + conn_kinds + task_kinds) if pool_kinds else []
    pools = [each for each in living if type(each) in pool_kinds][:MOST_POOLS]
    tasks = [each for each in living if type(each) in task_kinds]
    out: dict[int, list[Any]] = {}
    for conn in living:
        owner = _own(conn).get("_pool") if type(conn) in conn_kinds else None
        if owner is not None and not any(conn is idle for idle in _copy(_own(owner).get("_pool"))):
            out.setdefault(id(owner), []).append(conn)
    del living
    wanted = {id(conn): conn for conns in out.values() for conn in conns[:MOST_OUT]}
    wanted.update({id(pool): pool for pool in pools})
    stands = _threads()
    hands = _hands(wanted, stands, tasks)
    names = _names(wanted)
    return {
        "poolwitness.heap": 1,
        "taken_at": time.time(),
        "pid": os.getpid(),
        "python": list(sys.version_info[:3]),
        "versions": {
            name: str(getattr(sys.modules.get(name), "__version__", ""))
            for name in ("psycopg", "psycopg_pool")
            if name in sys.modules
        },
        "frozen": gc.get_freeze_count(),
        "pools": [_pool(pool, out.get(id(pool), []), hands, names, stands) for pool in pools],
        "threads": [
            {"name": name, "main": ident == threading.main_thread().ident, "stack": _named(frame)[:SHOWN]}
            for ident, (name, frame) in list(stands.items())[:MOST_THREADS]
        ],
    }


def _kinds(module: str, *names: str) -> list[type]:
    found = [getattr(sys.modules.get(module), name, None) for name in names]
    kinds = [kind for kind in found if isinstance(kind, type)]
    for kind in kinds:
        below: list[type] = type.__subclasses__(kind)
        kinds += [each for each in below if each not in kinds]
    return kinds


def _living(kinds: list[type]) -> list[Any]:
    # All in C: no other thread runs meanwhile, so no object of the program loses its last reference in this thread.
    numbers = frozenset(map(id, kinds))
    everything = gc.get_objects()
    found = list(compress(everything, map(numbers.__contains__, map(id, map(type, everything)))))
    del everything
    return found


def _own(thing: Any) -> dict[str, Any]:
    try:
        return object.__getattribute__(thing, "__dict__")  # type: ignore[no-any-return]
    except AttributeError:
        return {}


def _copy(items: Any) -> list[Any]:
    for _ in range(5):
        try:
            return list(items or ())
        except RuntimeError:  # changed meanwhile
            continue
    return []


def _pool(pool: Any, conns: list[Any], hands: Hands, names: dict[int, str], stands: Stands) -> dict[str, Any]:
    own = _own(pool)
    kind = type(pool)
    closed, opened = own.get("_closed", True), own.get("_opened", False)
    waiting = [each for each in _copy(own.get("_waiting")) if each.conn is None and each.error is None]
    idle = _copy(own.get("_pool"))
    runners = [("worker", each) for each in _copy(own.get("_workers"))]
    if own.get("_sched_runner") is not None:
        runners.append(("scheduler", own["_sched_runner"]))
    return {
        "name": str(own.get("name", "?"))[:256],
        "module": str(kind.__module__),
        "class": str(kind.__qualname__),
        "bases": [base.__name__ for base in kind.__mro__],
        "state": "open" if not closed else "closed" if opened else "new",
        "min_size": _number(own.get("_min_size")),
        "max_size": _number(own.get("_max_size")),
        "num_workers": _number(own.get("num_workers")),
        "size": _number(own.get("_nconns")),
        "idle": len(idle),
        "waiting": len(waiting),
        "kept_by": names.get(id(pool)) or hands.get(id(pool), ("", []))[0],
        "target": _target([*conns, *idle]),
        "workers": [_runner(role, runner, stands) for role, runner in runners],
        "out": [_out(conn, hands, names) for conn in conns[:MOST_OUT]],
    }


def _out(conn: Any, hands: Hands, names: dict[int, str]) -> dict[str, Any]:
    kept_by, stack = hands.get(id(conn), ("", []))
    try:
        status = int(conn.pgconn.transaction_status)
    except Exception:  # noqa: BLE001 - a connection class of the program's own
        status = -1
    return {
        "status": STATUSES[status] if 0 <= status < len(STATUSES) else "closed",
        "kept_by": kept_by or names.get(id(conn), ""),
        "where": stack,
    }


def _target(conns: list[Any]) -> dict[str, Any]:
    for conn in conns:
        try:
            told = conn.pgconn
            host, port, dbname, user = (part.decode() for part in (told.host, told.port, told.db, told.user))
        except Exception:  # noqa: BLE001 - it is closed, or a class of the program's own
            continue
        return {"host": host, "port": int(port) if port.isdigit() else None, "dbname": dbname, "user": user}
    return {}


def _runner(role: str, runner: Any, stands: Stands) -> dict[str, Any]:
    if isinstance(runner, threading.Thread):
        _, frame = stands.get(runner.ident or 0, ("", None))
        return {"name": str(runner.name), "role": role, "alive": runner.is_alive(), "where": _named(frame)[:SHOWN]}
    return {"name": str(runner.get_name()), "role": role, "alive": not runner.done(), "where": []}


def _threads() -> Stands:
    """Name and frame by identifier, without this thread."""
    # Without the lock of threading.enumerate().
    names = {ident: thread.name for ident, thread in threading._active.copy().items()}  # type: ignore[attr-defined]
    mine = threading.get_ident()
    return {
        ident: (str(names.get(ident, f"thread {ident}")), frame)
        for ident, frame in sys._current_frames().items()
        if ident != mine
    }


def _hands(wanted: dict[int, Any], stands: Stands, tasks: list[Any]) -> Hands:
    """Which thread or task has what in a local variable: by id, a description and its stack."""
    found: Hands = {}
    for name, frame in stands.values():
        _search(wanted, found, list(_chain(frame)), f"thread {name!r}")
    for task in tasks:
        if not task.done():
            _search(wanted, found, _awaits(task.get_coro()), f"task {task.get_name()!r}")
    return found


def _search(wanted: dict[int, Any], found: Hands, frames: list[tuple[FrameType, int]], who: str) -> None:
    stack = [_place(frame, line) for frame, line in frames[:SHOWN]]
    for frame, _ in frames:
        if _kind(frame.f_code.co_filename) in ("psycopg", "stdlib") or frame.f_code.co_name == "<module>":
            continue
        for name, value in list(frame.f_locals.items()):
            for each in (value, *_parts(value)):
                if id(each) in wanted:
                    found.setdefault(id(each), (f"{frame.f_code.co_name}().{name} of {who}", stack))


def _parts(value: Any) -> list[Any]:
    # One step further, for `self.conn` and a list of connections; none of the object's own code runs.
    kind = type(value)
    if kind in (list, tuple, set, dict) or type.__dict__["__flags__"].__get__(kind) & 512:  # a class made in Python
        return gc.get_referents(value)[:200]
    return []


def _names(wanted: dict[int, Any]) -> dict[int, str]:
    """Which module has what in a global variable."""
    found: dict[int, str] = {}
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in ("psycopg", "psycopg_pool", "psycopg_binary", "psycopg_c"):
            continue
        own = _own(module)
        file = own.get("__file__")
        further = name == "__main__" or (isinstance(file, str) and _kind(file) == "application")
        for key, value in list(own.items()):
            for each in (value, *_parts(value)) if further else (value,):
                if id(each) in wanted and isinstance(key, str):
                    found.setdefault(id(each), f"{name}.{key}")
    return found


def _chain(frame: FrameType | None) -> Iterator[tuple[FrameType, int]]:
    while frame is not None:
        yield frame, frame.f_lineno or 0
        frame = frame.f_back


def _awaits(coroutine: Any) -> list[tuple[FrameType, int]]:
    frames: list[tuple[FrameType, int]] = []
    while coroutine is not None and len(frames) < DEEPEST:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "ag_frame", None)
        frame = frame or getattr(coroutine, "gi_frame", None)
        if frame is None:
            break
        frames.insert(0, (frame, frame.f_lineno or 0))
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
    return frames


def _named(frame: FrameType | None) -> list[Place]:
    return [_place(each, line) for each, line in _chain(frame)] if frame is not None else []


def _place(frame: FrameType, line: int) -> Place:
    code = frame.f_code
    return [code.co_filename, line or code.co_firstlineno, code.co_name, _kind(code.co_filename)]


def _kind(file: str) -> str:
    if file.startswith("<frozen "):
        return "stdlib"
    parts = file.replace("\\", "/").split("/")
    if "site-packages" in parts or "dist-packages" in parts:
        return "psycopg" if {"psycopg", "psycopg_pool"} & set(parts[:-1]) else "installed"
    return "stdlib" if file.startswith(STDLIB) else "application"


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) else None
