"""The document for a person at a terminal: what is stuck first, the rest in a line each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from poolwitness.model.wording import plural, short_path
from poolwitness.report.redact import clean_text
from poolwitness.report.state_document import Document

MOST_CHECKOUTS = 50
_ASKED = {
    "agent": "answered by its agent",
    "heap": "it has no agent, or one that has seen no pool: seen on its heap",
}


def text_of(living: Document) -> str:
    """The document as lines.

    Args:
        living: the document, of this process or another; its texts are cleaned here again.
    """
    return "\n".join(clean_text(line, 2000) for line in _lines(living)) + "\n"


def _lines(living: Document) -> Iterator[str]:
    process = living["process"]
    versions = "".join(f", {name} {version}" for name, version in process["versions"].items())
    yield f"process {process['pid']}: Python {process['python']}{versions}; {_ASKED.get(living['source'], '?')}"
    pools = [pool for pool in living["pools"] if pool["state"] != "closed" or pool["out"]]
    closed = len(living["pools"]) - len(pools)
    if not pools:
        yield "no pool is open"
    # Where somebody waits is where to look first.
    for pool in sorted(pools, key=lambda pool: (-(pool["waiting"] or 0), -pool["out"])):
        yield ""
        yield from _pool(pool)
    if closed:
        yield ""
        yield f"{plural(closed, 'closed pool')} besides"
    if living["pools_left_out"]:
        yield f"{plural(living['pools_left_out'], 'pool')} more"
    if living["findings"]:
        yield ""
        yield "findings at this moment"
    for finding in living["findings"]:
        yield f"  {finding['rule']} {finding['name']}, {finding['confidence']}: {finding['message']}"
        yield f"      fix: {finding['fix']}"
    if living["unknown"]:
        yield ""
        yield "not known"
    for sentence in living["unknown"]:
        yield f"  {sentence}"


def _pool(pool: dict[str, Any]) -> Iterator[str]:
    made = f"made at {_short(pool['made_at'])}" if pool["made_at"] else "made at an unknown line"
    inherited = ", inherited from the parent process" if pool["inherited"] else ""
    yield f"pool {pool['name']!r} ({pool['class']}), {pool['state']}{inherited}, {made}"
    most = pool["max_size"] if pool["max_size"] is not None else pool["min_size"]
    # A null pool without a limit says 0.
    limit = "" if most == 0 else f" of at most {_number(most)}"
    numbers = f"  {_number(pool['size'])}{limit} connections: {pool['out']} out"
    numbers += f", {_number(pool['idle'])} idle, {plural(pool['waiting'] or 0, 'request')} waiting"
    if pool["lost_count"]:
        numbers += f", {plural(pool['lost_count'], 'slot')} lost for good"
    if pool["connecting_fails"]:
        numbers += ", connecting fails"
    yield f"{numbers}{_target(pool['target'])}"
    if pool["kept_by"]:
        yield f"  kept by {pool['kept_by']}"
    yield f"  {_workers(pool['workers'])}"
    for worker in pool["workers"]:
        if not worker["alive"]:
            why = f" of {worker['error_type']}" if worker["error_type"] else ""
            yield f"  {worker['role']} {worker['name']} is dead{why}"
    for checkout in pool["checkouts"][:MOST_CHECKOUTS]:
        yield from _checkout(checkout)
    if len(pool["checkouts"]) > MOST_CHECKOUTS:
        yield f"  and {len(pool['checkouts']) - MOST_CHECKOUTS} more"


def _checkout(checkout: dict[str, Any]) -> Iterator[str]:
    held = f"{checkout['held_s']:8.1f} s" if checkout["held_s"] is not None else "  unknown  "
    taken = _short(checkout["taken_at"]) if checkout["taken_at"] else "taken at an unknown line"
    if checkout.get("called_at"):  # an older agent does not say
        taken += f" (called at {_short(checkout['called_at'])})"
    status = checkout["transaction"]
    shown = status.upper() if status == "idle in transaction" else status
    row = f"  out {held}  {taken}  by {_holder(checkout)}, {shown}"
    if checkout["now_at"]:
        row += f"; now at {_short(checkout['now_at'])}"
    yield row
    if checkout["kept_by"]:
        yield f"                   kept by {checkout['kept_by']}"


def _holder(checkout: dict[str, Any]) -> str:
    if checkout["holder"] is None:
        return "an unknown holder"
    ended = "" if checkout["holder_alive"] else ", which has ended"
    return f"{checkout['holder_kind']} {checkout['holder']!r}{ended}"


def _workers(workers: list[dict[str, Any]]) -> str:
    told = []
    for role in ("worker", "scheduler"):
        alive = [each["alive"] for each in workers if each["role"] == role]
        if alive:
            told.append(f"{sum(alive)} of {plural(len(alive), role)} alive")
    return ", ".join(told) or "no workers"


def _target(target: dict[str, Any]) -> str:
    if not target["host"] and not target["dbname"]:
        return ""
    port = f":{target['port']}" if target["port"] else ""
    return f"; {target['host'] or 'local'}{port}/{target['dbname'] or ''}"


def _short(place: str) -> str:
    file, _, line = place.rpartition(":")
    return f"{short_path(file)}:{line}"


def _number(value: int | None) -> str:
    return "?" if value is None else str(value)
