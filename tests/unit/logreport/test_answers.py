"""A history that is known gives the answers that are known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("duckdb")

from poolwitness.logreport.answers import Fault, Report
from poolwitness.logreport.renderings.wording import status as cleanness
from poolwitness.logreport.renderings.wording import verdict
from tests.support.log_lines import NOW, Process, day, history
from tests.support.reports import report_of


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return report_of(tmp_path_factory.mktemp("history"), history())


@pytest.fixture
def fault(report: Report) -> Callable[[str], Fault]:
    by_print = {fault.fingerprint: fault for fault in report.faults}
    return by_print.__getitem__


@pytest.mark.parametrize(
    ("fingerprint", "trend"),
    [
        ("worse", "worse"),
        ("new", "new"),
        ("pausing", "back"),
        ("steady", "steady"),
        ("gone", "gone"),
        ("unseen", "unseen"),
        ("slow", "gone"),
    ],
)
def test_each_fault_has_its_trend(fault: Callable[[str], Fault], fingerprint: str, trend: str) -> None:
    assert fault(fingerprint).trend == trend


def test_which_lines_leak_most_in_how_many_processes_since_when(report: Report) -> None:
    leaks = [(fault.fingerprint, fault.findings, fault.processes) for fault in report.leaks]
    assert leaks == [("worse", 4, 3), ("new", 3, 2), ("pausing", 2, 2), ("steady", 2, 2), ("unseen", 1, 1)]
    assert report.leaks[0].first_at == int(day(13) * 1e6)
    assert (report.leaks[0].file, report.leaks[0].line, report.leaks[0].function) == ("/app/shop/db.py", 10, "sell")
    assert report.leaks[0].places == 2


def test_which_got_worse_since_last_week(report: Report) -> None:
    assert [fault.fingerprint for fault in report.worse] == ["new", "worse", "pausing"]
    worse = report.worse[1]
    assert (worse.findings_now, worse.findings_before) == (3, 1)
    assert (worse.processes_now, worse.ran_now, worse.processes_before, worse.ran_before) == (2, 2, 1, 2)


def test_which_were_resolved(report: Report) -> None:
    assert [fault.fingerprint for fault in report.resolved] == ["gone", "slow"]
    assert report.resolved[1].came_back == 1


def test_totals(report: Report) -> None:
    totals = report.totals
    assert (totals.processes, totals.pools_opened, totals.findings, totals.faults) == (5, 5, 16, 7)
    assert (totals.verdicts, totals.processes_with_findings) == (4, 5)
    assert (totals.first_at, totals.last_at) == (int(day(20) * 1e6), int(NOW * 1e6))


def test_the_verdict_names_the_worst_line(report: Report) -> None:
    assert cleanness(report) == "findings"
    assert verdict(report) == (
        "5 faults in 5 of 5 processes; 5 lines of code leak; most of all /app/shop/db.py:10 in sell (2 lines) "
        "(PW101 connection-lost); 3 new or worse since last week; 2 resolved"
    )


def test_one_week_alone_compares_with_nothing(tmp_path: Path) -> None:
    process = Process("aaaa")
    report = report_of(tmp_path, process.opened() + process.found("PW001", "f"))
    assert [fault.trend for fault in report.faults] == ["uncompared"]
    assert report.worse == []


def test_more_processes_alone_are_not_worse(tmp_path: Path) -> None:
    content = b""
    for name, days_ago in (("a", 10), ("b", 1), ("c", 1), ("d", 1), ("e", 1)):
        process = Process(name, at=day(days_ago))
        content += process.opened() + process.found("PW001", "f")
    content += Process("now").opened()
    assert [fault.trend for fault in report_of(tmp_path, content).faults] == ["steady"]


def test_a_clock_that_is_ahead_does_not_move_the_week(tmp_path: Path) -> None:
    ahead = Process("ahead", at=NOW + 40 * 365 * 86_400)
    report = report_of(tmp_path, history() + ahead.opened())
    assert {fault.trend for fault in report.faults} == {"worse", "new", "back", "steady", "gone", "unseen"}


def test_nothing_and_nothing_found(tmp_path: Path) -> None:
    nothing = report_of(tmp_path, b"hello\n")
    assert (cleanness(nothing), verdict(nothing)) == ("nothing", "nothing of poolwitness in 1 line of 1 file")
    process = Process("a")
    clean = report_of(tmp_path, process.opened() + process.closed() + process.verdict())
    assert (cleanness(clean), verdict(clean)) == ("clean", "clean: nothing found in 1 process that opened 1 pool")


def test_the_timeline_shows_the_most_of_each_moment(tmp_path: Path) -> None:
    lines = []
    first, second = Process("a", at=day(10)), Process("b", at=day(5))
    lines += [first.opened(1), first.opened(2, poolwitness__pool__num_workers=2)]
    lines.append(second.opened(1, poolwitness__pool__class="psycopg_pool.AsyncConnectionPool"))
    first.at = day(4)
    lines.append(first.closed(1, poolwitness__peak_in_use=9))
    second.at = day(1)
    lines.append(second.found("PW002", "f"))
    first.at = day(0)
    lines.append(first.verdict())
    timeline = report_of(tmp_path, b"".join(lines)).timeline
    assert len(timeline) == 96
    shown = [(step["pools"], step["connections"], step["threads"]) for step in timeline]
    assert shown[0] == (2, 13, 7)
    assert shown[50] == (3, 17, 7)
    assert shown[70] == (2, 8, 3)
    assert shown[95] == (1, 4, 3)
    assert [number for number, step in enumerate(timeline) if step["findings"]] == [86]


def test_what_the_agent_held_back_counts_too(tmp_path: Path) -> None:
    process = Process("a")
    content = process.found("PW001", "f") + process.found("PW001", "f", poolwitness__held_back=40)
    more = process.found("PW001", "f", event="poolwitness.finding.held_back", poolwitness__held_back=8)
    report = report_of(tmp_path, content + more)
    assert report.totals.findings == report.faults[0].findings == 50
    assert sum(step["findings"] for step in report.timeline) == 50
