"""``poolwitness postmortem``: what was left is told and cleared away; what lives, is torn or is hostile is not."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from poolwitness.blackbox import format as layout
from poolwitness.blackbox import reader
from poolwitness.blackbox.archive import Archive, Unfinished
from poolwitness.blackbox.documents import Refused
from poolwitness.blackbox.reader import Alive
from poolwitness.cli.postmortem import events_of
from poolwitness.cli.state_text import text_of
from poolwitness.config import Config
from poolwitness.diagnose.registry import run_rules
from poolwitness.report.pipeline import as_lines
from tests.support.commands import Completed, cli, environ
from tests.support.programs import environment, run, strict

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL to send there")]

PROGRAM = """
    import os, signal, sys, threading, time
    from psycopg_pool import ConnectionPool

    dsn = os.environ["DSN"]
    shop = ConnectionPool(dsn, min_size=1, max_size=2, name="shop", open=True)
    closed = ConnectionPool(dsn, min_size=1, name="closed", open=True)
    closed.close()
    idle = ConnectionPool(dsn, min_size=1, name="idle", open=False)
    unreachable = ConnectionPool("host=127.0.0.1 port=1 password=geheim", min_size=1, name="unreachable", open=True)

    def hold():
        conn = shop.getconn()
        conn.execute("select 1")
        held.release()
        threading.Event().wait()

    def want():
        with shop.connection(timeout=60):
            pass

    held = threading.Semaphore(0)
    for name in ("first", "second"):
        threading.Thread(target=hold, name=name, daemon=True).start()
        held.acquire()
    threading.Thread(target=want, name="third", daemon=True).start()
    while not shop._waiting:
        time.sleep(0.01)
    time.sleep(0.5)
"""
# Each run of the tests spoils files in the same ways; more of them on request.
SEEDS = int(os.environ.get("POOLWITNESS_TEST_SEEDS", "2"))
KILLED = PROGRAM + "    os.kill(os.getpid(), signal.SIGKILL)\n"


def settings(folder: Path, dsn: str, **more: str) -> dict[str, str]:
    """The environment of a program with a black box."""
    return environment(
        **{
            "POOLWITNESS": "1",
            "POOLWITNESS_OUTPUT": "none",
            "POOLWITNESS_BLACKBOX": str(folder),
            "POOLWITNESS_SWEEP_S": "0.1",
            "DSN": dsn,
            **more,
        }
    )


def told(completed: Completed) -> list[dict[str, Any]]:
    """The events on a command's stdout."""
    assert "Traceback" not in completed.stderr
    return [strict(line) for line in completed.stdout.encode().splitlines(keepends=True)]


def named(found: list[dict[str, Any]], event: str) -> list[dict[str, Any]]:
    """The events of one name."""
    return [each for each in found if each["event"] == event]


def pid_in(path: Path) -> int:
    """The process that left a file."""
    left = reader.read(str(path))
    assert left is not None
    return left.identity.pid


def line_of(text: str) -> int:
    """The line of the program, as `run` writes it, that has a text."""
    return next(number for number, line in enumerate(PROGRAM.splitlines(), start=0) if text in line)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, dsn: str) -> Path:
    """The file that a killed program left."""
    folder = tmp_path_factory.mktemp("boxes")
    ran = run(KILLED, settings(folder, dsn))
    assert ran.status == -signal.SIGKILL
    (path,) = folder.iterdir()
    return path


@pytest.fixture
def left(original: Path, tmp_path: Path) -> Path:
    """A copy of that file, in a directory of its own."""
    folder = tmp_path / "boxes"
    folder.mkdir()
    return Path(shutil.copy(original, folder / original.name))


def test_tells_what_was_open_held_and_waiting(left: Path) -> None:
    completed = cli("postmortem", str(left.parent))
    assert completed.returncode == 0
    found = told(completed)
    pid = int(left.name.partition("-")[0])
    assert {event["process.pid"] for event in found} == {pid}
    assert len({event["poolwitness.report_id"] for event in found}) == 1
    (head,) = named(found, "poolwitness.postmortem")
    assert (head["poolwitness.pools_open"], head["poolwitness.pools_closed"]) == (2, 1)
    assert (head["poolwitness.connections_out"], head["poolwitness.requests_waiting"]) == (2, 1)
    assert head["poolwitness.program"].endswith("program.py")
    assert head["poolwitness.records_dropped"] == 0
    pools = {event["db.client.connection.pool.name"]: event for event in named(found, "poolwitness.pool.state")}
    assert {name: event["poolwitness.pool.state"] for name, event in pools.items()} == {
        "shop": "open",
        "idle": "new",
        "unreachable": "open",
    }
    for name, event in pools.items():
        assert event["code.line.number"] == line_of(f'name="{name}"')
    holders = {event["poolwitness.holder"]: event for event in named(found, "poolwitness.holder")}
    assert set(holders) == {"first", "second"}
    for event in holders.values():
        assert event["code.line.number"] == line_of("shop.getconn()")
        assert event["code.function.name"] == "hold"
        assert event["db.client.connection.pool.name"] == "shop"
        assert event["poolwitness.transaction"] == "idle in transaction"
        assert 0.3 < event["poolwitness.held_s"] < 60
    (request,) = named(found, "poolwitness.request")
    assert (request["poolwitness.holder"], request["code.line.number"]) == ("third", line_of("shop.connection("))
    (finding,) = named(found, "poolwitness.finding")
    assert finding["poolwitness.rule"] == "PW202"
    assert finding["db.client.connection.pool.name"] == "unreachable"


