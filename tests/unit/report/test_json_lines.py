"""One event, one line: strict JSON of at most 4,096 bytes with its newline, whatever is in it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from poolwitness.report.console import ConsoleRenderer
from poolwitness.report.json_lines import LONGEST_LINE, render_json
from poolwitness.report.redact import clean
from tests.support import hostile_values as values


def parsed(line: bytes) -> dict[str, Any]:
    """What a strict reader makes of a line."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({key for key, _ in pairs}) == len(pairs), "a key is there twice"
        return dict(pairs)

    assert len(line) <= LONGEST_LINE
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    found = json.loads(line, parse_constant=refuse, object_pairs_hook=once)
    assert type(found) is dict
    return found


@values.UNHURRIED
@given(values.events)
@example({"message": "\U0001f600" * 2000, "code.stacktrace": "\n" * 2000})
@example({str(number): "x" * 30 for number in range(200)})
@example({"\ud800" * 200 + str(number): 1 for number in range(100)})
@example({"rows": ["\U0001f600" * 2000] * 200})
@example({"deep": {"deeper": ["x" * 2000] * 100}})
def test_any_event_is_one_line(event: dict[str, Any]) -> None:
    cleaned = clean(event)
    before = json.dumps(cleaned)
    line = render_json(cleaned)
    found = parsed(line)
    assert json.dumps(cleaned) == before, "the caller's event was changed"
    if len(before) < 1000:
        assert found == json.loads(before), "what fits is not touched"
    elif found != json.loads(before):
        assert found["poolwitness.truncated"] is True


@values.UNHURRIED
@given(values.events)
def test_rendering_what_was_rendered_changes_nothing(event: dict[str, Any]) -> None:
    line = render_json(clean(event))
    assert render_json(json.loads(line)) == line


@values.UNHURRIED
@given(values.events, st.booleans(), st.sampled_from(["poolwitness.finding", "poolwitness.verdict", "other"]))
def test_any_event_can_be_shown_to_a_person(event: dict[str, Any], colour: bool, name: str) -> None:
    cleaned = clean({**event, "event": name})
    text = ConsoleRenderer(colour)(cleaned).decode("utf-8")
    assert text.endswith("\n")
    plain = text.replace("\x1b[", "") if colour else text
    assert all(letter == "\n" or letter.isprintable() or ord(letter) >= 0xA0 for letter in plain), repr(text)


def envelope(**fields: Any) -> dict[str, Any]:
    """A finding as long as its fields make it."""
    return {
        "timestamp": "2026-01-01T00:00:00.000000Z",
        "level": "warning",
        "event": "poolwitness.finding",
        "message": "pool 'shop' was never closed",
        "logger": "poolwitness",
        "process.pid": 1,
        "poolwitness.schema_version": "1.0",
        "poolwitness.run_id": "0" * 16,
        "poolwitness.seq": 1,
        "poolwitness.rule": "PW001",
        "poolwitness.fingerprint": "f" * 16,
        "code.line.number": 10,
        **fields,
    }


def stacktrace(frames: int) -> str:
    """A stack whose outermost and innermost frames can be told."""
    middle = [f'File "/srv/app/package/module_{number}.py", line {number}, in step' for number in range(frames)]
    return "\n".join(
        ['File "/srv/app/main.py", line 1, in <module>', *middle, 'File "/srv/app/db.py", line 10, in make']
    )


@pytest.mark.parametrize("frames", [3, 30, 300])
def test_a_long_stack_loses_its_middle(frames: int) -> None:
    event = envelope(**{"code.stacktrace": stacktrace(frames)})
    found = parsed(render_json(event))
    rows = found["code.stacktrace"].split("\n")
    assert rows[0].endswith('main.py", line 1, in <module>')
    assert rows[-1].endswith("in make")
    assert {key: found[key] for key in event if key != "code.stacktrace"} == {
        key: value for key, value in event.items() if key != "code.stacktrace"
    }
    assert ("..." in rows) == (found.get("poolwitness.truncated") is True) == (frames > 30)


def test_what_every_reader_needs_is_the_last_to_go() -> None:
    event = envelope(
        **{
            "message": "m" * 2000,
            "poolwitness.fix": "f" * 2000,
            "code.stacktrace": stacktrace(500),
            "poolwitness.pool.threads": ["t" * 300] * 12,
            "code.file.path": "/" + "p" * 1900,
        }
    )
    found = parsed(render_json(event))
    assert found["poolwitness.truncated"] is True
    for key in (
        "timestamp",
        "level",
        "event",
        "logger",
        "process.pid",
        "poolwitness.run_id",
        "poolwitness.seq",
        "poolwitness.rule",
    ):
        assert found[key] == event[key]
    assert found["message"].startswith("m")
    assert found["code.file.path"] == event["code.file.path"]
