"""Reading what the processes of ``run --check`` left, however they ended."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from poolwitness.cli.run.agent_output import read_agent_output as read
from poolwitness.cli.run.check import summary
from poolwitness.cli.run.supervisor import ChildExit as Ended


def told(event: str, **fields: Any) -> str:
    """A line as the agent writes it."""
    names = {key.replace("__", "."): value for key, value in fields.items()}
    return json.dumps({"event": f"poolwitness.{event}", **names}) + "\n"


def finding(event: str = "finding", fingerprint: str = "0123456789abcdef", pool: int = 1) -> str:
    """A finding of PW103, or what took it back."""
    return told(
        event,
        process__pid=11,
        poolwitness__rule="PW103",
        poolwitness__rule_name="connection-held-long",
        poolwitness__fingerprint=fingerprint,
        poolwitness__pool__id=pool,
        code__file__path="/srv/shop.py",
        code__line__number=8,
    )


def test_a_suspicion_that_came_back_does_not_count(tmp_path: Path) -> None:
    back = finding("finding.resolved")
    (tmp_path / "11.jsonl").write_text(finding() + back)
    assert read(tmp_path).findings == []
    (tmp_path / "11.jsonl").write_text(finding() + finding() + back)
    assert len(read(tmp_path).findings) == 1
    for other in (finding(pool=2), finding(fingerprint="f" * 16)):
        (tmp_path / "11.jsonl").write_text(other + back)
        assert len(read(tmp_path).findings) == 1
    (tmp_path / "11.jsonl").write_text(finding() + back + finding())
    assert len(read(tmp_path).findings) == 1


def test_one_process_does_not_take_back_anothers(tmp_path: Path) -> None:
    (tmp_path / "11.jsonl").write_text(finding())
    (tmp_path / "12.jsonl").write_text(finding("finding.resolved"))
    assert len(read(tmp_path).findings) == 1


def test_torn_and_foreign_lines_are_counted_and_passed_over(tmp_path: Path) -> None:
    whole = finding().encode()
    nested = b'{"event":' + b"[" * 100_000 + b"\n"
    (tmp_path / "11.jsonl").write_bytes(
        b"\xff\xfe\n\n[1]\n12\n" + nested + whole + b'{"event": "poolwitness.verdict"}\n' + whole[:60]
    )
    (tmp_path / "notes.txt").write_bytes(whole)
    (tmp_path / "13.jsonl").mkdir()
    evidence = read(tmp_path)
    assert len(evidence.findings) == 1
    assert evidence.verdict_at == {11: 0.0}
    assert evidence.unreadable == 6
    sentences = summary(evidence, Ended(11, 0, time.time()), 23)
    assert sentences[-1] == "6 lines could not be read and did not count."


def test_every_cut_of_a_file_can_be_read(tmp_path: Path) -> None:
    verdict = told("verdict", process__pid=11, timestamp="2026-11-22T17:17:33.513021Z")
    text = (finding() + verdict).encode()
    for length in range(len(text) + 1):
        (tmp_path / "11.jsonl").write_bytes(text[:length])
        evidence = read(tmp_path)
        assert len(evidence.findings) == (length >= len(finding()) - 1)
        assert evidence.unreadable == (0 < length < len(finding()) - 1) + (len(finding()) < length < len(text) - 1)
    assert evidence.verdict_at == {11: pytest.approx(1795367853.513021)}


@pytest.mark.parametrize("timestamp", [None, 12, "", "yesterday", [], "2026-13-01T00:00:00Z"])
def test_a_verdict_without_a_usable_time(tmp_path: Path, timestamp: object) -> None:
    (tmp_path / "11.jsonl").write_text(told("verdict", process__pid=11, timestamp=timestamp))
    sentences = summary(read(tmp_path), Ended(11, 0, time.time()), 0)
    assert sentences == [
        "no findings; status 0.",
        "when the verdict was taken is not known, so neither is what the exit took.",
    ]


def test_findings_of_a_line_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "11.jsonl").write_text(finding() * 3)
    sentences = summary(read(tmp_path), Ended(11, 0, 0.0), 23)
    assert sentences[:2] == [
        "3 findings; status 23.",
        "  PW103 connection-held-long  /srv/shop.py:8  (3 times)",
    ]


def test_a_finding_without_a_line(tmp_path: Path) -> None:
    (tmp_path / "11.jsonl").write_text(told("finding", poolwitness__rule="PW501"))
    evidence = read(tmp_path)
    assert evidence.pids == {11}
    assert "no line known" in summary(evidence, Ended(11, 0, 0.0), 23)[1]
