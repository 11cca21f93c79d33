"""Lines as the agent writes them, made by its own renderer."""

from __future__ import annotations

import calendar
import itertools
import time
from dataclasses import dataclass, field
from typing import Any

from poolwitness.report.json_lines import render_json
from poolwitness.report.pipeline import timestamp

NOW = calendar.timegm((2026, 6, 30, 12, 0, 0))
DAY = 86_400.0


@dataclass
class Process:
    """One process that writes: its run, its number, and where it has got to."""

    run_id: str
    pid: int = 7
    at: float = NOW
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def line(self, event: str, **more: Any) -> bytes:
        """One line; underscores twice in a name stand for a dot."""
        fields = {name.replace("__", "."): value for name, value in more.items()}
        return render_json(
            {
                "timestamp": timestamp(self.at),
                "level": fields.pop("level", "info"),
                "event": event,
                "message": fields.pop("message", "a sentence"),
                "logger": "poolwitness",
                "process.pid": self.pid,
                "poolwitness.schema_version": "1.0",
                "poolwitness.run_id": self.run_id,
                "poolwitness.seq": next(self.numbers),
                **fields,
            }
        )

    def opened(self, pool_id: int = 1, file: str = "/app/shop/db.py", **more: Any) -> bytes:
        """A pool was opened."""
        return self.line("poolwitness.pool.opened", **{**pool(pool_id, file), **more})

    def closed(self, pool_id: int = 1, file: str = "/app/shop/db.py", **more: Any) -> bytes:
        """A pool was closed."""
        return self.line("poolwitness.pool.closed", **{**pool(pool_id, file), **more})

    def found(self, rule: str, fingerprint: str, line: int = 5, file: str = "/app/shop/db.py", **more: Any) -> bytes:
        """A finding."""
        names = {"PW001": "pool-never-closed", "PW101": "connection-lost", "PW103": "connection-held-long"}
        fields = {
            **pool(1, file),
            "level": "warning",
            "message": f"{rule} happened",
            "poolwitness.rule": rule,
            "poolwitness.rule_name": names.get(rule, "some-rule"),
            "poolwitness.confidence": "proven",
            "poolwitness.fix": "mend it",
            "poolwitness.fingerprint": fingerprint,
            "code.file.path": file,
            "code.line.number": line,
            "code.function.name": "sell",
            "code.stacktrace": f'File "{file}", line {line}, in sell',
        }
        return self.line(str(more.pop("event", "poolwitness.finding")), **{**fields, **more})

    def verdict(self, found: int = 0) -> bytes:
        """The last line."""
        return self.line(
            "poolwitness.verdict",
            **{"poolwitness.verdict": "findings" if found else "clean", "poolwitness.findings": found},
        )


def pool(pool_id: int, file: str) -> dict[str, Any]:
    """What every event about a pool has."""
    return {
        "db.client.connection.pool.name": f"pool-{pool_id}",
        "poolwitness.pool.id": pool_id,
        "poolwitness.pool.class": "psycopg_pool.ConnectionPool",
        "poolwitness.pool.min_size": 4,
        "poolwitness.pool.created_at": f"{file}:5",
        "db.namespace": "shop",
    }


def day(days_ago: float) -> float:
    """A moment, so many days before the newest."""
    return NOW - days_ago * DAY


def history() -> bytes:
    """Three weeks of a shop: one fault that got worse, one new, one gone, one steady, one that came back by itself."""
    lines = []
    for days_ago, name, found in (
        (20, "old", ["PW001 gone", "PW101 pausing"]),
        (13, "before-1", ["PW001 gone", "PW101 worse", "PW001 steady", "PW103 slow", "PW001 unseen"]),
        (12, "before-2", ["PW001 gone"]),
        (2, "now-1", ["PW101 worse", "PW101 worse", "PW101 new", "PW001 steady", "PW101 pausing"]),
        (0, "now-2", ["PW101 worse", "PW101 new", "PW101 new"]),
    ):
        process = Process(name, at=day(days_ago))
        lines.append(process.opened(file="/app/shop/db.py"))
        for number, words in enumerate(found):
            rule, fingerprint = words.split()
            file = "/app/shop/removed.py" if fingerprint == "unseen" else "/app/shop/db.py"
            lines.append(process.found(rule, fingerprint, line=10 + number, file=file))
        if name == "before-1":
            lines.append(process.line("poolwitness.finding.resolved", **{"poolwitness.fingerprint": "slow"}))
        if name != "now-2":
            lines.append(process.verdict(len(found)))
    return b"".join(lines)


assert time.time() > NOW, "clocks that are ahead are passed over"
