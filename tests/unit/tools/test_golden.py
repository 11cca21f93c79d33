"""The tool that records the agent's lines masks what differs between two runs, and nothing else."""

from __future__ import annotations

import json
import signal
import tempfile
from pathlib import Path

import pytest

from tools.golden.masking import AGENT_FRAMES, UNREADABLE, Line, Masker
from tools.golden.records import TEXT_FIELDS, Outcome, Record, compare, read, unstable_fields
from tools.golden.scenarios import find_scenarios

FOLDERS = {Path("/srv/venv"): "<venv>", Path("/srv/venv/lib/site-packages"): "<site>", Path("/tmp/golden-1"): "<copy>"}


def _mask(*lines: Line) -> list[Line]:
    return Masker(FOLDERS, pid=100).mask(json.dumps({"process.pid": 100, "event": "e", **line}) for line in lines)


@pytest.mark.parametrize(
    ("key", "value", "masked"),
    [
        ("timestamp", "2026-11-22T16:54:00.123456Z", "<time>"),
        ("poolwitness.seq", 7, "<n>"),
        ("poolwitness.run_id", "9f86d081884c7d65", "<id>"),
        ("poolwitness.held_s", 0.25, "<float>"),
        ("poolwitness.stats.usage_ms", 3, "<int>"),
        ("poolwitness.opened_pid", 100, "<main>"),
        ("poolwitness.opened_pid", 101, "<pid>"),
        ("server.port", 5432, "<port>"),
        ("poolwitness.hooks", ["b", "a"], ["a", "b"]),
        ("code.file.path", "/tmp/golden-1/tests/x.py", "<copy>/tests/x.py"),
        ("code.file.path", "/srv/venv/lib/site-packages/psycopg/x.py", "<site>/psycopg/x.py"),
        ("code.file.path", "/srv/venv/bin/x.py", "<venv>/bin/x.py"),
    ],
)
def test_masked_field(key: str, value: object, masked: object) -> None:
    """What differs between two runs gets a name."""
    assert _mask({key: value})[0][key] == masked


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("poolwitness.setting.held_s", 0.3),
        ("poolwitness.expected_exit_delay_s", 10.0),
        ("poolwitness.fingerprint", "5e273aa5a9a315d1"),
        ("poolwitness.slots_out", 2),
        ("code.line.number", 14),
        ("poolwitness.holder_alive", True),
        ("db.client.connection.pool.name", "pool-1"),
    ],
)
def test_kept_field(key: str, value: object) -> None:
    """What is the same in every run stays."""
    assert _mask({key: value})[0][key] == value


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("held for 0.3 s, taken at shop.py:14", "held for <duration>, taken at shop.py:14"),
        ("waited 12 ms and 3 minutes", "waited <duration> and <duration>"),
        ("opened in process 4711", "opened in process <pid>"),
        ("in its child (pid 4711)", "in its child (pid <pid>)"),
        ("<Pool object at 0x7f00aa>", "<Pool object at <address>>"),
        ('server at "127.0.0.1", port 40123 failed', 'server at "127.0.0.1", port <port> failed'),
        (f"no {tempfile.gettempdir()}/tmpab_12cde/x", "no <tmp>/x"),
        ("by thread 'Thread-12 (order)'", "by thread 'Thread-<n> (order)'"),
        ("task 'Task-9' of pool 'pool-1'", "task 'Task-<n>' of pool 'pool-1'"),
        ("127.0.0.1:40123", "127.0.0.1:<port>"),
        (
            "pool-1-worker-0 worker alive tid=47 sleeping cpu=0.01s switches=4+0 at get (_acompat.py:63)",
            "pool-1-worker-<n> worker alive tid=<tid> <state> cpu=<s> switches=<n> at get (_acompat.py:63)",
        ),
        ("2 of 4 connections out, max_size (1)", "2 of 4 connections out, max_size (1)"),
        ("python 3.13.1, psycopg_pool 3.3.3", "python 3.13.1, psycopg_pool 3.3.3"),
    ],
)
def test_text(text: str, masked: str) -> None:
    """Ages, process ids, thread ids, addresses and ports are masked in texts; counts, lines and versions are not."""
    assert _mask({"message": text})[0]["message"] == masked


def test_agent_frames() -> None:
    """A frame of the agent is taken out of a stack, and its field is named."""
    own, other = (
        'File "/srv/app.py", line 3, in main',
        'File "/srv/venv/lib/site-packages/poolwitness/x.py", line 1, in f',
    )
    with_agent, without = _mask({"code.stacktrace": f"{own}\n{other}"}, {"code.stacktrace": own, "event": "f"})
    assert with_agent["code.stacktrace"] == without["code.stacktrace"] == own
    assert with_agent[AGENT_FRAMES] == ["code.stacktrace"]
    assert AGENT_FRAMES not in without


def test_order() -> None:
    """The program's own lines come first; neither the order of lines nor that of its children matters."""
    lines: list[Line] = [
        {"event": "b"},
        {"event": "a"},
        {"process.pid": 102, "event": "z"},
        {"process.pid": 101, "event": "y"},
    ]
    expected = [("main", "a"), ("main", "b"), ("child", "y"), ("child", "z")]
    for order in (lines, lines[::-1]):
        assert [(line["process"], line["event"]) for line in _mask(*order)] == expected


