"""Mask in the agent's lines whatever differs between two runs of the same program, and put them in a fixed order."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

Line = dict[str, Any]

AGENT_FRAMES = "golden.agent_frames"
UNREADABLE = "golden.unreadable"
_PACKAGE = "poolwitness"

# Whole fields. Settings are configuration, not measurements.
_MASKED = {
    "timestamp": "<time>",
    "poolwitness.run_id": "<id>",
    "poolwitness.seq": "<n>",
    "poolwitness.report_id": "<id>",
    "poolwitness.pool.id": "<id>",
    "poolwitness.checkout.id": "<id>",
    "poolwitness.setting.output": "<output>",
    "poolwitness.begun_at": "<time>",
    "poolwitness.last_seen_at": "<time>",
    "poolwitness.backend_pid": "<pid>",
    "server.port": "<port>",
}
_EXACT = ("poolwitness.setting.", "poolwitness.expected_exit_delay_s")
_DURATION = re.compile(r"(_s|_ms|_seconds)$")
_PID = re.compile(r"(^|[._])pid$")

_NUMBER = r"\d+(?:[.,]\d+)*"
_UNITS = r"(?:µs|ms|s|sec|secs|seconds?|min|minutes?|h|hours?|days?)"
_TEXT = (
    # What a program makes for itself with the module tempfile.
    (re.compile(re.escape(tempfile.gettempdir()) + r"/tmp[a-z0-9_]{8}\b"), "<tmp>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?"), "<time>"),
    (re.compile(r"\b\d\d:\d\d:\d\d(\.\d+)?\b"), "<time>"),
    (re.compile(r"0x[0-9a-fA-F]+"), "<address>"),
    (re.compile(r"\b(pid|PID|process|ppid|child|parent)([ =:]+)\d+\b"), r"\1\2<pid>"),
    (re.compile(r"\b(tid|native_id|ident|thread id)([ =:]+)\d+\b"), r"\1\2<tid>"),
    # Numbers that threads, tasks and processes get in the order in which they are made.
    (re.compile(r"\b(Thread|Task|Process|ThreadPoolExecutor|asyncio)([-_])\d+(_\d+)?"), r"\1\2<n>"),
    (re.compile(r"(-worker-)\d+\b"), r"\1<n>"),
    (re.compile(r"\bswitches=\d+\+\d+"), "switches=<n>"),
    (re.compile(r"\bcpu=" + _NUMBER + r"s"), "cpu=<s>"),
    (re.compile(r"\b(tid=<tid>) [a-z-]+ "), r"\1 <state> "),
    (re.compile(r"\b(port[ =:]+)\d+\b"), r"\1<port>"),
    (re.compile(r"(127\.0\.0\.1|\blocalhost|::1\]?)([:,] ?)\d+\b"), r"\1\2<port>"),
    (re.compile(r"(?<![\w.])" + _NUMBER + r" ?" + _UNITS + r"\b"), "<duration>"),
)
_FRAME = re.compile(r'File "<site>/' + _PACKAGE + r"/")


class Masker:
    """Masks the lines of one run.

    Args:
        folders: names for the folders whose paths occur in the lines.
        pid: of the program; any other process is one that it started.
    """

    def __init__(self, folders: Mapping[Path, str], pid: int) -> None:
        # The longest path first, so that a folder inside another one keeps its own name.
        self._folders = sorted(((str(path), name) for path, name in folders.items()), key=lambda each: -len(each[0]))
        self._pid = pid

    def mask(self, raw: Iterable[str]) -> list[Line]:
        """Mask lines and put them in order: the program's own, then those of all processes that it started."""
        processes: dict[object, list[Line]] = {self._pid: []}
        for text in raw:
            line = self._line(text)
            processes.setdefault(line.pop("process.pid", self._pid), []).append(line)
        own = in_order(processes.pop(self._pid))
        others = in_order([line for lines in processes.values() for line in lines])
        return [{"process": process, **line} for process, lines in (("main", own), ("child", others)) for line in lines]

    def _line(self, text: str) -> Line:
        try:
            line = json.loads(text)
        except ValueError:
            line = None
        if not isinstance(line, dict):
            return {"event": UNREADABLE, "message": self.text(text)}
        masked: Line = {}
        with_agent: list[str] = []
        for key, value in line.items():
            masked[key] = value if key == "process.pid" else self._field(key, value)
            if key.endswith("stacktrace") and isinstance(value, str):
                masked[key], found = _without_agent(masked[key])
                with_agent += [key] if found else []
        if with_agent:
            masked[AGENT_FRAMES] = sorted(with_agent)
        return masked

    def _field(self, key: str, value: Any) -> Any:
        if key in _MASKED:
            return _MASKED[key]
        if key == "poolwitness.hooks" and isinstance(value, list):
            return sorted(value)
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            return self._value(value)
        if _PID.search(key):
            return "<main>" if value == self._pid else "<pid>"
        if _DURATION.search(key) and not key.startswith(_EXACT):
            return f"<{type(value).__name__}>"
        return value

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self._value(each) for each in value]
        return value

    def text(self, text: str) -> str:
        """Mask a text."""
        for path, name in self._folders:
            text = text.replace(path, name)
        for pattern, replacement in _TEXT:
            text = pattern.sub(replacement, text)
        return text


def _without_agent(stack: str) -> tuple[str, bool]:
    """A stack without the agent's frames, and whether it had any."""
    lines = stack.splitlines()
    kept = [line for line in lines if not _FRAME.search(line)]
    return "\n".join(kept), len(kept) < len(lines)


def in_order(lines: Sequence[Line]) -> list[Line]:
    """Lines by event, rule and text."""
    return sorted(lines, key=lambda line: (str(line.get("event")), str(line.get("poolwitness.rule")), _spelled(line)))


def _spelled(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
