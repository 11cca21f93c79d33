"""``poolwitness postmortem DIR``: reports what killed processes left in their black boxes."""

from __future__ import annotations

import argparse
import json
import linecache
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from poolwitness.blackbox import reader
from poolwitness.blackbox.archive import Unfinished
from poolwitness.blackbox.documents import Refused
from poolwitness.blackbox.reader import Alive, DeadProcess, Missing
from poolwitness.cli import state_text
from poolwitness.cli.output import UsageError, print_message
from poolwitness.config import Config
from poolwitness.diagnose.registry import run_rules
from poolwitness.guards import Guard
from poolwitness.model.findings import Finding
from poolwitness.model.wording import plural
from poolwitness.report.build import Event
from poolwitness.report.console import ConsoleRenderer
from poolwitness.report.json_lines import render_json
from poolwitness.report.pipeline import Pipeline, as_lines, timestamp
from poolwitness.report.state import StateReport
from poolwitness.runtime.reporter import Reporter

# A black box has room for fewer.
MOST_EVENTS = 10_000
LARGEST_SOURCE = 4 * 1024 * 1024


ARGUMENTS: dict[str, dict[str, Any]] = {
    "directory": {"metavar": "DIR", "help": "what POOLWITNESS_BLACKBOX was set to"},
    "--format": {
        "choices": ("auto", "console", "json"),
        "default": "auto",
        "help": "console for people, json for programs; by default console on a terminal and json elsewhere",
    },
    "--keep": {"action": "store_true", "help": "leave the files where they are, to be told again"},
}


def run(args: argparse.Namespace) -> int:
    """Report on every dead process and remove its file; 1 if a file could not be read or removed."""
    try:
        paths = reader.paths(args.directory)
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"{args.directory} cannot be read ({reason}): name the directory of black boxes.") from error
    console = args.format == "console" or (args.format == "auto" and sys.stdout.isatty())
    sink = StdoutSink(console)
    status = reported = alive = 0
    for path in paths:
        try:
            remains = reader.read(path)
        except Alive:
            alive += 1
            continue
        except Missing:
            continue
        except Unfinished:
            remains = None
        except Refused as refused:
            print_message(f"{path} {refused}; it was left where it is.")
            status = 1
            continue
        if remains is not None:
            report_on(remains, sink)
            reported += 1
        if not args.keep and not _removed(path):
            status = 1
    if alive:
        print_message(f"{plural(alive, 'file')} of living processes left alone.")
    if not reported:
        print_message(f"no dead process has left anything to tell in {args.directory}.")
    return status


class StdoutSink:
    """Writes events on stdout, and remembers why it could not."""

    name = "stdout"

    def __init__(self, console: bool) -> None:
        self.console = console
        colored = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self.render = ConsoleRenderer(colored) if console else render_json
        self.error: OSError | None = None

    def accept(self, event: dict[str, Any], patience_s: float) -> bool:
        """Write one event, waiting for the reader as long as it takes."""
        self.write(self.render(event))
        return True

    def write(self, data: bytes) -> None:
        """Write some bytes."""
        try:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        except OSError as error:
            self.error = error
            raise


def report_on(remains: DeadProcess, sink: StdoutSink) -> None:
    """Report all that a process left.

    Raises:
        OSError: it could not be written whole.
    """
    config = Config.from_environ(os.environ)
    config = config._replace(ignore=(*config.ignore, *remains.ignore))
    found: list[Finding] = run_rules(remains.snapshot, config)[0]
    pipeline = Pipeline([sink])
    common = {"process.pid": remains.identity.pid, "poolwitness.report_id": os.urandom(8).hex()}
    events = [(name, {**event, **common}) for name, event in events_of(remains, found)]
    if sink.console:
        lines = as_lines(events).splitlines()
        sink.write(state_text.text_of([json.loads(line) for line in lines]).encode("utf-8", "replace"))
        ignore_what_is_no_source(found)
    else:
        for name, event in events:
            pipeline.emit(name, event)
    reporter = Reporter(pipeline, Guard("report"))
    for finding in found:
        reporter.report(finding, common)
    if sink.error is not None:
        raise sink.error


def events_of(remains: DeadProcess, found: Sequence[Finding]) -> Iterator[tuple[str, Event]]:
    """Everything but the findings, which follow, as event names and fields."""
    snapshot = remains.snapshot
    report = StateReport(snapshot, found, remains.waiting, ended=True, most=MOST_EVENTS)
    process = report.process_fields()
    program = snapshot.process.argv0
    after_s = max(0.0, remains.last_seen_at - remains.made_at)
    out, waiting = process["poolwitness.connections_out"], process["poolwitness.requests_waiting"]
    dropped = sum(remains.dropped.values())
    message = (
        f"process {remains.identity.pid}{f' ({program})' if program else ''} ended without a verdict: "
        f"it was last seen at {timestamp(remains.last_seen_at)}, {after_s:.1f} s after its first pool, "
        f"with {plural(process['poolwitness.pools_open'], 'pool')} open, {plural(out, 'connection')} out "
        f"and {plural(waiting, 'request')} waiting"
    )
    yield (
        "poolwitness.postmortem",
        {
            "level": "warning" if out or waiting or found else "info",
            "message": f"{message}; {plural(dropped, 'record')} had no room" if dropped else message,
            "poolwitness.blackbox": remains.path,
            "poolwitness.program": program,
            "poolwitness.last_seen_at": timestamp(remains.last_seen_at),
            "poolwitness.begun_at": timestamp(remains.made_at),
            "poolwitness.records_dropped": dropped,
            "poolwitness.version.poolwitness": remains.agent,
            **process,
        },
    )
    yield from report.pool_events()


def ignore_what_is_no_source(found: Sequence[Finding]) -> None:
    """Keep the console renderer from reading other files: a black box from another user may name any path."""
    for file in {finding.at.file for finding in found if finding.at is not None}:
        if not _is_source(file):
            linecache.cache[file] = (0, None, [], file)


def _is_source(path: str) -> bool:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return False
    return os.path.isabs(path) and stat.S_ISREG(found.st_mode) and found.st_size <= LARGEST_SOURCE


def _removed(path: str) -> bool:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        print_message(f"{path} could not be removed ({error.strerror or error}) and will be told again.")
        return False
    return True
