"""Check what many processes wrote: each line whole, of one process, in its order, and none missing but those said to be lost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zlib import crc32

from tests.support.programs import LINE_BYTES, is_ours
from tests.support.validation import validate


@dataclass
class Told:
    """What has been read of one process.

    Attributes:
        checksum: over its lines, to the byte and in their order.
    """

    pid: int
    seq: int = 0
    read: int = 0
    missing: int = 0
    checksum: int = 0
    said_lost: int = -1


@dataclass
class Reader:
    """Takes lines in the order in which they arrived.

    Attributes:
        by_run: what was read, by ``poolwitness.run_id``.
        own: lines of the application's own, by pid.
        sizes: how many lines were of each length, in steps of 256 bytes; the longest is counted by itself.
    """

    by_run: dict[str, Told] = field(default_factory=dict)
    own: Counter[int] = field(default_factory=Counter)
    sizes: Counter[int] = field(default_factory=Counter)
    longest: int = 0
    _seen: set[tuple[str, ...]] = field(default_factory=set)

    def read(self, lines: Iterable[bytes]) -> None:
        """Check each line.

        Raises:
            AssertionError: one is broken, mixed, or out of order.
        """
        for line in lines:
            if is_ours(line):
                self._ours(line)
            else:
                self._own(line)

    def _ours(self, line: bytes) -> None:
        assert line.endswith(b"\n") and len(line) <= LINE_BYTES, line
        self.sizes[len(line) // 256 * 256] += 1
        self.longest = max(self.longest, len(line))
        event = json.loads(line, parse_constant=_refuse, object_pairs_hook=_once)
        told = self.by_run.setdefault(event["poolwitness.run_id"], Told(event["process.pid"]))
        assert told.pid == event["process.pid"], line
        assert told.said_lost < 0, f"after the verdict: {line!r}"
        told.missing += event["poolwitness.seq"] - told.seq - 1
        assert event["poolwitness.seq"] > told.seq, f"{told.seq} was there before: {line!r}"
        told.seq = event["poolwitness.seq"]
        told.read += 1
        told.checksum = crc32(line, told.checksum)
        if event["event"] == "poolwitness.verdict":
            told.said_lost = event["poolwitness.lines_lost"]
        # To validate takes a hundred times as long as to read: each combination of fields, and a sample of all lines.
        shape = tuple(event)
        if shape not in self._seen or told.read % 1000 == 1:
            self._seen.add(shape)
            validate(event)

    def _own(self, line: bytes) -> None:
        words = line.split()
        assert len(words) in (6, 7) and words[0] == b"shop" and line.endswith(b"\n"), line
        pid, number = int(words[1]), int(words[2])
        assert words[3:6] == b"took an order".split() and words[6:] == [b"x" * (number % 900)] * bool(number % 900), (
            line
        )
        self.own[pid] += 1
        assert self.own[pid] == number, line

    def compare(self, accounts: Path) -> dict[str, Any]:
        """Hold what was read against what each writer counted; the figures of all together.

        Raises:
            AssertionError: a line is missing of which its writer does not say that it was lost, or has other bytes.
        """
        counted = {path.stem: json.loads(path.read_text()) for path in accounts.glob("*.json")}
        assert self.by_run.keys() == counted.keys()
        for run, account in counted.items():
            told = self.by_run[run]
            assert told.pid == account["pid"]
            assert told.read == account["written"]
            assert told.missing == told.said_lost == account["lost"], f"{told} {account}"
            assert told.checksum == account["checksum"], f"other bytes than were written: {told}"
            assert self.own[told.pid] == account["own"]
        return {
            "processes": len(counted),
            "lines": sum(told.read for told in self.by_run.values()),
            "lost": sum(told.missing for told in self.by_run.values()),
            "own": sum(self.own.values()),
            "longest": self.longest,
            "slowest_s": round(max(account["slowest_s"] for account in counted.values()), 3),
        }


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    assert len(found) == len(pairs), f"a key is there twice: {pairs}"
    return found
