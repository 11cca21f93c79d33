"""``--html``: a self-contained HTML page that needs neither a network nor JavaScript."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib.resources import files

from poolwitness._version import __version__
from poolwitness.diagnose import pages
from poolwitness.logreport.answers import Fault, Report
from poolwitness.logreport.renderings import wording

# The page contains all faults that the query returns; those after the first ones are folded.
MAX_SHOWN = 25
_WIDTH, _HEIGHT = 960, 64  # of a chart


def render(report: Report) -> str:
    """The whole page."""
    verdict = wording.verdict(report)
    style = files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        # Texts come from logs: even without proper escaping, they could neither run nor fetch anything.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        f"<title>poolwitness: {escape(verdict)}</title><style>\n{style}</style></head><body>",
        f'<h1 class="{wording.status(report)}">{escape(verdict)}</h1>',
    ]
    if report.totals.events:
        parts.append(f'<p class="dim">{escape(wording.scope(report))}</p>')
    parts += _timeline(report)
    parts += _section("Lines of code that leak", report.leaks)
    parts += _section("Other faults", report.others)
    parts += _list("New or worse since last week", report.worse)
    parts += _section("Resolved", report.resolved)
    if skipped := wording.skipped(report):
        parts.append("<h2>What was passed over</h2>")
        parts += [f'<p class="dim">{escape(sentence)}.</p>' for sentence in skipped]
    parts.append(f'<p class="dim">Made by poolwitness {escape(__version__)}.</p></body></html>')
    return "\n".join(parts) + "\n"


def _section(title: str, faults: Sequence[Fault]) -> list[str]:
    if not faults:
        return []
    parts = [f"<h2>{escape(title)} ({len(faults)})</h2>", *map(_fault, faults[:MAX_SHOWN])]
    if len(faults) > MAX_SHOWN:
        rest = "\n".join(map(_fault, faults[MAX_SHOWN:]))
        parts.append(f"<details><summary>{len(faults) - MAX_SHOWN} more</summary>\n{rest}</details>")
    return parts


def _fault(fault: Fault) -> str:
    facts = [
        f"<span><b>{fault.findings}</b> {'finding' if fault.findings == 1 else 'findings'}</span>",
        f"<span>in <b>{escape(wording.plural_processes(fault.processes))}</b></span>",
        f"<span>since {escape(wording.format_minute(fault.first_at))}</span>",
        f"<span>last {escape(wording.format_minute(fault.last_at))}</span>",
        f'<span class="trend-{escape(fault.trend)}">{escape(wording.TRENDS.get(fault.trend, fault.trend))}</span>',
        f"<span>{escape(fault.confidence)}</span>",
    ]
    if fault.came_back:
        facts.append(f"<span>{fault.came_back} came back</span>")
    if fault.worst_s:
        facts.append(f"<span>at worst {fault.worst_s:.1f} s</span>")
    return (
        f'<article id="f-{escape(fault.fingerprint)}"><h3>{escape(fault.rule)} {escape(fault.rule_name)}: '
        f"<code>{escape(wording.at_line(fault))}</code></h3>"
        f'<p class="facts">{"".join(facts)}</p>'
        f"<p>{escape(fault.message)}</p><p><b>To mend it:</b> {escape(fault.fix)}</p>"
        f"{_folded('Stack', fault.stack)}{_folded(f'What {fault.rule} means', _page(fault.rule))}</article>"
    )


def _folded(title: str, text: str) -> str:
    if not text:
        return ""
    return f"<details><summary>{escape(title)}</summary><pre>{escape(text)}</pre></details>"


def _page(rule: str) -> str:
    try:
        return f"{pages.title(rule)[1]}\n\nThe whole page: poolwitness explain {rule}"
    except KeyError:  # of a later release of the agent
        return ""


def _list(title: str, faults: Sequence[Fault]) -> list[str]:
    if not faults:
        return []
    rows = [
        f'<li><a href="#f-{escape(fault.fingerprint)}">{escape(fault.rule)} {escape(wording.at_line(fault))}</a>: '
        f"{fault.findings_now} last week in {fault.processes_now} of {wording.plural_processes(fault.ran_now)}, "
        f"{fault.findings_before} the week before in {fault.processes_before} of {fault.ran_before}</li>"
        for fault in faults[:MAX_SHOWN]
    ]
    return [f"<h2>{escape(title)} ({len(faults)})</h2><ul>", *rows, "</ul>"]


def _timeline(report: Report) -> list[str]:
    """One small chart each for pools, connections, threads and findings, as inline SVG."""
    if not report.timeline:
        return []
    charts = [
        _chart(name, [step[name] for step in report.timeline], bars=name == "findings")
        for name in ("pools", "connections", "threads", "findings")
    ]
    first, last = (escape(wording.format_minute(at)) for at in (report.totals.first_at, report.totals.last_at))
    ends = f'<p class="ends"><span>{first}</span><span>{last} UTC</span></p>'
    return ["<h2>Timeline</h2>" + "\n".join(charts) + ends]


def _chart(name: str, values: Sequence[int], bars: bool) -> str:
    most = max(values)
    step = _WIDTH / len(values)
    heights = [value * _HEIGHT / (most or 1) for value in values]
    if bars:
        shape = "".join(
            f'<rect x="{number * step:.1f}" y="{_HEIGHT - height:.1f}" width="{step - 1:.1f}" height="{height:.1f}"/>'
            for number, height in enumerate(heights)
            if height
        )
    else:
        # A step is drawn as a horizontal line, because its value is a maximum.
        corners = "".join(
            f"L{number * step:.1f},{_HEIGHT - height:.1f}L{(number + 1) * step:.1f},{_HEIGHT - height:.1f}"
            for number, height in enumerate(heights)
        )
        shape = f'<path d="M0,{_HEIGHT}{corners}L{_WIDTH},{_HEIGHT}Z"/>'
    return (
        f'<figure class="{name}"><figcaption>{name} <b>{most}</b> at most</figcaption>'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{name}: at most {most}">{shape}</svg></figure>'
    )
