"""``poolwitness report FILES…``: what the agents of many processes wrote, and what it means."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from poolwitness.cli import UsageError, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from poolwitness.logreport.answers import Report
    from poolwitness.logreport.reading import Advance
    from poolwitness.logreport.sources import Source

FORMATS = ("auto", "console", "json", "sarif", "github", "gitlab", "markdown")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The files, the format, and where to keep the table."""
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="logs with the agent's lines in them, folders of such, or - for standard input; gzip, bzip2 and xz too",
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="auto",
        help="by default console on a terminal and json elsewhere",
    )
    parser.add_argument("--html", metavar="FILE", help="write a page for people too, one file that needs nothing else")
    parser.add_argument(
        "--database", metavar="FILE", help="keep the table of events in this DuckDB file, for questions of your own"
    )


def run(args: argparse.Namespace) -> int:
    """Read everything, then answer.

    Returns:
        0, whatever was found and whatever the files looked like.
    """
    try:
        import duckdb  # noqa: F401
        import rich  # noqa: F401
    except ImportError as missing:
        raise UsageError(
            f"`poolwitness report` needs {missing.name}, which is not installed: pip install 'poolwitness[report]'."
        ) from missing
    from poolwitness.logreport.sources import BadSource, sources

    try:
        found = sources(args.files)
    except BadSource as bad:
        raise UsageError(str(bad)) from bad
    with Ending() as ending:
        try:
            report = read(found, args.database, ending)
        except BaseException:  # whatever the database makes of it
            if ending.signal is None:
                raise
    if ending.signal is not None:
        return 128 + ending.signal
    if args.html is not None:
        write_page(report, args.html)
    if args.html is None or args.format != "auto":
        show(report, args.format)
    return 0


class Ending:
    """Ctrl-C and SIGTERM while files are read: the reading is broken off, and its temporary folder removed.

    Attributes:
        signal: the number of the one that came.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Ending:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._come) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, signal.SIG_DFL if before is None else before)

    def check(self) -> None:
        """Raises KeyboardInterrupt where one came, which a library may have made something else of."""
        if self.signal is not None:
            raise KeyboardInterrupt

    def _come(self, number: int, _: object) -> None:
        if self.signal is None:  # another one must not break off the tidying up
            self.signal = number
            raise KeyboardInterrupt


def read(found: Sequence[Source], database: str | None, ending: Ending) -> Report:
    """The answers to what some files say.

    Args:
        found: the files.
        database: a file to keep the table in, which must not be there yet.
        ending: whether to break off.

    Raises:
        UsageError: it is there, or cannot be made.
    """
    import duckdb

    from poolwitness.logreport.answers import answer
    from poolwitness.logreport.reading import read as read_all
    from poolwitness.logreport.store import Store

    if database is not None and os.path.lexists(database):
        raise UsageError(f"{database!r} is there already: name a new file for the table of events.")
    try:
        with Store(database) as store, progress(found) as (advance, now_asking):

            def advanced(size: int) -> None:
                ending.check()
                advance(size)

            tally = read_all(found, store, advanced)
            ending.check()
            now_asking()
            return answer(store, tally)
    except duckdb.OutOfMemoryException as error:
        raise OSError(f"no room for the table of events ({_first_line(error)})") from error
    except duckdb.IOException as error:
        raise UsageError(f"the table of events cannot be kept: {_first_line(error)}.") from error


def show(report: Report, form: str) -> None:
    """Print the report as it was asked for."""
    if form == "auto":
        form = "console" if sys.stdout.isatty() else "json"
    if form == "console":
        from poolwitness.logreport.renderings import terminal

        terminal.render(report, sys.stdout)
        return
    from poolwitness.logreport.renderings import document, markdown, reviews, sarif

    renderings = {
        "json": document.render,
        "sarif": sarif.render,
        "github": reviews.github,
        "gitlab": reviews.gitlab,
        "markdown": markdown.render,
    }
    write(renderings[form](report))


def write_page(report: Report, path: str) -> None:
    """Write the page, and say where it is.

    Raises:
        UsageError: it cannot be written there.
    """
    from poolwitness.logreport.renderings import page

    text = page.render(report)
    try:
        with open(path, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"{path!r} cannot be written ({error.strerror}): name another file for the page.") from error
    say(f"the report is in {path}.")


def write(text: str) -> None:
    """Print a text in UTF-8, whatever the terminal's encoding is."""
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))


@contextmanager
def progress(found: Sequence[Source]) -> Iterator[tuple[Advance, Callable[[], None]]]:
    """A bar on stderr where that is a terminal; yields what is told of bytes that were read, and of the end of it."""
    total = sum(source.size for source in found)
    if sys.stderr is None or not sys.stderr.isatty():
        yield (lambda _: None), (lambda: None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as bar:
        task = bar.add_task("reading", total=total or None)
        yield (lambda size: bar.advance(task, size)), (lambda: bar.update(task, description="asking"))


def _first_line(error: BaseException) -> str:
    return str(error).split("\n", 1)[0].rstrip(".")
