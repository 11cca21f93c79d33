"""Hostile names, outputs, settings and loggers: every line is whole, and the program is unharmed."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import stat
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.programs import ON, Ran, environment, run, same, stderr_to_file, strict
from tests.unit.test_config import BAD

pytestmark = pytest.mark.slow


# Names and objects of the application's

NAMES = """
    import logging, sys
    from psycopg_pool import ConnectionPool, PoolClosed
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)

    def refuse(*_):
        raise RuntimeError("hunter2")

    class Text(str):
        __repr__ = __eq__ = __hash__ = __len__ = __contains__ = refuse

    class Mute(str):
        __str__ = __repr__ = __eq__ = __hash__ = refuse

    class Pool(ConnectionPool):
        __repr__ = __str__ = __eq__ = __hash__ = __bool__ = __len__ = get_stats = refuse

    Named = type("Na\\nmed\\x1b[31m" + "x" * 10000, (ConnectionPool,), {{"__module__": 7, "__qualname__": "\\u2028"}})

    names = [
        "a\\nb", "\\r\\n\\x00\\x1b[31mred\\x07", "\\ud800lone\\udfff", "x" * 1_000_000, "\\u202eevil", "", "'\\"\\\\",
        '{{"logger":"poolwitness"}}', "%s %d {{}}", "\\U0001f600" * 5000, Text("text"), Mute("mute"), 7, b"bytes", ("a",),
    ]
    for cls in (ConnectionPool, Pool, Named):
        for name in names:
            try:
                with cls({conninfo!r}, name=name, min_size=0, max_size=1, num_workers=1, open=False) as pool:
                    pass
                try:
                    pool.getconn()
                except PoolClosed:
                    print("closed")
            except Exception as error:
                print(type(error), str(error)[:100].encode("ascii", "backslashreplace"))
            try:
                left = cls({conninfo!r}, name=name, min_size=0, max_size=1, num_workers=1, open=True)
            except Exception as error:
                print(type(error))
            else:
                left.close()
"""


@pytest.mark.parametrize("format_", ["json", "console"])
@pytest.mark.parametrize("conninfo", ["", "\ud800\n\x1b", "x" * 100_000], ids=["empty", "odd", "long"])
def test_names_and_classes_of_any_kind(format_: str, conninfo: str, tmp_path: Path) -> None:
    program = NAMES.format(conninfo=conninfo)
    env = environment(POOLWITNESS_FORMAT=format_)
    without = run(program, env)
    if format_ == "json":
        with_agent = run(program, {**env, **ON})
    else:
        with stderr_to_file(tmp_path / "stderr") as stderr:
            with_agent = run(program, {**env, **ON}, stderr=stderr)
    assert without.stdout.count(b"closed") >= 30
    same(with_agent, without)
    if format_ == "json":
        assert not with_agent.named("poolwitness.agent.part_disabled"), (
            "one odd pool must not blind the agent to others"
        )
        # A line may be lost where the reader is slow: what was found is counted all the same.
        (verdict,) = with_agent.named("poolwitness.verdict")
        assert verdict["poolwitness.found.PW005"] == without.stdout.count(b"closed\n")
        assert with_agent.verdict == "findings"
    told = with_agent.stderr if format_ == "json" else (tmp_path / "stderr").read_bytes()
    assert b"hunter2" not in told
    assert b"part_disabled" not in told
    assert b"\x1b" not in told
    assert b"\x00" not in told


def test_a_pool_that_lets_nobody_look_is_left_alone() -> None:
    program = """
        import sys
        from psycopg_pool import ConnectionPool
        class Hidden(ConnectionPool):
            def __getattribute__(self, name):
                if "poolwitness" in sys._getframe(1).f_code.co_filename:
                    raise RuntimeError("hunter2")
                return super().__getattribute__(name)
        for cls in Hidden, ConnectionPool:
            with cls("host=127.0.0.1 port=1", min_size=0, max_size=1, num_workers=1, open=False) as pool:
                print(pool.name)
    """
    with_agent, without = (run(program, environment(**more)) for more in (ON, {}))
    same(with_agent, without)
    assert b"hunter2" not in with_agent.stderr
    assert len(with_agent.named("poolwitness.agent.part_disabled")) <= 2


# Where the lines go

PLAIN = """
    import os
    from psycopg_pool import ConnectionPool, PoolClosed
    {before}
    with ConnectionPool(os.environ["DSN"], name="shop", min_size=1, max_size=1, open=False) as pool:
        with pool.connection() as conn:
            print(conn.execute("select 'a row'").fetchone())
    try:
        pool.getconn()
    except PoolClosed as error:
        print(error)
    {after}
    print("over")