def test_unreadable_line() -> None:
    """A line that is not JSON is recorded too."""
    (line,) = Masker({}, 100).mask(["poolwitness: disabled after 0.5 s"])
    assert line == {"process": "main", "event": UNREADABLE, "message": "poolwitness: disabled after <duration>"}


def _record(**scenarios: list[list[Line]]) -> Record:
    record = Record({"python": "3.13.1"})
    for scenario, outcomes in scenarios.items():
        for lines in outcomes:
            record.add(scenario, Outcome(0, [{"process": "main", "event": "e", **line} for line in lines]))
    return record


def test_compare() -> None:
    """An outcome that the first record never had is a difference; a scenario may be missing, or new."""
    first = _record(same=[[{"x": 1}], [{"x": 1, "y": 2}]], changed=[[{"x": 1}]], gone=[[]])
    second = _record(same=[[{"x": 1}]], changed=[[{"x": 2}]], born=[[]])
    result = compare(first, second)
    assert (result.same, list(result.different), result.missing, result.added) == (
        ["same"],
        ["changed"],
        ["gone"],
        ["born"],
    )
    assert result.different["changed"][-2:] == ["-  x: 1", "+  x: 2"]


def test_compare_unstable() -> None:
    """A field that varied in the first record is not compared in that scenario; the others are."""
    first = _record(queue=[[{"x": 1, "y": 1}], [{"x": 2, "y": 1}]])
    assert unstable_fields(first.outcomes["queue"]) == {("e", "x")}
    assert compare(first, _record(queue=[[{"x": 3, "y": 1}]])).unstable == ["queue"]
    assert list(compare(first, _record(queue=[[{"x": 1, "y": 2}]])).different) == ["queue"]


def test_compare_other_numbers_of_lines() -> None:
    """Where the number of lines varied, as of processes that may get nothing to do, each line must be a known one."""
    idle, busy = {"event": "verdict", "x": 0}, {"event": "verdict", "x": 1}
    first = _record(pool=[[busy], [busy, busy, idle]])
    assert compare(first, _record(pool=[[busy, idle, idle]])).unstable == ["pool"]
    assert list(compare(first, _record(pool=[[{"event": "finding"}, busy]])).different) == ["pool"]


def test_compare_timed() -> None:
    """A figure that depends on the machine may differ, or be absent once; it may not disappear."""
    first = _record(a=[[{"poolwitness.peak_in_use": 1}]], b=[[{"poolwitness.peak_in_use": 2}]])
    assert compare(first, _record(a=[[{"poolwitness.peak_in_use": 3}]], b=[[{}]])).equal
    result = compare(first, _record(a=[[{}]], b=[[{}]]))
    assert (result.same, result.lost, result.equal) == (["a", "b"], ["e poolwitness.peak_in_use"], False)
    assert list(compare(first, _record(a=[[{}]]), timed=()).different) == ["a"]


def test_compare_without_text() -> None:
    """Sentences and stacks can be left out, also where their order decides that of the lines."""
    first = _record(a=[[{"message": "b", "x": 1}, {"message": "c", "x": 2, "code.stacktrace": "s"}]])
    second = _record(a=[[{"message": "z", "x": 1}, {"message": "y", "x": 2, "poolwitness.fix": "f"}]])
    assert compare(first, second, TEXT_FIELDS).same == ["a"]
    assert list(compare(first, second).different) == ["a"]


def test_written_and_read(tmp_path: Path) -> None:
    """A record in a file is the same record; equal outcomes are kept once."""
    record = _record(a=[[{"x": 1}], [{"x": 1}], [{"x": "é"}]])
    assert len(record.outcomes["a"]) == 2
    record.write(tmp_path / "record.jsonl")
    assert read(tmp_path / "record.jsonl") == record


def test_scenarios(tmp_path: Path) -> None:
    """A scenario is a program with a head, alone or in a folder of its own; its helpers are none."""
    folder = tmp_path / "shop" / "sells"
    (folder / "site-packages").mkdir(parents=True)
    head = (
        '"""It sells.\n\nexpect: 2 x PW003 at made\nargv: --limit 2\nenv: A=b=c\nsignal: SIGINT\nonly: pool>=3.2\n"""\n'
    )
    (folder / "sells.py").write_text(head)
    (folder / "helper.py").write_text('"""It helps."""\n')
    (tmp_path / "shop" / "buys.py").write_text('"""It buys.\n\nexpect: clean\n"""\n')
    buys, sells = find_scenarios(tmp_path)
    assert (buys.id, buys.program, buys.delays, buys.argv) == ("shop/buys", tmp_path / "shop" / "buys.py", 0, ())
    assert (sells.id, sells.argv, dict(sells.env)) == ("shop/sells", ("--limit", "2"), {"A": "b=c"})
    assert (sells.signal, sells.delays, sells.import_path) == (signal.SIGINT, 2, (folder / "site-packages",))
    assert sells.runs_on({"python": "3.13.1", "pool": "3.3"})
    assert not sells.runs_on({"python": "3.13.1", "pool": "3.1.9"})
