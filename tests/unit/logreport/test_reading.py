"""Whatever stands around our lines and whatever was done to them: what is whole is read, the rest is counted."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from poolwitness.logreport.reading.reader import Reader
from poolwitness.logreport.reading.reader import read_sources as read
from poolwitness.logreport.reading.sources import BadSource, Source
from poolwitness.logreport.reading.sources import ReadStats as Tally
from poolwitness.logreport.reading.sources import find_sources as sources
from poolwitness.logreport.store import Store
from poolwitness.report.profiles import PROFILES
from tests.support.log_lines import Process

FOUND = Process("aaaa").found("PW001", "f" * 16)
TEXT = FOUND.decode().rstrip("\n")


@pytest.fixture
def store() -> Iterator[Store]:
    with Store() as made:
        yield made


def read_bytes(store: Store, folder: Path, *contents: bytes) -> Tally:
    """Read files with these contents."""
    for number, content in enumerate(contents):
        (folder / f"{number}.log").write_bytes(content)
    return read(sources(str(folder / f"{number}.log") for number in range(len(contents))), store)


def kept(store: Store) -> list[tuple[str, str, int]]:
    """The events in the store, in short."""
    rows = store.rows("SELECT event, fingerprint, seq FROM events ORDER BY run_id, seq")
    return [(row["event"], row["fingerprint"], row["seq"]) for row in rows]


THE_ONE = [("poolwitness.finding", "f" * 16, 1)]


def profile(name: str) -> Callable[[str], str]:
    """The line as it is written under a profile."""
    return lambda line: json.dumps(PROFILES[name].rename(json.loads(line)))


WRAPPINGS: dict[str, Callable[[str], str]] = {
    "as it is": lambda line: line,
    "docker json-file": lambda line: json.dumps(
        {"log": line + "\n", "stream": "stderr", "time": "2026-06-30T12:00:00Z"}
    ),
    "containerd": lambda line: f"2026-06-30T12:00:00.123456789Z stderr F {line}",
    "docker compose": lambda line: f"web-1  | {line}",
    "syslog": lambda line: f"Jun 30 12:00:00 host shop[7]: {line}",
    "syslog of RFC 5424": lambda line: f'<14>1 2026-06-30T12:00:00Z host shop 7 - [x@1 a="{{b}}"] {line}',
    "journalctl -o json": lambda line: json.dumps({"__CURSOR": "s=1", "MESSAGE": line, "PRIORITY": "6"}),
    "an object in an object": lambda line: json.dumps({"kubernetes": {"pod": "a"}, "log": json.loads(line)}),
    "a logging formatter's extra": lambda line: json.dumps({"msg": "told", "poolwitness": json.loads(line)}),
    "a docker line in a collector's": lambda line: json.dumps({"message": json.dumps({"log": line})}),
    "another key order and spaces": lambda line: json.dumps(dict(reversed(json.loads(line).items())), indent=None),
    "something after it": lambda line: f"{line} and the application went on",
    "a line of the application's before it": lambda line: f'{{"a": 1}} {line}',
    "braces before it": lambda line: f'{{shop}} {{{{ {{"a": {line}',
    "carriage returns": lambda line: f"{line}\r",
    "a byte order mark": lambda line: f"\ufeff{line}",
    **{name: profile(name) for name in PROFILES},
    "datadog in docker": lambda line: json.dumps({"log": profile("datadog")(line)}),
    "after another that was cut": lambda line: f"{line[:300]}{line}",
}


@pytest.mark.parametrize("name", WRAPPINGS)
def test_an_event_is_found_in_whatever_it_is_wrapped(store: Store, tmp_path: Path, name: str) -> None:
    content = f"before\n{WRAPPINGS[name](TEXT)}\nafter\n".encode()
    tally = read_bytes(store, tmp_path, content)
    assert kept(store) == THE_ONE
    assert (tally.lines, tally.events, tally.other, tally.broken) == (3, 1, 2, 0)


def test_events_that_ran_together_are_told_apart(store: Store, tmp_path: Path) -> None:
    process = Process("aaaa")
    together = process.opened().rstrip(b"\n") + process.found("PW001", "f" * 16)
    tally = read_bytes(store, tmp_path, together)
    assert [event for event, _, _ in kept(store)] == ["poolwitness.pool.opened", "poolwitness.finding"]
    assert (tally.lines, tally.events) == (1, 2)


@pytest.mark.parametrize("at", [150, 400, len(FOUND) - 2])
def test_a_line_that_was_cut_is_counted_as_broken(store: Store, tmp_path: Path, at: int) -> None:
    tally = read_bytes(store, tmp_path, FOUND[:at] + b"\n" + Process("bbbb").verdict())
    assert [event for event, _, _ in kept(store)] == ["poolwitness.verdict"]
    assert (tally.lines, tally.events, tally.broken, tally.other) == (2, 1, 1, 0)


def test_a_word_about_us_is_not_an_event_of_ours(store: Store, tmp_path: Path) -> None:
    tally = read_bytes(
        store, tmp_path, b'poolwitness: clean\n{"event": "poolwitness.finding"}\n{"event":"app","of":"poolwitness"}\n'
    )
    assert kept(store) == []
    assert (tally.lines, tally.other, tally.broken) == (3, 3, 0)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_files_are_known_by_their_first_bytes(
    store: Store, tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    tally = read_bytes(store, tmp_path, pack(b"before\n" + FOUND))
    assert kept(store) == THE_ONE
    assert (tally.lines, tally.other, tally.troubles) == (2, 1, [])


def test_a_gzip_file_that_was_cut_gives_what_it_has(store: Store, tmp_path: Path) -> None:
    process = Process("aaaa")
    packed = gzip.compress(b"".join(process.found("PW101", os.urandom(8).hex()) for _ in range(400)))
    tally = read_bytes(store, tmp_path, packed[: len(packed) // 2], FOUND.replace(b"aaaa", b"bbbb"))
    assert 50 < len(kept(store)) < 400
    assert tally.troubled == 1
    assert "0.log" in tally.troubles[0]


def test_a_growing_file_is_read_as_far_as_it_is(store: Store, tmp_path: Path) -> None:
    process = Process("aaaa")
    first, second = process.opened(), process.closed()
    tally = read_bytes(store, tmp_path, first + second[:200])
    assert (tally.events, tally.broken) == (1, 1)
    with (tmp_path / "0.log").open("ab") as file:
        file.write(second[200:])
    with Store() as later:
        tally = read(sources([str(tmp_path / "0.log")]), later)
    assert (tally.events, tally.broken) == (2, 0)


def test_what_is_in_two_files_counts_once(store: Store, tmp_path: Path) -> None:
    process = Process("aaaa")
    content = process.opened() + process.found("PW001", "f" * 16)
    again = json.dumps({"log": TEXT.replace('"poolwitness.seq":1', '"poolwitness.seq":2')}).encode() + b"\n"
    tally = read_bytes(store, tmp_path, content, content, again)
    assert len(kept(store)) == 2
    assert (tally.events, tally.duplicates) == (5, 3)


@pytest.mark.parametrize("name", ["a*.log", "a?.log", "[a].log", "it's.log", "a b.log", "ä.log"])
def test_names_are_names_and_no_patterns(store: Store, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(FOUND)
    (tmp_path / "ab.log").write_bytes(Process("bbbb").verdict())
    tally = read(sources([str(tmp_path / name)]), store)
    assert kept(store) == THE_ONE
    assert tally.files == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n \t\r\n",
        b"\x00" * 5000,
        b"\xff\xfe" + FOUND.decode().encode("utf-16-le"),
        b"{" * 100_000,
        b'{"poolwitness.run_id":' + b"[" * 50_000,
        b'{"a":' * 3000 + b'"poolwitness.run_id"',
        b'"poolwitness.run_id"' * 20_000,
        b"\x1f\x8b\x08",
        b"\xe9t\xe9\n" * 100,
        FOUND[:200] + b"\xff" + b"\n",
        FOUND[:200] + b"\x00" + b"\n",
        gzip.compress(b"something\n" * 100)[:-12],
        b"\x1f" * 100,
        b'{"event":"poolwitness.x","poolwitness.run_id":"a","timestamp":"infinity"}',
        b'{"event":"poolwitness.x","poolwitness.run_id":"a","timestamp":"2026-99-99"}',
        b'{"event":"poolwitness.x","poolwitness.run_id":{"a":NaN},"timestamp":1e999}',
    ],
    ids=range(17),
)
def test_hostile_files_do_no_harm_to_their_neighbours(store: Store, tmp_path: Path, content: bytes) -> None:
    tally = read_bytes(store, tmp_path, content, FOUND)
    assert kept(store) == THE_ONE
    assert tally.lines == tally.events + tally.other + tally.broken + tally.too_long


def test_a_line_that_is_too_long_costs_itself_alone(store: Store, tmp_path: Path) -> None:
    long = b"x" * 3_000_000
    tally = read_bytes(store, tmp_path, FOUND + long + b"\n" + Process("bbbb").verdict() + long)
    assert len(kept(store)) == 2
    assert (tally.lines, tally.too_long, tally.other) == (4, 2, 0)


def test_hostile_values_are_kept_within_bounds(store: Store, tmp_path: Path) -> None:
    odd = {
        "timestamp": "2026-06-30T12:00:00.000000Z",
        "event": "poolwitness.finding",
        "logger": "poolwitness",
        "poolwitness.run_id": "a\ud800",
        "poolwitness.seq": 10**30,
        "code.line.number": "-5",
        "poolwitness.held_s": float("nan"),
        "poolwitness.pool.id": [1],
        "message": {"deep": ["\x00"]},
        "poolwitness.fix": "\x00\x1b[31m",
    }
    content = (
        json.dumps(odd).encode()
        + b"\n"
        + json.dumps({**odd, "poolwitness.run_id": "b"}, separators=(",", ":")).encode()
        + b"\n"
    )
    tally = read_bytes(store, tmp_path, content)
    assert (tally.events, tally.broken) == (2, 0)
    assert {row["held_s"] for row in store.rows("SELECT held_s FROM events")} == {0.0}


def test_files_that_cannot_be_read_are_named(store: Store, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(FOUND)
    gone = Source(str(tmp_path / "gone.log"), 10)
    tally = read([gone, *sources([str(tmp_path / "a.log")])], store)
    assert kept(store) == THE_ONE
    assert tally.troubles == [f"{gone.path}: No such file or directory"]


def test_a_large_file_is_read_in_pieces(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("poolwitness.logreport.reading.reader.BATCH", 100_000)
    monkeypatch.setattr("poolwitness.logreport.reading.sources.CHUNK", 30_000)
    process = Process("aaaa")
    read_bytes_so_far: list[int] = []
    content = b"".join(process.found("PW101", "f" * 16) + b"something else\n" for _ in range(1000))
    (tmp_path / "a.log").write_bytes(content)
    tally = read(sources([str(tmp_path / "a.log")]), store, read_bytes_so_far.append)
    assert (tally.events, tally.other, tally.size) == (1000, 1000, len(content))
    assert len(read_bytes_so_far) > 5
    assert sum(read_bytes_so_far) == len(content)


def test_a_line_of_quiet_events_that_is_none_costs_its_neighbours_nothing(store: Store, tmp_path: Path) -> None:
    process, other = Process("aaaa"), Process("bbbb")
    broken = other.opened()[:-30] + b"}\n"
    impossible = other.opened().replace(b'"timestamp":"2026-06-30', b'"timestamp":"2026-06-31')
    neighbours = b"".join(process.opened(number) for number in range(3))
    tally = read_bytes(store, tmp_path, neighbours, broken + neighbours.replace(b"aaaa", b"cccc"), impossible)
    assert [row["run_id"] for row in store.rows("SELECT run_id FROM events ORDER BY ALL")] == ["aaaa"] * 3 + [
        "cccc"
    ] * 3
    assert (tally.lines, tally.events, tally.broken, tally.other) == (8, 6, 2, 0)


def test_a_file_that_grows_while_it_is_read_is_read_as_far_as_it_was(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process, path = Process("aaaa"), tmp_path / "0.log"
    path.write_bytes(process.opened())
    (tmp_path / "1.log").write_bytes(Process("bbbb").opened())
    looks: list[str] = []
    one = Store.one

    def grown(store: Store, sql: str) -> dict[str, Any]:
        if sql.endswith("FROM classified") and not looks:
            with path.open("ab") as file:
                file.write(process.closed())
        looks.append(sql)
        return one(store, sql)

    monkeypatch.setattr(Store, "one", grown)
    tally = read(sources([str(tmp_path)]), store)
    assert (tally.lines, tally.events, tally.broken, tally.duplicates) == (3, 3, 0, 0)
    assert len(kept(store)) == 3


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes of POSIX")
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_named_pipe_is_read_once(store: Store, tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with ThreadPoolExecutor(1) as writers:
        writers.submit(path.write_bytes, pack(b"before\n" + FOUND))
        tally = read(sources([str(path)]), store)
    assert kept(store) == THE_ONE
    assert (tally.lines, tally.other, tally.troubled) == (2, 1, 0)


def test_what_became_something_else_meanwhile_is_named(store: Store, tmp_path: Path) -> None:
    for name in ("folder.log", "gone.log", "good.log"):
        (tmp_path / name).write_bytes(FOUND)
    found = sources([str(tmp_path)])
    (tmp_path / "folder.log").unlink()
    (tmp_path / "folder.log").mkdir()
    (tmp_path / "gone.log").unlink()
    tally = read(found, store)
    assert kept(store) == THE_ONE
    assert [trouble.rpartition(": ")[2] for trouble in tally.troubles] == [
        "Is a directory",
        "No such file or directory",
    ]


def test_folders_stand_for_the_files_in_them(tmp_path: Path) -> None:
    for name in ("b/2.log", "a/1.log", "3.log"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x\n")
    assert [os.path.relpath(found.path, tmp_path) for found in sources([str(tmp_path)])] == [
        "3.log",
        "a/1.log",
        "b/2.log",
    ]
    assert len(sources([str(tmp_path), str(tmp_path / "3.log"), "-", "-"])) == 4
    (tmp_path / "empty").mkdir()
    for word in ("empty", "nothing", "nul\0"):
        with pytest.raises(BadSource, match=word.replace("\0", "")):
            sources([str(tmp_path / word)])


FRAGMENTS = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [b"\n", b"\r\n", b"\r", b"{", b'{"', b"}", b'"', b"\\", b"\x00", b"\xff", b"\x1f", b'"poolwitness.run_id"']
    ),
    st.integers(0, 200).map(lambda number: Process("aaaa", number).opened(number)),
    st.tuples(st.integers(0, 200), st.integers(1, 900)).map(
        lambda cut: Process("bbbb", cut[0]).found("PW001", "f" * 16)[: cut[1]]
    ),
    st.sampled_from(sorted(WRAPPINGS)).map(lambda name: WRAPPINGS[name](TEXT).encode() + b"\n"),
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(FRAGMENTS, max_size=30))
def test_the_quick_way_and_the_slow_ones_read_the_same(tmp_path: Path, fragments: list[bytes]) -> None:
    """Interleaved, truncated and hostile: nothing is raised, everything is counted, and both ways agree."""
    path = tmp_path / "mixed.log"
    content = b"".join(fragments)
    assume(not content.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00")))  # compressed files are read another way
    path.write_bytes(content)
    tallies, rows = [], []
    for way in ("load", "stage", "lines"):
        with Store() as store:
            reader = Reader(store)
            source = Source(str(path), path.stat().st_size)
            if way == "lines":
                reader.read_by_line(source)
            else:
                reader.read_files([source], getattr(store, way))
            reader.load_extracted()
            tallies.append(reader.stats)
            rows.append(store.rows("SELECT * FROM events ORDER BY ALL"))
    assert tallies[0] == tallies[1] == tallies[2]
    assert rows[0] == rows[1] == rows[2]
    tally = tallies[0]
    assert tally.troubled == 0
    assert tally.lines <= tally.events + tally.other + tally.broken + tally.too_long