"""


def plain(before: str = "", after: str = "") -> str:
    """A program that is told something about, with lines of its own before and after."""
    indented = [textwrap.indent(textwrap.dedent(text), " " * 4).lstrip() for text in (before, after)]
    return PLAIN.format(before=indented[0], after=indented[1])


def sink_pipe(fill: bool, reader: bool) -> tuple[int, list[int]]:
    """The writing end of a pipe that nobody reads: filled up, or with nobody there to read."""
    read, write = os.pipe()
    if fill:
        os.set_blocking(write, False)
        try:
            while True:
                os.write(write, b"x" * 4096)
        except BlockingIOError:
            pass
        os.set_blocking(write, True)
    if not reader:
        os.close(read)
    return write, [write, *([read] if reader else [])]


@pytest.fixture(scope="module")
def undisturbed(dsn: str) -> Ran:
    """The plain program without the agent."""
    ran = run(plain(), environment(DSN=dsn))
    assert (ran.status, ran.stderr) == (0, b"")
    return ran


@pytest.mark.parametrize("sigpipe", ["SIG_IGN", "SIG_DFL"])
@pytest.mark.parametrize(
    ("fill", "reader"),
    [(True, True), (False, False), (True, False)],
    ids=["full", "broken", "both"],
)
@pytest.mark.parametrize("output", ["stderr", "file:/proc/self/fd/2"])
@pytest.mark.parametrize("variables", [ON, {**ON, "POOLWITNESS_FORMAT": "console"}, {"POOLWITNESS": "maybe"}])
def test_a_pipe_that_nobody_reads(
    fill: bool, reader: bool, sigpipe: str, output: str, variables: dict[str, str], dsn: str, undisturbed: Ran
) -> None:
    program = plain(before=f"import signal; signal.signal(signal.SIGPIPE, signal.{sigpipe})")
    stderr, opened = sink_pipe(fill, reader)
    try:
        same(run(program, environment(DSN=dsn, POOLWITNESS_OUTPUT=output, **variables), stderr=stderr), undisturbed)
    finally:
        for fd in opened:
            os.close(fd)


def closing_stderr() -> None:
    os.close(2)


@pytest.mark.parametrize("variables", [ON, {"POOLWITNESS": "maybe"}, {**ON, "POOLWITNESS_OUTPUT": "file:/nowhere/x"}])
def test_a_closed_stderr_and_a_file_that_gets_its_number(variables: dict[str, str], dsn: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    opened = f"""
        data = os.open({str(data)!r}, os.O_RDWR | os.O_CREAT)
        print("fd", data)
        os.write(data, b"its own\\n")
    """
    program = "import os\n" + textwrap.dedent(opened) + textwrap.dedent(plain(after="os.write(data, b'bytes\\n')"))
    env = environment(DSN=dsn)
    for also in ({}, variables):
        data.unlink(missing_ok=True)
        ran = run(program, {**env, **also}, stderr=None, preexec_fn=closing_stderr)
        assert (ran.stdout[:5], ran.stdout[-5:], ran.status) == (b"fd 2\n", b"over\n", 0)
        assert data.read_bytes() == b"its own\nbytes\n", "what was stderr's number is the program's file"


DESCRIPTORS = {
    "closes stderr": ("", "os.close(2); data = os.open('data', os.O_RDWR | os.O_CREAT)"),
    "closes stderr before the import": ("os.close(2); data = os.open('data', os.O_RDWR | os.O_CREAT)", ""),
    "closes everything after the import": ("", "os.closerange(3, 256)"),
    "closes everything before the import": ("os.closerange(3, 256)", ""),
    "opens a socket on every number": (
        "",
        "os.closerange(3, 256); import socket; sockets = [socket.socketpair() for _ in range(20)]",
    ),
    "sends stderr to a file": ("", "kept = os.dup(2); os.dup2(os.open('data', os.O_RDWR | os.O_CREAT), 2)"),
    "sends stderr nowhere": ("", "os.dup2(os.open(os.devnull, os.O_RDWR), 2)"),
    "has no descriptor left": (
        "",
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))",
    ),
}
READ_BACK = """
    import socket
    for value in list(globals().values()):
        if isinstance(value, list) and value and isinstance(value[0], tuple):
            for ends in value:
                for end in ends:
                    end.setblocking(False)
                    try:
                        print("unexpected", end.recv(100))
                    except BlockingIOError:
                        pass
    print(os.path.exists("data") and open("data", "rb").read())
