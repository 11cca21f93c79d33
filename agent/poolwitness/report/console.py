"""Renders events for people at a terminal: the sentence and the line of code first, the rule last."""

from __future__ import annotations

import linecache
from typing import Any

from poolwitness.model.wording import short_path
from poolwitness.report.redact import clean_text, mask_source

_RESET = "\x1b[0m"
_STYLES = {
    "error": "\x1b[1;31m",
    "warning": "\x1b[1;33m",
    "info": "\x1b[32m",
    "dim": "\x1b[2m",
    "bold": "\x1b[1m",
    "fix": "\x1b[36m",
}
_WORDS = {"error": "ERROR", "warning": "WARNING", "info": "ok"}


class ConsoleRenderer:
    """Renders events as text, with or without ANSI colours."""

    def __init__(self, colour: bool) -> None:
        self.colour = colour

    def __call__(self, event: dict[str, Any]) -> bytes:
        """One event as a block of lines, UTF-8, ready to write."""
        name = event.get("event", "")
        if name == "poolwitness.finding":
            text = self._finding(event)
        elif name == "poolwitness.verdict":
            text = self._verdict(event)
        else:
            level = str(event.get("level", "info"))
            style = level if level != "info" else "dim"
            text = self._paint(style, f"poolwitness: {clean_text(str(event.get('message', '')))}") + "\n"
        return text.encode("utf-8", "replace")

    def _finding(self, event: dict[str, Any]) -> str:
        level = str(event.get("level", "warning"))
        message = clean_text(str(event.get("message", "")))
        lines = [f"{self._paint(level, message[:1].upper() + message[1:])}"]
        path, line = event.get("code.file.path"), event.get("code.line.number")
        if isinstance(path, str) and isinstance(line, int):
            function = event.get("code.function.name", "")
            where = f"{short_path(path)}:{line}"
            lines.append(f"  {self._paint('bold', clean_text(where))} in {clean_text(str(function))}")
            source = mask_source(linecache.getline(path, line))
            if source:
                lines.append(f"  {self._paint('dim', f'{line:>5} |')} {clean_text(source, 160)}")
        for row in event.get("poolwitness.holders_text", ()):
            lines.append(f"        {clean_text(str(row), 300)}")
        lines.append(f"  {self._paint('fix', 'fix:')} {clean_text(str(event.get('poolwitness.fix', '')))}")
        code = event.get("poolwitness.rule", "")
        about = f"{code} {event.get('poolwitness.rule_name', '')}, {event.get('poolwitness.confidence', '')}"
        lines.append(f"  {self._paint('dim', f'{about}; more: poolwitness explain {code}')}")
        return "poolwitness: " + "\n".join(lines) + "\n"

    def _verdict(self, event: dict[str, Any]) -> str:
        level = "info" if event.get("poolwitness.verdict") == "clean" else str(event.get("level", "warning"))
        return self._paint(level, f"poolwitness verdict: {clean_text(str(event.get('message', '')))}") + "\n"

    def _paint(self, style: str, text: str) -> str:
        return f"{_STYLES[style]}{text}{_RESET}" if self.colour and style in _STYLES else text
