"""The table: process models, the ways in which they end, and what is told then. The tests prove every row."""

from __future__ import annotations

import signal
import sys
from dataclasses import dataclass, field
from functools import partial
from typing import Any

TERM, INT, QUIT, HUP, KILL = (
    getattr(signal, name, signal.SIGTERM) for name in ("SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGKILL")
)
ATEXIT = (("", "atexit"),)
SIGTERM_HOOK = (("", "SIGTERM"),)
NOBODY: tuple[tuple[str, str], ...] = (("", ""),)
# Up to 3.12 such a process runs no atexit callback; from 3.13 on its own.
FORKED = (("3.12", "multiprocessing"), ("", "atexit"))
CELERY = (("", "celery.worker_process_shutdown"),)
ASKED = {"POOLWITNESS_SIGTERM": "1"}


@dataclass(frozen=True)
class Cell:
    """A process model and an end of it.

    ``hooks`` are pairs: up to which Python, and the hook that tells the verdict there; an empty one tells nothing, and
    the black box is read. ``{port}`` in the command is a free one; a program with a port is asked over HTTP first.
    Each signal but the last is a reload: the workers are replaced, and asked again. The signal 0 is none.
    """

    model: str
    end: str
    command: tuple[str, ...]
    hooks: tuple[tuple[str, str], ...] = ATEXIT
    signals: tuple[int, ...] = ()
    status: int = 0
    env: dict[str, str] = field(default_factory=dict)
    needs: str = ""
    processes: int = 1
    requests: int = 1  # more than one: each renews the worker
    is_busy: bool = False  # in the middle of a request when its (first) signal comes
    to_group: bool = False  # as a terminal sends it
    not_run: dict[str, str] = field(default_factory=dict)  # on which Pythons, and why
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

    def why_not(self, python: tuple[int, int] = sys.version_info[:2]) -> str:
        """Why it cannot be run on a Python; empty where it is."""
        return self.not_run.get(f"{python[0]}.{python[1]}", "")

    @property
    def serves(self) -> bool:
        """Whether it answers over HTTP."""
        return any("{port}" in word for word in self.command)


def _plain(model: str, how: str) -> tuple[str, ...]:
    return ("plain.py", model, how)


def gunicorn(*words: str, app: str = "shop:app") -> tuple[str, ...]:
    """Its command line."""
    return ("-m", "gunicorn", "--bind", "127.0.0.1:{port}", "--workers", "1", *words, app)


def uvicorn(*words: str) -> tuple[str, ...]:
    """Its command line."""
    return ("-m", "uvicorn", "--port", "{port}", *words, "shop:asgi")


def celery(pool: str, *words: str, app: str = "tasks") -> tuple[str, ...]:
    """The command line of its worker."""
    return ("-m", "celery", "-A", app, "worker", "-P", pool, "-c", "1", "--loglevel", "ERROR", *words)


def uwsgi(*words: str, app: str = "shop:app") -> tuple[str, ...]:
    """Its command line."""
    return (
        *("-c", "import pyuwsgi; pyuwsgi.run()", "--http-socket", "127.0.0.1:{port}", "--stats", "127.0.0.1:{stats}"),
        *("--master", "--enable-threads", "--die-on-term", "--need-app", "--pythonpath", ".", "--module", app),
        *("--binary-path", "{python}", *words),
    )


_ONE_REQUEST = ("--max-requests", "1", "--min-worker-lifetime", "0")
_DEADLOCK = (
    "its handler of SIGQUIT takes a lock that the worker has while it takes in a request; one that comes then waits for"
    " ever, and gunicorn ends it by SIGKILL after --graceful-timeout, with the agent and without"
)
_ONE_TASK = ("--max-tasks-per-child", "1")


def runserver(*words: str) -> tuple[str, ...]:
    """The command line of Django's own server."""
    return ("-m", "django", "runserver", *words, "127.0.0.1:{port}")


_DJANGO = {"DJANGO_SETTINGS_MODULE": "shop_settings"}
NO_UWSGI = {"3.15": "pyuwsgi has no wheel for it yet"}

PROGRAMS = (
    Cell("a program", "its last line", _plain("program", "return")),
    Cell("a program", "sys.exit(3)", _plain("program", "sys.exit"), status=3),
    Cell("a program", "an exception", _plain("program", "exception"), status=1),
    Cell("a program", "SIGINT", _plain("program", "wait"), signals=(INT,), status=-INT),
    Cell("a program", "SIGTERM", _plain("program", "wait"), NOBODY, (TERM,), -TERM),
    Cell("a program", "SIGTERM, asked for", _plain("program", "wait"), SIGTERM_HOOK, (TERM,), -TERM, ASKED),
    Cell("a program", "os._exit(3)", _plain("program", "os._exit"), NOBODY, status=3),
    Cell("a program", "SIGKILL", _plain("program", "wait"), NOBODY, (KILL,), -KILL),
    Cell("a program", "a crash", _plain("program", "crash"), NOBODY, status=-11),
    Cell("os.fork", "its last line", _plain("os.fork", "return")),
    Cell("os.fork", "sys.exit(3)", _plain("os.fork", "sys.exit"), status=3),
    Cell("os.fork", "os._exit(3)", _plain("os.fork", "os._exit"), NOBODY, status=3),
    Cell("os.fork", "SIGKILL", _plain("os.fork", "SIGKILL"), NOBODY, status=-KILL % 256),
    *(
        Cell(f"multiprocessing, {model}", end, _plain(model, how), hooks, status=status % 256, env=env)
        for model, ordinary in (("fork", FORKED), ("forkserver", FORKED), ("spawn", ATEXIT))
        for end, how, hooks, status, env in (
            ("its last line", "return", ordinary, 0, {}),
            ("sys.exit(3)", "sys.exit", ordinary, 3, {}),
            ("an exception", "exception", ordinary, 1, {}),
            ("os._exit(3)", "os._exit", NOBODY, 3, {}),
            ("terminate()", "terminate", NOBODY, -TERM, {}),
            ("terminate(), asked for", "terminate", SIGTERM_HOOK, -TERM, ASKED),
        )
    ),
    Cell("multiprocessing.Pool, fork", "close()", _plain("Pool", "return"), FORKED),
    Cell("ProcessPoolExecutor, fork", "shutdown()", _plain("ProcessPoolExecutor", "return"), FORKED),
)