def test_cleans_up_what_it_has_told_unless_told_to_keep_it(left: Path) -> None:
    kept = cli("postmortem", "--keep", str(left.parent))
    assert left.exists()
    again = cli("postmortem", str(left.parent))
    assert len(told(kept)) == len(told(again)) > 5
    assert not left.exists()
    nothing = cli("postmortem", str(left.parent))
    assert (nothing.returncode, nothing.stdout) == (0, "")
    assert "no dead process" in nothing.stderr


def test_for_people(left: Path) -> None:
    completed = cli("postmortem", "--format", "console", str(left.parent))
    assert completed.returncode == 0
    text = completed.stdout
    assert "ended without a verdict" in text
    for part in (
        "pool 'shop' (psycopg_pool.ConnectionPool), open",
        "2 of 2 connections out",
        "by thread 'first'",
        "by thread 'third'",
        "PW202",
    ):
        assert part in text
    assert "idle in transaction at the last look" in text
    assert "closed" not in text


def test_no_secret_and_nobody_else_may_read_it(original: Path) -> None:
    assert b"geheim" not in original.read_bytes()
    assert stat.S_IMODE(original.stat().st_mode) == 0o600


def test_the_rules_go_by_the_settings_of_the_dead(tmp_path: Path, dsn: str) -> None:
    program = """
        import os, signal, sys, threading, time
        import poolwitness
        from psycopg_pool import ConnectionPool

        with ConnectionPool(os.environ["DSN"], min_size=3, name="shop", open=True) as pool:
            held = [pool.getconn()]
            threading.Thread(target=lambda: held.append(pool.getconn())).start()
            threading.Thread(target=pool.getconn).start()
            while len(poolwitness.findings()) < int(sys.argv[1]):
                time.sleep(0.05)
            time.sleep(1)  # several sweeps
            os.kill(os.getpid(), signal.SIGKILL)
    """
    folder = tmp_path / "boxes"
    assert run(program, settings(folder, dsn, POOLWITNESS_HELD_S="0.3"), "3").status == -signal.SIGKILL
    rules = [
        event["poolwitness.rule"]
        for event in told(cli("postmortem", "--keep", str(folder)))
        if "poolwitness.rule" in event
    ]
    assert sorted(rules) == ["PW101", "PW102", "PW103"]  # two of the threads have ended, one with what it took
    ignored = cli("postmortem", str(folder), POOLWITNESS_IGNORE="PW103,PW102,PW101")
    assert not named(told(ignored), "poolwitness.finding")
    assert run(program, settings(folder, dsn, POOLWITNESS_HELD_S="0.3", POOLWITNESS_IGNORE="PW101,PW103"), "1").status
    (finding,) = named(told(cli("postmortem", str(folder))), "poolwitness.finding")
    assert finding["poolwitness.rule"] == "PW102"


@pytest.mark.parametrize(
    ("ending", "status"),
    [("", 0), ("raise SystemExit(3)", 3), ("pool.close()", 0), ("1 / 0", 1)],
    ids=["end", "exit", "closed", "exception"],
)
def test_a_process_that_ends_with_a_verdict_leaves_nothing(tmp_path: Path, dsn: str, ending: str, status: int) -> None:
    program = f"""
        import os, sys
        from psycopg_pool import ConnectionPool

        pool = ConnectionPool(os.environ["DSN"], min_size=1, num_workers=1, open=True)
        conn = pool.getconn()
        print(len(os.listdir({str(tmp_path)!r})))
        pool.putconn(conn)
        {ending}
    """
    ran = run(program, settings(tmp_path, dsn, POOLWITNESS_CLOSE="1"))
    assert (ran.status, ran.stdout) == (status, b"1\n")
    assert not list(tmp_path.iterdir())


