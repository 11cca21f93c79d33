"""``poolwitness report FILES…``: read the lines that agents wrote, and print a report on all processes together."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poolwitness.cli.output import UsageError, print_message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from poolwitness.logreport.answers import Report
    from poolwitness.logreport.reading.reader import Progress
    from poolwitness.logreport.reading.sources import Source

ARGUMENTS: dict[str, dict[str, Any]] = {
    "files": {
        "nargs": "+",
        "metavar": "FILE",
        "help": "logs with the agent's lines in them, folders of such, or - for standard input; gzip, bzip2 and xz too",
    },
    "--format": {
        "choices": ("auto", "console", "json", "sarif", "github", "gitlab", "markdown"),
        "default": "auto",
        "help": "by default console on a terminal and json elsewhere",
    },
    "--html": {"metavar": "FILE", "help": "write a page for people too, one file that needs nothing else"},
    "--database": {
        "metavar": "FILE",
        "help": "keep the table of events in this DuckDB file, for questions of your own",
    },
}


def run(args: argparse.Namespace) -> int:
    """Read all files, then print the report; 128 + n if signal n interrupted it, else 0, whatever was found."""
    try:
        import duckdb  # noqa: F401
        import rich  # noqa: F401
    except ImportError as missing:
        raise UsageError(
            f"`poolwitness report` needs {missing.name}, which is not installed: pip install 'poolwitness[report]'."
        ) from missing
    from poolwitness.logreport.reading.sources import BadSource, find_sources

    try:
        sources = find_sources(args.files)
    except BadSource as bad:
        raise UsageError(str(bad)) from bad
    with Interruption() as interruption:
        try:
            report = read(sources, args.database, interruption)
        except BaseException:  # the database may have replaced KeyboardInterrupt
            if interruption.signal is None:
                raise
    if interruption.signal is not None:
        return 128 + interruption.signal
    if args.html is not None:
        write_page(report, args.html)
    if args.html is None or args.format != "auto":
        show(report, args.format)
    return 0


class Interruption:
    """Ctrl-C and SIGTERM while files are read: reading stops, and the temporary folder is removed."""

    def __init__(self) -> None:
        self.signal: int | None = None  # the number of the one that was received
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._receive) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, signal.SIG_DFL if before is None else before)

    def check(self) -> None:
        """Raise KeyboardInterrupt if a signal was received: a library may have swallowed the first one."""
        if self.signal is not None:
            raise KeyboardInterrupt

    def _receive(self, number: int, _: object) -> None:
        if self.signal is None:  # a second signal must not interrupt the cleanup
            self.signal = number
            raise KeyboardInterrupt


def read(sources: Sequence[Source], database: str | None, interruption: Interruption) -> Report:
    """Read files and build the report; the database is kept in the file of that name, which must not exist yet."""
    import duckdb

    from poolwitness.logreport.answers import build_report
    from poolwitness.logreport.reading.reader import read_sources
    from poolwitness.logreport.store import Store

    if database is not None and os.path.lexists(database):
        raise UsageError(f"{database!r} is there already: name a new file for the table of events.")
    try:
        with Store(database) as store, progress_bar(sources) as (advance, start_queries):

            def progress(size: int) -> None:
                interruption.check()
                advance(size)

            stats = read_sources(sources, store, progress)
            interruption.check()
            start_queries()
            return build_report(store, stats)
    except duckdb.OutOfMemoryException as error:
        raise OSError(f"no room for the table of events ({_first_line(error)})") from error
    except duckdb.IOException as error:
        raise UsageError(f"the table of events cannot be kept: {_first_line(error)}.") from error


def show(report: Report, format: str) -> None:
    """Print the report in a format."""
    if format == "auto":
        format = "console" if sys.stdout.isatty() else "json"
    if format == "console":
        from poolwitness.logreport.renderings import console

        console.render(report, sys.stdout)
        return
    from poolwitness.logreport.renderings import ci_annotations, json_document, markdown, sarif

    renderings = {
        "json": json_document.render,
        "sarif": sarif.render,
        "github": ci_annotations.github,
        "gitlab": ci_annotations.gitlab,
        "markdown": markdown.render,
    }
    # In UTF-8, whatever the terminal's encoding is.
    sys.stdout.buffer.write(renderings[format](report).encode("utf-8", "replace"))


def write_page(report: Report, path: str) -> None:
    """Write the HTML page to a file, and print where it is."""
    from poolwitness.logreport.renderings import html_page

    text = html_page.render(report)
    try:
        Path(path).write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"{path!r} cannot be written ({error.strerror}): name another file for the page.") from error
    print_message(f"the report is in {path}.")


@contextmanager
def progress_bar(sources: Sequence[Source]) -> Iterator[tuple[Progress, Callable[[], None]]]:
    """A progress bar on stderr if that is a terminal.

    Yields a function to call with the number of bytes read, and one to call when all are read.
    """
    total = sum(source.size for source in sources)
    if sys.stderr is None or not sys.stderr.isatty():
        yield (lambda _: None), (lambda: None)
        return
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=Console(file=sys.stderr), transient=True) as bar:
        task = bar.add_task("reading", total=total or None)
        yield (lambda size: bar.advance(task, size)), (lambda: bar.update(task, description="asking"))


def _first_line(error: BaseException) -> str:
    return str(error).split("\n", 1)[0].rstrip(".")
