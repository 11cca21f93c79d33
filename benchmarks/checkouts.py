"""What the agent adds to taking and returning a connection, beside a query and beside other observers."""

from __future__ import annotations

from contextlib import ExitStack
from importlib.util import find_spec

from benchmarks.contest import Contestant, interleave
from benchmarks.environments import Environments
from benchmarks.results import Budget, Row, at_most
from benchmarks.samples import Interval, differences, interval

# Set on a machine on which getconn and putconn take 2.3 µs.
WATCH = Budget(1.0, 2.3, "µs")
WATCH_LIMIT_OF_SELECT = 1.5  # percent
TRACE_LIMIT_OF_EXTRACT_STACK = 10  # percent
DEEP = 60
SHALLOW = 5


def measure(environments: Environments, conninfo: str, rounds: int = 150) -> list[Row]:
    """Run the same cycle in several processes in turn, one for each level and each other observer.

    Args:
        environments: the interpreters.
        conninfo: a server, by TCP.
        rounds: how many turns of each.
    """
    with ExitStack() as stack:

        def enter(level: str | None, depth: int, other: str = "nothing") -> Contestant:
            arguments = (conninfo, str(depth), other)
            environ = environments.environ(level)
            return stack.enter_context(Contestant(environments.installed, "take_and_return.py", arguments, environ))

        levels = {"off": None, "exit": "exit", "watch": "watch", "trace": "trace"}
        contestants = {name: enter(level, SHALLOW) for name, level in levels.items()}
        deep = {f"{name} deep": enter(level, DEEP) for name, level in levels.items()}
        others = {"tracemalloc": enter(None, SHALLOW, "tracemalloc")}
        if find_spec("opentelemetry.instrumentation.psycopg") is not None:
            others["opentelemetry"] = enter(None, SHALLOW, "opentelemetry")
        bare = interleave({**contestants, **deep, **others}, rounds, "bare")
        select = interleave({**contestants, **others}, rounds, "select")
        fetch = interleave({**contestants, **others}, rounds // 3, "fetch")
        stack_us = interval(interleave({"off deep": deep["off deep"]}, rounds, "stack")["off deep"]).median
    return [*_budgets(bare, select, stack_us), *_beside(bare, select, fetch)]


def _budgets(bare: dict[str, list[float]], select: dict[str, list[float]], stack_us: float) -> list[Row]:
    watch = differences(bare["off"], bare["watch"])
    select_us = interval(select["off"]).median
    share = watch.scaled(100 / select_us)
    trace = differences(bare["off deep"], bare["trace deep"])
    of_stack = trace.scaled(100 / stack_us)
    base = interval(bare["off"]).median
    rows = [
        Row("getconn + putconn, `watch`", WATCH.text, WATCH.show(watch, base), WATCH.holds(watch, base)),
        Row(
            "getconn + putconn, `watch`, as a share of a `select 1` on loopback TCP",
            f"≤ {WATCH_LIMIT_OF_SELECT} %",
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
    for what, found in (
        ("`exit`", differences(bare["off"], bare["exit"])),
        ("`trace`, 5 frames deep", differences(bare["off"], bare["trace"])),
        (f"`watch`, {DEEP} frames deep", differences(bare["off deep"], bare["watch deep"])),
    ):
        rows.append(Row(f"getconn + putconn, {what}", "", f"{found.show('µs')} more", None))
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
