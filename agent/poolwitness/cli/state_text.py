"""A state report for people, made from its events: the pools with the most waiting requests first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from poolwitness.model.locations import Frame
from poolwitness.model.wording import at_line, out_of, plural, short_path
from poolwitness.report.redact import clean_text

MOST_CHECKOUTS = 50
_ANSWERED_BY = {
    "agent": "answered by its agent",
    "heap": "it has no agent, or one that has seen no pool: read from its heap",
}

Event = dict[str, Any]


def text_of(events: Sequence[Event]) -> str:
    """The events of one report as lines. The first is about the process, which may be another: texts are cleaned."""
    head = events[0]
    ended = head["event"] == "poolwitness.postmortem"
    lines = [f"poolwitness: {head['message']}" if ended else _process(head), *_pools(events, ended)]
    closed = head.get("poolwitness.pools_closed", 0)
    if closed and not ended:
        lines += ["", f"{plural(closed, 'closed pool')} not shown"]
    if head.get("poolwitness.left_out"):
        lines += ["", f"{head['poolwitness.left_out']} more had no room in the report"]
    lines += _findings(events)
    if head.get("poolwitness.unknown"):
        lines += ["", "not known", *(f"  {sentence}" for sentence in head["poolwitness.unknown"])]
    return "\n".join(clean_text(line) for line in lines) + "\n"


def _process(head: Event) -> str:
    prefix = "poolwitness.version."
    releases = {name[len(prefix) :]: release for name, release in head.items() if name.startswith(prefix)}
    python = releases.pop("python", "of an unknown version")
    others = "".join(f", {name} {release}" for name, release in releases.items())
    answered = _ANSWERED_BY.get(head.get("poolwitness.answered_by", ""), "?")
    return f"process {head['process.pid']}: Python {python}{others}; {answered}"


def _pools(events: Sequence[Event], ended: bool) -> Iterator[str]:
    pools = [event for event in events if event["event"] == "poolwitness.pool.state"]
    if not pools:
        yield "no pool is open"
    pools.sort(key=lambda pool: (-_count(pool, "requests_waiting"), -_count(pool, "connections_out")))
    for pool in pools:
        yield ""
        yield from _pool(pool, ended)
        own = [event for event in events if event.get("poolwitness.pool.id") == pool["poolwitness.pool.id"]]
        for event in own:
            if event["event"] == "poolwitness.worker" and event.get("poolwitness.worker.task") is None:
                yield f"  {event['message']}"
        holders = [event for event in own if event["event"] == "poolwitness.holder"]
        for holder in holders[:MOST_CHECKOUTS]:
            yield from _holder(holder, ended)
        if len(holders) > MOST_CHECKOUTS:
            yield f"  and {len(holders) - MOST_CHECKOUTS} more"
        for event in own:
            if event["event"] == "poolwitness.request":
                yield f"  waiting {event['poolwitness.waited_s']:8.1f} s  {_line(event)}  by {_who(event)}"


def _pool(pool: Event, ended: bool) -> Iterator[str]:
    inherited = ", inherited from the parent process" if pool.get("poolwitness.pool.inherited") else ""
    name, of_class = pool["db.client.connection.pool.name"], pool["poolwitness.pool.class"]
    yield f"pool {name!r} ({of_class}), {pool['poolwitness.pool.state']}{inherited}, created at {_line(pool)}"
    # A null pool without a limit has 0.
    most = pool.get("poolwitness.pool.max_size") or pool.get("poolwitness.pool.min_size") or 0
    out, waiting = _count(pool, "connections_out"), plural(_count(pool, "requests_waiting"), "request")
    size = pool.get("poolwitness.stats.pool_size")
    if ended or size is None:
        numbers = f"  {out_of(out, most)} out, {waiting} waiting"
    else:
        limit = f" of at most {most}" if most else ""
        idle = pool.get("poolwitness.stats.pool_available", 0)
        numbers = f"  {size}{limit} connections: {out} out, {idle} idle, {waiting} waiting"
    lost = _count(pool, "slots_lost")
    if lost:
        numbers += f", {plural(lost, 'slot')} lost for good"
    if pool.get("poolwitness.pool.connect_failing"):
        numbers += ", connecting fails"
    yield f"{numbers}{_database(pool)}"
    if pool.get("poolwitness.kept_by"):
        yield f"  kept alive by {pool['poolwitness.kept_by']}"
    alive, dead = pool.get("poolwitness.workers_alive"), _count(pool, "workers_dead")
    if alive is not None:
        yield f"  {alive} of {alive + dead} workers and schedulers alive{' at the last look' if ended else ''}"


def _holder(holder: Event, ended: bool) -> Iterator[str]:
    held_s = holder.get("poolwitness.held_s")
    held = f"{held_s:8.1f} s" if held_s is not None else "  unknown "
    taken = _line(holder) if "code.file.path" in holder else "taken at an unknown line"
    if "poolwitness.called_at" in holder:
        taken += f" (called at {_short(holder['poolwitness.called_at'])})"
    row = f"  out {held}  {taken}  by {_who(holder)}"
    status = holder["poolwitness.transaction"]
    if status != "unknown":
        row += f", {status.upper() if status == 'idle in transaction' and not ended else status}"
        row += " at the last look" if ended else ""
    if "poolwitness.holder_at" in holder:
        row += f"; now at {_short(holder['poolwitness.holder_at'])}"
    yield row
    if "poolwitness.kept_by" in holder:
        yield f"                   kept alive by {holder['poolwitness.kept_by']}"


def _findings(events: Sequence[Event]) -> Iterator[str]:
    findings = [event for event in events if event["event"] == "poolwitness.finding"]
    if findings:
        yield ""
        yield "findings at this moment"
    for event in findings:
        rule = f"{event['poolwitness.rule']} {event['poolwitness.rule_name']}, {event['poolwitness.confidence']}"
        yield f"  {rule}: {event['message']}"
        yield f"      fix: {event['poolwitness.fix']}"


def _who(event: Event) -> str:
    if "poolwitness.holder" not in event:
        return "an unknown holder"
    ended = "" if event.get("poolwitness.holder_alive", True) else ", which has ended"
    return f"{event['poolwitness.holder_kind']} {event['poolwitness.holder']!r}{ended}"


def _line(event: Event) -> str:
    if "code.file.path" not in event:
        return "an unknown line"
    return at_line(Frame(event["code.file.path"], event["code.line.number"], event.get("code.function.name", ""), ""))


def _short(place: str) -> str:
    file, _, line = place.rpartition(":")
    return f"{short_path(file)}:{line}"


def _database(pool: Event) -> str:
    host, name = pool.get("server.address"), pool.get("db.namespace")
    if not host and not name:
        return ""
    port = f":{pool['server.port']}" if "server.port" in pool else ""
    return f"; {host or 'local'}{port}/{name or ''}"


def _count(event: Event, name: str) -> int:
    return int(event.get(f"poolwitness.{name}", 0))