"""


@pytest.mark.parametrize("output", ["stderr", "file:{folder}/%p.jsonl"])
@pytest.mark.parametrize("name", DESCRIPTORS)
def test_a_program_that_does_as_it_likes_with_descriptors(name: str, output: str, dsn: str, tmp_path: Path) -> None:
    early, late = DESCRIPTORS[name]
    program = f"import os\n{early}\n" + textwrap.dedent(plain(before=late, after=READ_BACK))
    env = environment(DSN=dsn, POOLWITNESS_OUTPUT=output.format(folder=tmp_path))
    with_agent, without = (run(program, {**env, **more}) for more in (ON, {}))
    assert without.status == 0, without.stderr.decode()
    same(with_agent, without)


def test_stderr_is_found_again_when_our_copy_was_closed(dsn: str) -> None:
    ran = run(plain(before="os.closerange(3, 256)"), environment(DSN=dsn, **ON))
    assert ran.rules == ["PW005"]
    assert ran.verdict == "findings"


def test_a_daemon_does_not_keep_its_parents_pipe_open(dsn: str) -> None:
    program = (
        plain()
        + """
    if os.fork() == 0:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(null, number)
        import time
        time.sleep(30)
        os._exit(0)
"""
    )
    with_agent = run(program, environment(DSN=dsn, **ON), timeout_s=20)
    assert with_agent.stdout.endswith(b"over\n")


def directory(folder: Path) -> str:
    return str(folder)


def missing(folder: Path) -> str:
    return str(folder / "missing" / "x.jsonl")


def fifo(folder: Path) -> str:
    os.mkfifo(folder / "fifo")
    return str(folder / "fifo")


def nul_free(folder: Path) -> str:
    return os.fsdecode(os.fsencode(folder) + b"/\xff\xfe.jsonl")


def too_long(folder: Path) -> str:
    return str(folder / ("x" * 300))


@pytest.mark.parametrize("make", [directory, missing, fifo, too_long, lambda _: "/proc/self/mem/x", lambda _: "/"])
def test_a_file_that_cannot_be_opened_is_told_on_stderr(
    make: Callable[[Path], str], dsn: str, tmp_path: Path, undisturbed: Ran
) -> None:
    with_agent = run(plain(), environment(DSN=dsn, POOLWITNESS_OUTPUT=f"file:{make(tmp_path)}", **ON))
    same(with_agent, undisturbed)
    (problem,) = with_agent.named("poolwitness.agent.setting_invalid")
    assert "cannot write to" in problem["message"]
    assert with_agent.rules == ["PW005"]


@pytest.mark.parametrize("output", ["file:/dev/full", "file:/dev/full,stderr", "file:/dev/zero"])
def test_a_device_as_a_file(output: str, dsn: str, undisturbed: Ran) -> None:
    with_agent = run(plain(), environment(DSN=dsn, POOLWITNESS_OUTPUT=output, **ON))
    same(with_agent, undisturbed)
    assert bool(with_agent.events) == ("stderr" in output)


def test_stderr_on_a_full_disk(dsn: str, undisturbed: Ran) -> None:
    with open("/dev/full", "w") as full:
        same(run(plain(), environment(DSN=dsn, **ON), stderr=full), undisturbed)


def limiting_files() -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))


def test_a_file_that_may_not_grow(dsn: str, tmp_path: Path, undisturbed: Ran) -> None:
    path = tmp_path / "x.jsonl"
    env = environment(DSN=dsn, POOLWITNESS_OUTPUT=f"file:{path}", **ON)
    same(run(plain(), env, preexec_fn=limiting_files), undisturbed)
    assert path.stat().st_size <= 1000


def test_a_path_of_any_bytes(dsn: str, tmp_path: Path) -> None:
    ran = run(plain(), environment(DSN=dsn, **ON, POOLWITNESS_OUTPUT=f"file:{nul_free(tmp_path)}"))
    assert ran.stdout.endswith(b"over\n")
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) & 0o007 == 0, "not for everybody's eyes"
    assert [strict(line)["event"] for line in file.read_bytes().splitlines(keepends=True)][-1] == "poolwitness.verdict"


def test_a_nonblocking_stderr(dsn: str) -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    env = environment(DSN=dsn)
    try:
        with_agent = run(plain(), {**env, **ON}, stderr=write)
        assert with_agent.stdout.endswith(b"over\n")
        assert not os.get_blocking(write), "the flag is shared with others: it is not ours to change"
        fcntl.fcntl(read, fcntl.F_SETFL, os.O_NONBLOCK)
        lines = os.read(read, 1 << 20).splitlines(keepends=True)
        assert [strict(line)["event"] for line in lines][-1] == "poolwitness.verdict"
    finally:
        os.close(read)
        os.close(write)


# Settings


def bad_together() -> list[dict[str, str]]:
    """Each bad value of each variable once, as many variables at a time as can be; POOLWITNESS itself apart."""
    rows: list[dict[str, str]] = []
    for name, _, value in BAD:
        if name == "POOLWITNESS":
            continue
        row = next((row for row in rows if name not in row), None)
        if row is None:
            row = {}
            rows.append(row)
        row[name] = value
    return rows


@pytest.mark.parametrize("bad", bad_together(), ids=lambda bad: str(len(bad)))
def test_wrong_values_are_told_once_and_the_program_runs(bad: dict[str, str], dsn: str, undisturbed: Ran) -> None:
    with_agent = run(plain(), environment(DSN=dsn, **ON, **bad))
    same(with_agent, undisturbed)
    told = [event["message"] for event in with_agent.named("poolwitness.agent.setting_invalid")]
    assert sorted(message.partition("=")[0] for message in told) == sorted(bad)
    assert with_agent.rules == ["PW005"]


@pytest.mark.parametrize("value", [value for name, _, value in BAD if name == "POOLWITNESS"])
def test_neither_on_nor_off_is_off_and_told(value: str, dsn: str, undisturbed: Ran) -> None:
    with_agent = run(plain(), environment(DSN=dsn, POOLWITNESS=value))
    same(with_agent, undisturbed)
    (event,) = with_agent.events
    assert repr(value) in event["message"]


# The application's logging and structlog

HANDLERS = {
    "raises": "raise RuntimeError('hunter2')",
    "raises what is no Exception of its own": "raise OSError(28, 'hunter2')",
    "recurses": "logging.getLogger('poolwitness').warning('again')",
    "uses the pool": "pool.getconn(timeout=0.2)",
    "makes a pool": "ConnectionPool('host=127.0.0.1 port=1', name='its own', min_size=0, max_size=1, num_workers=1, open=True).close()",
    "changes the record": "record.poolwitness.clear(); record.msg = None",
}


@pytest.mark.parametrize("name", HANDLERS)
def test_a_log_handler_that_misbehaves(name: str, dsn: str) -> None:
    before = f"""
        import logging
        class Handler(logging.Handler):
            calls = 0
            def emit(self, record):
                if Handler.calls < 50:
                    Handler.calls += 1
                    {HANDLERS[name]}
        logging.getLogger("poolwitness").addHandler(Handler())
        logging.getLogger("poolwitness").setLevel(logging.INFO)
        logging.raiseExceptions = False
    """
    after = "import sys; sys.stderr.write(f'calls {Handler.calls > 0}\\n')"
    env = environment(DSN=dsn, POOLWITNESS_OUTPUT="logging,stderr")
    with_agent, without = (run(plain(before=before, after=after), {**env, **more}) for more in (ON, {}))
    assert (with_agent.stdout, with_agent.status) == (without.stdout, without.status)
    assert (with_agent.own_stderr, without.own_stderr) == (b"calls True\n", b"calls False\n")
    assert with_agent.verdict == "findings", "another output is not held up"
    assert b"hunter2" not in with_agent.stderr
    assert not with_agent.named("poolwitness.agent.part_disabled")


STRUCTLOG = {
    "raises": "raise RuntimeError('hunter2')",
    "drops": "raise structlog.DropEvent",
    "uses the pool": "pool.getconn(timeout=0.2)",
    "clears the event": "event.clear()",
}


@pytest.mark.parametrize("name", STRUCTLOG)
def test_a_structlog_processor_that_misbehaves(name: str, dsn: str) -> None:
    before = f"""
        import structlog, sys
        calls = []
        def processor(_, __, event):
            calls.append(1)
            if len(calls) < 50:
                {STRUCTLOG[name]}
            return event
        structlog.configure(
            processors=[processor, structlog.processors.JSONRenderer()],
            logger_factory=structlog.WriteLoggerFactory(file=open(os.devnull, "w")),
        )
    """
    after = "import sys; sys.stderr.write(f'calls {len(calls) > 0}\\n')"
    env = environment(DSN=dsn, POOLWITNESS_OUTPUT="structlog,stderr")
    with_agent, without = (run(plain(before=before, after=after), {**env, **more}) for more in (ON, {}))
    assert (with_agent.stdout, with_agent.status) == (without.stdout, without.status)
    assert (with_agent.own_stderr, without.own_stderr) == (b"calls True\n", b"calls False\n")
    assert with_agent.verdict == "findings"
    assert not with_agent.named("poolwitness.agent.part_disabled")


# What is said at the very end


def test_an_exception_of_any_name_from_a_finalizer(dsn: str) -> None:
    namespace = """
class Odd(Exception):
    pass
Odd.__name__ = 'Na"me\\\\\\\\\\\\n' + 'x' * 5000
def stop(self):
    raise Odd("hunter2")
"""
    program = f"""
        import os
        from psycopg_pool import ConnectionPool
        left = ConnectionPool(os.environ["DSN"], min_size=0, max_size=1, num_workers=1, open=True)
        namespace = {{}}
        exec({namespace!r}, namespace)
        ConnectionPool._signal_stop_worker = namespace["stop"]
        print("over")
    """
    ran: Ran = run(program, environment(DSN=dsn, **ON))
    assert ran.stdout == b"over\n"
    late: list[dict[str, Any]] = [event for event in ran.events if event.get("poolwitness.rule") == "PW003"]
    assert [event["exception.type"][:5] for event in late] == ["Namen"]


assert sys.platform != "win32", "pipes, preexec_fn and /dev: these tests are for POSIX"