def _server(needs: str, model: str, end: str, command: tuple[str, ...], *signals: int, **more: Any) -> Cell:
    return Cell(model, end, command, more.pop("hooks", ATEXIT), signals, needs=needs, **more)


_gunicorn = partial(_server, "gunicorn")
_uvicorn = partial(_server, "uvicorn")
_celery = partial(_server, "celery")
_uwsgi = partial(_server, "pyuwsgi", "uWSGI", not_run=NO_UWSGI)
_django = partial(_server, "django", env=_DJANGO)

SERVERS = (
    *(
        _gunicorn(
            f"gunicorn, {model}",
            end,
            gunicorn(*words, *more),
            *signals,
            processes=processes,
            requests=requests,
            note=_DEADLOCK if (model, end) in (("gthread", "SIGINT"), ("gthread", "SIGQUIT")) else "",
        )
        for model, words in (("sync", ()), ("gthread", ("--threads", "2")), ("--preload", ("--preload",)))
        for end, more, signals, processes, requests in (
            ("SIGTERM", (), (TERM,), 1, 1),
            ("SIGINT", (), (INT,), 1, 1),
            ("SIGQUIT", (), (QUIT,), 1, 1),
            ("SIGHUP, then SIGTERM", (), (HUP, TERM), 2, 1),
            ("--max-requests 1, then SIGTERM", ("--max-requests", "1"), (TERM,), 2, 2),
        )
    ),
    _gunicorn(
        "gunicorn, sync",
        "--timeout 2, then SIGTERM",
        gunicorn("--timeout", "2"),
        0,
        TERM,
        processes=2,
        is_busy=True,
        note="a request takes longer, and gunicorn ends its worker by SIGABRT",
    ),
    _uvicorn("uvicorn", "SIGINT", uvicorn(), INT),
    _uvicorn("uvicorn", "SIGTERM", uvicorn(), TERM, hooks=NOBODY, status=-TERM),
    _uvicorn("uvicorn", "SIGTERM, asked for", uvicorn(), TERM, hooks=SIGTERM_HOOK, status=-TERM, env=ASKED),
    _uvicorn("uvicorn, --workers 2", "SIGTERM", uvicorn("--workers", "2"), TERM, hooks=NOBODY),
    _uvicorn("uvicorn, --workers 2", "SIGINT", uvicorn("--workers", "2"), INT, hooks=NOBODY),
    *(
        _uvicorn("uvicorn, --workers 2", f"{end}, asked for", uvicorn("--workers", "2"), number, hooks=hooks, env=ASKED)
        for end, number, hooks in (("SIGTERM", TERM, SIGTERM_HOOK), ("SIGINT", INT, SIGTERM_HOOK))
    ),
    *(
        _celery(f"celery, {pool}", end, celery(pool, *more), number, hooks=hooks, status=status)
        for pool, hooks in (("prefork", CELERY), ("threads", ATEXIT))
        for end, more, number, status in (
            ("SIGTERM", (), TERM, 0),
            ("SIGINT", (), INT, 1),
            ("SIGQUIT", (), QUIT, 0),
            *([("--max-tasks-per-child 1, then SIGTERM", _ONE_TASK, TERM, 0)] if pool == "prefork" else []),
        )
    ),
    _uwsgi("SIGTERM", uwsgi(), TERM),
    _uwsgi("SIGINT", uwsgi(), INT),
    _uwsgi("SIGHUP, then SIGTERM", uwsgi(), HUP, TERM, processes=2),
    _uwsgi("--max-requests 1, then SIGTERM", uwsgi(*_ONE_REQUEST), TERM, requests=2, processes=2),
    _uwsgi(
        "SIGTERM in the middle of a request",
        uwsgi(),
        TERM,
        hooks=NOBODY,
        is_busy=True,
        note="uWSGI calls no exit hook in a worker that is busy, and none in its master at any time",
    ),
    _django("Django, runserver", "SIGINT", runserver("--noreload"), INT),
    _django("Django, runserver", "SIGTERM", runserver("--noreload"), TERM, hooks=NOBODY, status=-TERM),
    _django(
        "Django, runserver",
        "SIGTERM, asked for",
        runserver("--noreload"),
        TERM,
        hooks=SIGTERM_HOOK,
        status=-TERM,
        env={**_DJANGO, **ASKED},
    ),
    _django("Django, runserver with its reloader", "SIGINT from a terminal", runserver(), INT, to_group=True),
    _django(
        "Django, runserver with its reloader",
        "SIGTERM",
        runserver(),
        TERM,
        hooks=NOBODY,
        note="the reloader ends its child by SIGKILL",
    ),
    _django("Django, a management command", "its last line", ("-m", "django", "count_stock")),
)
