"""The timeline as inline SVG: one small chart each for pools, connections, threads and findings."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from poolwitness.logreport.answers import Report
from poolwitness.logreport.renderings import wording

WIDTH, HEIGHT, GAP = 960, 64, 30


def render(report: Report) -> str:
    """One SVG per chart; empty if there are no events."""
    if not report.timeline:
        return ""
    steps, totals = report.timeline, report.totals
    charts = [
        _chart("pools", [step.pools for step in steps], bars=False),
        _chart("connections", [step.connections for step in steps], bars=False),
        _chart("threads", [step.threads for step in steps], bars=False),
        _chart("findings", [step.findings for step in steps], bars=True),
    ]
    ends = (
        f'<p class="ends"><span>{escape(wording.format_minute(totals.first_at))}</span>'
        f"<span>{escape(wording.format_minute(totals.last_at))} UTC</span></p>"
    )
    return "\n".join(charts) + ends


def _chart(name: str, values: Sequence[int], bars: bool) -> str:
    most = max(values)
    step = WIDTH / len(values)
    heights = [value * HEIGHT / (most or 1) for value in values]
    if bars:
        shape = "".join(
            f'<rect x="{number * step:.1f}" y="{HEIGHT - height:.1f}" width="{step - 1:.1f}" height="{height:.1f}"/>'
            for number, height in enumerate(heights)
            if height
        )
    else:
        # A step is drawn as a horizontal line, because its value is a maximum.
        corners = "".join(
            f"L{number * step:.1f},{HEIGHT - height:.1f}L{(number + 1) * step:.1f},{HEIGHT - height:.1f}"
            for number, height in enumerate(heights)
        )
        shape = f'<path d="M0,{HEIGHT}{corners}L{WIDTH},{HEIGHT}Z"/>'
    label = f"{name}: at most {most}"
    return (
        f'<figure class="{name}"><figcaption>{escape(name)} <b>{most}</b> at most</figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" aria-label="{escape(label)}">'
        f"{shape}</svg></figure>"
    )
