"""``poolwitness postmortem DIR``: what dead processes left in their black boxes."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from poolwitness.blackbox import directory as files
from poolwitness.blackbox import reader
from poolwitness.blackbox.contents import Remains
from poolwitness.blackbox.errors import Alive, Missing, Refused, Unfinished
from poolwitness.cli import UsageError, postmortem_events, postmortem_text, say
from poolwitness.config import Config
from poolwitness.diagnose.registry import run_rules
from poolwitness.guards import Guard
from poolwitness.model.findings import Finding
from poolwitness.model.wording import plural
from poolwitness.report.console import ConsoleRenderer
from poolwitness.report.json_lines import render_json
from poolwitness.report.pipeline import Pipeline
from poolwitness.runtime.reporter import Reporter


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The directory, the format, and whether to keep what was told."""
    parser.add_argument("directory", metavar="DIR", help="what POOLWITNESS_BLACKBOX was set to")
    parser.add_argument(
        "--format",
        choices=("auto", "console", "json"),
        default="auto",
        help="console for people, json for programs; by default console on a terminal and json elsewhere",
    )
    parser.add_argument("--keep", action="store_true", help="leave the files where they are, to be told again")


def run(args: argparse.Namespace) -> int:
    """Tell of every dead process and remove its file; those of living ones are left alone.

    Returns:
        1 where a file could not be read, or could not be removed; else 0, whatever was found.
    """
    try:
        paths = files.paths(args.directory)
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"{args.directory} cannot be read ({reason}): name the directory of black boxes.") from error
    console = args.format == "console" or (args.format == "auto" and sys.stdout.isatty())
    sink = StdoutSink(console)
    status = told = alive = 0
    for path in paths:
        try:
            archive = files.read(path)
            remains = None if archive.done else reader.remains_of(archive, path)
        except Alive:
            alive += 1
            continue
        except Missing:
            continue
        except Unfinished:
            remains = None
        except Refused as refused:
            say(f"{path} {refused}; it was left where it is.")
            status = 1
            continue
        if remains is not None:
            tell(remains, sink)
            told += 1
        if not args.keep and not _removed(path):
            status = 1
    if alive:
        say(f"{plural(alive, 'file')} of living processes left alone.")
    if not told:
        say(f"no dead process has left anything to tell in {args.directory}.")
    return status


class StdoutSink:
    """Writes events on stdout, and remembers why it could not."""

    name = "stdout"

    def __init__(self, console: bool) -> None:
        self.console = console
        self.render = ConsoleRenderer(_coloured()) if console else render_json
        self.error: OSError | None = None

    def accept(self, event: dict[str, Any], patience_s: float) -> bool:
        """Write one event, waiting for the reader as long as it takes."""
        self.write(self.render(event))
        return True

    def write(self, data: bytes) -> None:
        """Write some bytes.

        Raises:
            OSError: the reader is gone, or the disk is full.
        """
        try:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        except OSError as error:
            self.error = error
            raise


def tell(remains: Remains, sink: StdoutSink) -> None:
    """Tell all that a process left.

    Args:
        remains: what was read.
        sink: where to.

    Raises:
        OSError: it could not be written whole, so it has not been told.
    """
    config = Config.from_environ(os.environ)
    config = config._replace(ignore=(*config.ignore, *remains.ignore))
    found: list[Finding] = run_rules(remains.snapshot, config)[0]
    pipeline = Pipeline([sink])
    report_id = os.urandom(8).hex()
    common = {"process.pid": remains.identity.pid, "poolwitness.report_id": report_id}
    if sink.console:
        sink.write(postmortem_text.text_of(remains).encode("utf-8", "replace"))
        postmortem_text.mind_sources(found)
    else:
        for name, event in postmortem_events.events(remains, len(found)):
            pipeline.emit(name, {**event, **common})
    teller = Reporter(pipeline, Guard("report"))
    for finding in found:
        teller.report(finding, common)
    if sink.error is not None:
        raise sink.error


def _removed(path: str) -> bool:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        say(f"{path} could not be removed ({error.strerror or error}) and will be told again.")
        return False
    return True


def _coloured() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ
