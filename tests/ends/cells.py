"""The table: process models, the ways in which they end, and what is told then. The tests prove every row."""

from __future__ import annotations

import signal
import sys
from dataclasses import dataclass, field

TERM, INT, QUIT, HUP, KILL = (
    getattr(signal, name, signal.SIGTERM) for name in ("SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGKILL")
)
ATEXIT = (("", "atexit"),)
SIGTERM_HOOK = (("", "SIGTERM"),)
NOBODY: tuple[tuple[str, str], ...] = (("", ""),)
# Up to 3.12 such a process runs no atexit callback; from 3.13 on its own.
FORKED = (("3.12", "multiprocessing"), ("", "atexit"))
ASKED = {"POOLWITNESS_SIGTERM": "1"}


@dataclass(frozen=True)
class Cell:
    """A process model and an end of it.

    ``hooks`` are pairs: up to which Python, and the hook that tells the verdict there; an empty one tells nothing, and
    the black box is read. ``{port}`` in the command is a free one; a program with a port is asked over HTTP first.
    """

    model: str
    end: str
    command: tuple[str, ...]
    hooks: tuple[tuple[str, str], ...] = ATEXIT
    signals: tuple[signal.Signals, ...] = ()
    status: int = 0
    env: dict[str, str] = field(default_factory=dict)
    needs: str = ""
    processes: int = 1
    requests: int = 1
    note: str = ""

    @property
    def id(self) -> str:
        """For pytest."""
        return f"{self.model}, {self.end}"

    def hook(self, python: tuple[int, int] = sys.version_info[:2]) -> str:
        """The hook that speaks on a Python."""
        for until, hook in self.hooks:
            if not until or python <= tuple(map(int, until.split("."))):
                return hook
        raise AssertionError(f"{self.id}: no hook for {python}")

    @property
    def serves(self) -> bool:
        """Whether it answers over HTTP."""
        return any("{port}" in word for word in self.command)


def _plain(model: str, how: str) -> tuple[str, ...]:
    return ("plain.py", model, how)


def _gunicorn(*words: str) -> tuple[str, ...]:
    return ("-m", "gunicorn", "--bind", "127.0.0.1:{port}", "--workers", "1", *words, "shop:app")


def _uvicorn(*words: str) -> tuple[str, ...]:
    return ("-m", "uvicorn", "--port", "{port}", *words, "shop:asgi")


def _celery(pool: str) -> tuple[str, ...]:
    return ("-m", "celery", "-A", "tasks", "worker", "-P", pool, "-c", "1", "--loglevel", "ERROR")


_DJANGO = {"DJANGO_SETTINGS_MODULE": "shop_settings"}
_UWSGI = (
    "-c",
    "import pyuwsgi; pyuwsgi.run()",
    "--http-socket",
    "127.0.0.1:{port}",
    "--module",
    "shop:app",
    "--master",
    "--enable-threads",
    "--die-on-term",
    "--need-app",
    "--pythonpath",
    ".",
)

PROGRAMS = (
    Cell("a program", "its last line", _plain("program", "return")),
    Cell("a program", "sys.exit(3)", _plain("program", "sys.exit"), status=3),
    Cell("a program", "an exception", _plain("program", "exception"), status=1),
    Cell("a program", "SIGINT", _plain("program", "wait"), signals=(INT,), status=-INT),
    Cell("a program", "SIGTERM", _plain("program", "wait"), NOBODY, signals=(TERM,), status=-TERM),
    Cell(
        "a program",
        "SIGTERM, asked for",
        _plain("program", "wait"),
        SIGTERM_HOOK,
        signals=(TERM,),
        status=-TERM,
        env=ASKED,
    ),
    Cell("a program", "os._exit(3)", _plain("program", "os._exit"), NOBODY, status=3),
    Cell("a program", "SIGKILL", _plain("program", "wait"), NOBODY, signals=(KILL,), status=-KILL),
    Cell("a program", "a crash", _plain("program", "crash"), NOBODY, status=-11),
    Cell("os.fork", "its last line", _plain("os.fork", "return")),
    Cell("os.fork", "sys.exit(3)", _plain("os.fork", "sys.exit"), status=3),
    Cell("os.fork", "os._exit(3)", _plain("os.fork", "os._exit"), NOBODY, status=3),
    *(
        Cell(f"multiprocessing, {model}", end, _plain(model, how), hooks, status=status % 256, env=env)
        for model, ordinary in (("fork", FORKED), ("forkserver", FORKED), ("spawn", ATEXIT))
        for end, how, hooks, status, env in (
            ("its last line", "return", ordinary, 0, {}),
            ("an exception", "exception", ordinary, 1, {}),
            ("terminate()", "terminate", NOBODY, -TERM, {}),
            ("terminate(), asked for", "terminate", SIGTERM_HOOK, -TERM, ASKED),
        )
    ),
)

SERVERS = (
    Cell("gunicorn, sync", "SIGTERM", _gunicorn(), signals=(TERM,), needs="gunicorn"),
    Cell("gunicorn, sync", "SIGINT", _gunicorn(), signals=(INT,), needs="gunicorn"),
    Cell("gunicorn, sync", "SIGQUIT", _gunicorn(), signals=(QUIT,), needs="gunicorn"),
    Cell("gunicorn, sync", "SIGHUP, then SIGTERM", _gunicorn(), signals=(HUP, TERM), processes=2, needs="gunicorn"),
    Cell(
        "gunicorn, sync",
        "--max-requests 1, then SIGTERM",
        _gunicorn("--max-requests", "1"),
        signals=(TERM,),
        requests=2,
        processes=2,
        needs="gunicorn",
    ),
    Cell("gunicorn, --preload", "SIGTERM", _gunicorn("--preload"), signals=(TERM,), needs="gunicorn"),
    Cell("gunicorn, gthread", "SIGTERM", _gunicorn("--threads", "2"), signals=(TERM,), needs="gunicorn"),
    Cell("uvicorn", "SIGINT", _uvicorn(), signals=(INT,), needs="uvicorn"),
    Cell("uvicorn", "SIGTERM", _uvicorn(), NOBODY, signals=(TERM,), status=-TERM, needs="uvicorn"),
    Cell("uvicorn", "SIGTERM, asked for", _uvicorn(), SIGTERM_HOOK, (TERM,), -TERM, ASKED, "uvicorn"),
    Cell(
        "uvicorn, --workers 2",
        "SIGTERM, asked for",
        _uvicorn("--workers", "2"),
        SIGTERM_HOOK,
        (TERM,),
        0,
        ASKED,
        "uvicorn",
    ),
    Cell(
        "celery, prefork",
        "SIGTERM",
        _celery("prefork"),
        (("", "celery.worker_process_shutdown"),),
        (TERM,),
        needs="celery",
    ),
    Cell("celery, threads", "SIGTERM", _celery("threads"), signals=(TERM,), needs="celery"),
    Cell("uWSGI", "SIGTERM", _UWSGI, signals=(TERM,), needs="pyuwsgi"),
    Cell("uWSGI", "SIGINT", _UWSGI, signals=(INT,), needs="pyuwsgi"),
    Cell(
        "Django, runserver",
        "SIGINT",
        ("-m", "django", "runserver", "--noreload", "127.0.0.1:{port}"),
        signals=(INT,),
        env=_DJANGO,
        needs="django",
    ),
    Cell("Django, a management command", "its last line", ("-m", "django", "count_stock"), env=_DJANGO, needs="django"),
)
