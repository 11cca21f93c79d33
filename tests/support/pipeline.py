"""What the agent writes for an event."""

from __future__ import annotations

from typing import Any

from poolwitness.report.json_lines import JsonRenderer
from poolwitness.report.pipeline import Pipeline


class Kept:
    """A sink that renders and keeps the lines."""

    name = "kept"

    def __init__(self, render: JsonRenderer) -> None:
        self.render = render
        self.lines: list[bytes] = []

    def accept(self, event: dict[str, Any], patience_s: float) -> bool:
        """Keep one."""
        self.lines.append(self.render(event))
        return True


def written(name: str, fields: dict[Any, Any], render: JsonRenderer | None = None) -> bytes:
    """What the agent writes for an event: through the whole pipeline, to the one line."""
    sink = Kept(render or JsonRenderer())
    pipeline = Pipeline([sink])
    pipeline.emit(name, fields)
    assert pipeline.lost == 0
    (line,) = sink.lines
    return line
