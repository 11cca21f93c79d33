"""What the agent adds to taking and returning a connection, beside a query and beside other observers."""

from __future__ import annotations

from contextlib import ExitStack
from importlib.util import find_spec

from benchmarks.contest import Contestant, interleave
from benchmarks.environments import Environments
from benchmarks.results import Row, Share, at_most
from benchmarks.samples import Interval, differences, interval

WATCH = Share(50, "µs")
WATCH_LIMIT_OF_SELECT = 2.0  # percent
TRACE_LIMIT_OF_EXTRACT_STACK = 10  # percent
# CPython allocates frames in chunks: a loop whose calls straddle the end of one costs more, at some depths only.
DEPTHS = (5, 20, 40, 60)
DEEP = DEPTHS[-1]
SYNC, ASYNC = "take_and_return.py", "take_and_return_async.py"


def measure(environments: Environments, conninfo: str, rounds: int = 150) -> list[Row]:
    """Run the same cycle in several processes in turn, one for each level, depth and other observer.

    Args:
        environments: the interpreters.
        conninfo: a server, by TCP.
        rounds: how many turns of each.
    """
    rows = []
    for program, name in ((SYNC, "getconn + putconn"), (ASYNC, "async getconn + putconn")):
        for depth in DEPTHS:
            rows.append(_watch_row(environments, conninfo, program, name, depth, rounds))
    with ExitStack() as stack:

        def enter(level: str | None, depth: int, other: str = "nothing") -> Contestant:
            arguments = (conninfo, str(depth), other)
            environ = environments.environ(level)
            return stack.enter_context(Contestant(environments.installed, SYNC, arguments, environ))

        levels = {"off": None, "exit": "exit", "watch": "watch", "trace": "trace"}
        contestants = {name: enter(level, DEPTHS[0]) for name, level in levels.items()}
        deep = {f"{name} deep": enter(level, DEEP) for name, level in (("off", None), ("trace", "trace"))}
        others = {"tracemalloc": enter(None, DEPTHS[0], "tracemalloc")}
        if find_spec("opentelemetry.instrumentation.psycopg") is not None:
            others["opentelemetry"] = enter(None, DEPTHS[0], "opentelemetry")
        bare = interleave({**contestants, **deep, **others}, rounds, "bare")
        select = interleave({**contestants, **others}, rounds, "select")
        fetch = interleave({**contestants, **others}, rounds // 3, "fetch")
        stack_us = interval(interleave({"off deep": deep["off deep"]}, rounds, "stack")["off deep"]).median
    return [*rows, *_other_rows(bare, select, stack_us), *_beside(bare, select, fetch)]


def _watch_row(environments: Environments, conninfo: str, program: str, name: str, depth: int, rounds: int) -> Row:
    with ExitStack() as stack:
        contestants = {
            label: stack.enter_context(
                Contestant(
                    environments.installed, program, (conninfo, str(depth), "nothing"), environments.environ(level)
                )
            )
            for label, level in (("off", None), ("watch", "watch"))
        }
        found = interleave(contestants, rounds, "bare")
    more = differences(found["off"], found["watch"])
    return WATCH.row(f"{name}, `watch`, {depth} frames deep", more, interval(found["off"]).median)


def _other_rows(bare: dict[str, list[float]], select: dict[str, list[float]], stack_us: float) -> list[Row]:
    select_us = interval(select["off"]).median
    share = differences(bare["off"], bare["watch"]).scaled(100 / select_us)
    trace = differences(bare["off deep"], bare["trace deep"])
    of_stack = trace.scaled(100 / stack_us)
    rows = [
        Row(
            "getconn + putconn, `watch`, as a share of a `select 1` on loopback TCP",
            f"≤ {WATCH_LIMIT_OF_SELECT:g} %",
            f"{share.show('%')} of {select_us:.0f} µs",
            at_most(share, WATCH_LIMIT_OF_SELECT),
        ),
        Row(
            f"getconn + putconn, `trace`, {DEEP} frames deep",
            f"≤ {TRACE_LIMIT_OF_EXTRACT_STACK} % of `traceback.extract_stack()` there",
            f"{trace.show('µs')} more: {of_stack.show('%', 1)} of {stack_us:.0f} µs",
            at_most(of_stack, TRACE_LIMIT_OF_EXTRACT_STACK),
        ),
    ]
    for level in ("exit", "trace"):
        found = differences(bare["off"], bare[level])
        rows.append(Row(f"getconn + putconn, `{level}`, {DEPTHS[0]} frames deep", "", f"{found.show('µs')} more", None))
    return rows


def _beside(*orders: dict[str, list[float]]) -> list[Row]:
    rows = []
    for what, answers in zip(_ORDERS, orders, strict=True):
        base = interval(answers["off"]).median
        others = [name for name in ("watch", "trace", "tracemalloc", "opentelemetry") if name in answers]
        ratios = ", ".join(
            f"{_NAMES[name]} {_times(differences(answers['off'], answers[name]), base)}" for name in others
        )
        rows.append(Row(f"beside others: {what}", "", f"off {base:.1f} µs; {ratios}", None))
    return rows


_ORDERS = ("getconn + putconn", "with a `select 1`", "with 1,000 rows fetched")
_NAMES = {
    "watch": "`watch`",
    "trace": "`trace`",
    "tracemalloc": "tracemalloc with 25 frames",
    "opentelemetry": "OpenTelemetry's psycopg instrumentation",
}


def _times(more: Interval, base: float) -> str:
    return f"{1 + more.median / base:.2f} times"