def test_a_process_that_leaves_without_one_is_told_of(tmp_path: Path, dsn: str) -> None:
    program = """
        import os
        from psycopg_pool import ConnectionPool

        pool = ConnectionPool(os.environ["DSN"], min_size=1, name="shop", open=True)
        os._exit(7)
    """
    assert run(program, settings(tmp_path, dsn)).status == 7
    found = told(cli("postmortem", str(tmp_path)))
    assert [event["event"] for event in found] == ["poolwitness.postmortem", "poolwitness.pool.state"]


def test_no_pool_no_file(tmp_path: Path, dsn: str) -> None:
    folder = tmp_path / "boxes"
    assert run("import psycopg_pool, os; os._exit(0)", settings(folder, dsn)).status == 0
    assert not folder.exists()


@pytest.fixture
def living(tmp_path: Path, dsn: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program that goes on until its stdin is closed."""
    program = "\n".join(
        (
            "import os, sys",
            "from psycopg_pool import ConnectionPool",
            "with ConnectionPool(os.environ['DSN'], min_size=1, name='living', open=True) as pool:",
            "    print('ready', flush=True)",
            "    sys.stdin.read()",
        )
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env=settings(tmp_path / "boxes", dsn),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process


def test_the_living_are_left_alone(living: subprocess.Popen[bytes], tmp_path: Path, original: Path) -> None:
    folder = tmp_path / "boxes"
    (path,) = folder.iterdir()
    shutil.copy(original, folder)
    completed = cli("postmortem", str(folder))
    assert completed.returncode == 0
    assert {event["process.pid"] for event in told(completed)} == {int(original.name.partition("-")[0])}
    assert "1 file of living processes left alone" in completed.stderr
    assert list(folder.iterdir()) == [path]
    living.communicate(b"")
    assert not list(folder.iterdir())


def test_a_living_process_is_known_by_its_lock_alone(
    living: subprocess.Popen[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As from another container: its pid cannot be seen, or is somebody else's.
    monkeypatch.setattr("poolwitness.blackbox.identity._namespace", lambda: 1)
    (path,) = (tmp_path / "boxes").iterdir()
    with pytest.raises(Alive):
        reader.read(str(path))
    living.kill()
    living.wait()
    assert pid_in(path) == living.pid


def test_a_living_process_is_known_without_its_lock(
    living: subprocess.Popen[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As after a program has closed all descriptors that it does not know.
    monkeypatch.setattr(reader, "is_locked", lambda fd: False)
    (path,) = (tmp_path / "boxes").iterdir()
    with pytest.raises(Alive):
        reader.read(str(path))
    living.kill()
    # Nobody has waited for it: a zombie is dead.
    deadline_mono = time.monotonic() + 30
    while b") Z " not in Path(f"/proc/{living.pid}/stat").read_bytes() and time.monotonic() < deadline_mono:
        time.sleep(0.01)
    assert pid_in(path) == living.pid


def test_a_file_that_is_done_says_nothing(left: Path) -> None:
    with left.open("r+b") as file:
        file.seek(layout.DONE_AT)
        file.write(bytes([layout.DONE]))
    completed = cli("postmortem", str(left.parent))
    assert (completed.returncode, completed.stdout) == (0, "")
    assert not left.exists()


@pytest.mark.parametrize("size", [0, 100, layout.SIZE])
def test_a_file_that_was_never_finished_says_nothing(tmp_path: Path, size: int) -> None:
    path = tmp_path / f"1-1{layout.SUFFIX}"
    path.write_bytes(bytes(size))
    completed = cli("postmortem", str(tmp_path))
    assert (completed.returncode, completed.stdout) == (0, "")
    assert not path.exists()


def spoil(path: Path, kind: str) -> None:
    """Put something else into the place of a file."""
    content = path.read_bytes()
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "link":
        path.symlink_to(path.parent.parent / "elsewhere")
    elif kind == "huge":
        with path.open("wb") as file:
            file.truncate(1 << 40)
    elif kind == "text":
        path.write_text("not a black box\n")
    elif kind == "truncated":
        path.write_bytes(content[:-1])
    elif kind == "longer":
        path.write_bytes(content + b"\0")
    elif kind == "version":
        path.write_bytes(content[:8] + b"\x63\x00" + content[10:])
    elif kind == "header":
        path.write_bytes(content[:40] + bytes(8) + content[48:])
    elif kind == "mute":
        path.write_bytes(content[: layout.CELLS.offset] + bytes(layout.SIZE - layout.CELLS.offset))


@pytest.mark.parametrize(
    "kind",
    ["pipe", "directory", "link", "huge", "text", "truncated", "longer", "version", "header", "mute"],
)
def test_what_cannot_be_believed_is_refused_in_one_sentence_and_the_others_are_read(
    left: Path, original: Path, kind: str
) -> None:
    spoil(left, kind)
    other = left.parent / f"0-0{layout.SUFFIX}"
    shutil.copy(original, other)
    completed = cli("postmortem", str(left.parent))
    assert completed.returncode == 1
    (sentence,) = completed.stderr.splitlines()
    assert sentence.startswith(f"poolwitness: {left} ")
    assert sentence.endswith(".")
    assert len(named(told(completed), "poolwitness.postmortem")) == 1
    assert os.path.lexists(left)
    assert not other.exists()


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    completed = cli("postmortem", str(tmp_path / "nowhere"))
    assert (completed.returncode, completed.stdout) == (2, "")
    (sentence,) = completed.stderr.splitlines()
    assert "nowhere" in sentence


def test_what_could_not_be_told_is_kept(left: Path) -> None:
    with open("/dev/full", "wb") as full:
        completed = subprocess.run(
            [sys.executable, "-m", "poolwitness", "postmortem", str(left.parent)],
            env=environ(),
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
        )
    assert completed.returncode == 1
    assert b"Traceback" not in completed.stderr
    assert left.exists()


def consume(data: bytes) -> bool:
    """Read some bytes as far as that goes, and do with them all that the command does; False where they are refused."""
    try:
        remains = reader.content_of(Archive(data, len(data)), "box")
    except Refused:
        return False
    found = run_rules(remains.snapshot, Config())[0]
    lines = as_lines(events_of(remains, found)).splitlines()
    text_of([json.loads(line) for line in lines])
    return True


def used_parts(content: bytes) -> list[int]:
    """Where a file has something to lose: each 64th byte of what is not zero."""
    return [at for at in range(0, len(content), 64) if any(content[at : at + 64])]


def test_truncated_at_every_64th_byte(left: Path) -> None:
    assert pid_in(left)
    for size in range(layout.SIZE - 64, -1, -64):
        os.truncate(left, size)
        with pytest.raises(Refused) as refused:
            reader.read(str(left))
        assert isinstance(refused.value, Unfinished) == (size == 0)


def test_zeros_from_every_64th_byte_on(original: Path) -> None:
    # As a disk leaves a file of which it has written one part and not the other.
    content = original.read_bytes()
    assert consume(content)
    outcomes = [consume(content[:at] + bytes(len(content) - at)) for at in used_parts(content)]
    assert not all(outcomes)


def test_any_block_lost(original: Path) -> None:
    content = original.read_bytes()
    for at in used_parts(content):
        consume(content[:at] + bytes(64) + content[at + 64 :])


@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_bytes_flipped(original: Path, seed: int) -> None:
    dice = random.Random(seed)
    content = original.read_bytes()
    used = used_parts(content)
    refused = 0
    for _ in range(150):
        spoiled = bytearray(content)
        for _ in range(dice.choice((1, 1, 2, 20))):
            at = dice.choice(used) + dice.randrange(64)
            spoiled[at] = dice.randrange(256)
        refused += not consume(bytes(spoiled))
    assert refused > 40


@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_single_bit_invents_a_connection(original: Path, seed: int) -> None:
    content = original.read_bytes()
    dice = random.Random(seed)
    first = layout.HOLDERS.offset
    for _ in range(100):
        at = first + dice.randrange(layout.HOLDERS.size * 16)
        spoiled = bytearray(content)
        spoiled[at] ^= 1 << dice.randrange(8)
        try:
            remains = reader.content_of(Archive(bytes(spoiled), len(spoiled)), "box")
        except Refused:
            continue
        assert sum(len(pool.checkouts) for pool in remains.snapshot.pools) == 2
        assert len(remains.waiting) == 1


def test_a_hostile_file_cannot_make_it_read_what_is_no_source(left: Path, tmp_path: Path) -> None:
    content = left.read_bytes()
    name = os.fsencode(f"{tmp_path}/boxes/x.fifo")
    os.mkfifo(name)
    # The program's path is one text; its checksum is made anew, as somebody would who knows the format.
    archive = Archive(content, len(content))
    (number,) = {
        number
        for number in range(1, layout.CELLS.records)
        if content[layout.CELLS.at(number) + layout.CELL_STATE] == layout.TEXT
        and archive.text(number).endswith("program.py")
    }
    at = layout.CELLS.at(number)
    check = layout.check_of(name, layout.check_of(layout.HEAD_DATA.pack(len(name), 0, 0)))
    chain = layout.HEAD.pack(len(name), check, 0, 0) + name
    assert len(chain) <= layout.CELL_ROOM
    spoiled = bytearray(content)
    spoiled[at + layout.CELL.size : at + layout.CELL.size + len(chain)] = chain
    layout.CELL.pack_into(spoiled, at, 0, len(chain), layout.TEXT)
    left.write_bytes(bytes(spoiled))
    completed = cli("postmortem", "--format", "console", str(left.parent))
    assert completed.returncode == 0
    assert "x.fifo" in completed.stdout
