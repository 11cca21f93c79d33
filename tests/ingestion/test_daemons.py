"""The recipes of docs/ingestion that can be run here: a real daemon, real lines among an application's own, read back whole."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from poolwitness.contract import lnav
from poolwitness.report.fields import ALWAYS, TYPES
from poolwitness.report.open_sinks import json_renderer
from tests.support import dockerd, samples
from tests.support.commands import cli
from tests.support.journald import Journal
from tests.support.programs import environment, is_ours, strict

slow = pytest.mark.slow

RECIPES = Path(__file__).resolve().parents[2] / "docs" / "ingestion"
PATIENCE_S = 60.0
# It writes lines of its own that are as long as they like, JSON or not, to the same file or stream as the agent.
SHOP = """
import json, os, sys
from psycopg_pool import ConnectionPool
if "LOG" in os.environ:
    sys.stderr = open(os.environ["LOG"], "a", buffering=1)
for number in range(50):
    print("plain line", number, file=sys.stderr)
    print(json.dumps({"logger": "shop", "message": "ÄÖÜ " + "x" * (number * int(os.environ.get("STEP", "100")))}), file=sys.stderr)
    name = ["shop", "\\ud800 \\x00 \\n ä", "x" * 3000][number % 3]
    with ConnectionPool("host=127.0.0.1 port=1", min_size=0, max_size=1, num_workers=1, name=name, open=False):
        pass
"""


def tool(name: str) -> str:
    """A program that must be installed for its recipe to be run."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def adapted(recipe: str, folder: Path) -> Path:
    """A recipe with its folders in *folder*."""
    text = (RECIPES / recipe).read_text(encoding="utf-8")
    for theirs in ("/var/log/shop", "/var/log/collected", "/var/spool/rsyslog"):
        ours = folder / Path(theirs).name
        ours.mkdir(exist_ok=True)
        text = text.replace(theirs, str(ours))
    path = folder / recipe
    path.write_text(text, encoding="utf-8")
    return path


@contextmanager
def running(*command: str, **more: Any) -> Iterator[None]:
    """A daemon in the foreground, ended with the test."""
    daemon = subprocess.Popen(command, **more)
    try:
        yield
        assert daemon.poll() is None, f"{command[0]} has ended"
    finally:
        daemon.terminate()
        daemon.wait(PATIENCE_S)


def write(log: Path, processes: int) -> tuple[list[bytes], list[bytes]]:
    """Have several processes write into one file at once; the agent's lines and all others."""
    env = environment(POOLWITNESS="1", POOLWITNESS_OUTPUT=f"file:{log}", LOG=str(log))
    started = [subprocess.Popen([sys.executable, "-c", SHOP], env=env) for _ in range(processes)]
    assert [process.wait(PATIENCE_S) for process in started] == [0] * processes
    lines = log.read_bytes().splitlines(keepends=True)
    ours = [line for line in lines if is_ours(line)]
    assert len(ours) >= processes * 30
    return ours, [line for line in lines if line not in set(ours)]


# Several processes of one service: what they print, with the numbers of the processes.
SERVICE = """
import subprocess, sys
started = [subprocess.Popen([sys.executable, "-c", sys.argv[1]]) for _ in range(4)]
sys.exit(max(process.wait() for process in started))
"""


def eventually(check: Callable[[], bool]) -> bool:
    """Poll until it holds."""
    deadline_mono = time.monotonic() + PATIENCE_S
    while not check():
        if time.monotonic() > deadline_mono:
            return False
        time.sleep(0.05)
    return True


@slow
@pytest.mark.parametrize("daemon", ["rsyslogd", "syslog-ng"])
def test_a_syslog_daemon_hands_on_every_line_whole(daemon: str, tmp_path: Path) -> None:
    binary = tool(daemon)
    control = tmp_path / "control"
    if daemon == "rsyslogd":
        config = adapted("rsyslog.conf", tmp_path)
        modules = os.environ.get("POOLWITNESS_TEST_RSYSLOG_MODULES")
        command = [binary, "-n", "-f", str(config), "-i", f"{control}.pid", *(["-M", modules] if modules else [])]
    else:
        config = adapted("syslog-ng.conf", tmp_path)
        modules = os.environ.get("POOLWITNESS_TEST_SYSLOG_NG_MODULES")
        command = [binary, "-F", "--no-caps", "-f", str(config), "-R", f"{control}.persist", "-c", f"{control}.ctl"]
        command += ["-p", f"{control}.pid", *(["--module-path", modules] if modules else [])]
    collected = tmp_path / "collected"
    with running(*command):
        ours, others = write(tmp_path / "shop" / "web.log", processes=4)
        theirs, rest = collected / "poolwitness.jsonl", collected / "shop.log"

        def complete() -> bool:
            return all(
                path.exists() and path.read_bytes().count(b"\n") >= len(lines)
                for path, lines in ((theirs, ours), (rest, others))
            )

        assert eventually(complete), (
            f"{theirs}: {theirs.exists() and theirs.read_bytes().count(bytes([10]))} of {len(ours)}"
        )
    assert sorted(theirs.read_bytes().splitlines(keepends=True)) == sorted(ours)
    assert sorted(rest.read_bytes().splitlines(keepends=True)) == sorted(others)
    for line in theirs.read_bytes().splitlines(keepends=True):
        strict(line)


@slow
def test_fluent_bit_hands_on_every_line_whole(tmp_path: Path) -> None:
    binary = tool("fluent-bit")
    config = adapted("fluent-bit.yaml", tmp_path)
    log, collected = tmp_path / "shop" / "web.log", tmp_path / "collected.jsonl"
    probe = json_renderer("default")(samples.SAMPLES["poolwitness.finding"])
    log.touch()  # of a file that is there it reads what is added

    def taken() -> list[dict[str, Any]]:
        return [json.loads(line) for line in collected.read_bytes().splitlines() if line.endswith(b"}")]

    def at_work() -> bool:
        with log.open("ab") as file:
            file.write(probe)
        return bool(taken())

    # Where a clock is not UTC's its times are to be right all the same.
    with (
        collected.open("wb") as out,
        running(binary, "-c", str(config), stdout=out, env={**os.environ, "TZ": "America/New_York"}),
    ):
        assert eventually(at_work)
        ours, _ = write(log, processes=4)
        wanted = [strict(line) for line in ours if line != probe]
        runs = {event["poolwitness.run_id"] for event in wanted}
        assert eventually(lambda: sum(event["poolwitness.run_id"] in runs for event in taken()) >= len(wanted))
        events = taken()
    assert all(event["logger"] == "poolwitness" for event in events), "its lines alone"
    back = [event for event in events if event["poolwitness.run_id"] in runs]
    for event in back:
        at = datetime.fromisoformat(event["timestamp"].replace("Z", "+00:00")).timestamp()
        assert abs(event.pop("date") - at) < 0.000_01

    def number(event: dict[str, Any]) -> tuple[str, int]:
        return event["poolwitness.run_id"], event["poolwitness.seq"]

    assert sorted(back, key=number) == sorted(wanted, key=number)


def all_there(lines: list[bytes], step: int = 100) -> None:
    """What the service has printed is there, the agent's lines and its own, each whole and in its process's order.

    Args:
        lines: as they were read back.
        step: by how much each of its own lines is longer than the one before.
    """
    ours = [strict(line) for line in lines if is_ours(line)]
    others = [line for line in lines if not is_ours(line)]
    by_run: dict[str, list[dict[str, Any]]] = {}
    for event in ours:
        by_run.setdefault(event["poolwitness.run_id"], []).append(event)
    assert len(by_run) == 4
    for events in by_run.values():
        assert len(events) >= 30
        numbers = [event["poolwitness.seq"] for event in events]
        assert numbers == sorted(set(numbers)), "in their order"
        # Where the daemon does not keep up the agent loses lines, and says how many.
        assert events[-1]["event"] == "poolwitness.verdict"
        assert numbers[-1] - len(numbers) == events[-1]["poolwitness.lines_lost"]
    plain = [b"plain line %d\n" % number for number in range(50)] * 4
    assert sorted(line for line in others if line.startswith(b"plain")) == sorted(plain)
    said = [json.loads(line)["message"] for line in others if line.startswith(b"{")]
    assert sorted(said) == sorted(["ÄÖÜ " + "x" * (number * step) for number in range(50)] * 4)
    assert len(others) == 2 * 50 * 4


@slow
def test_journald_hands_on_every_line_whole(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    command = [sys.executable, "-c", SERVICE, SHOP]
    with journal.of(*command, env=environment(POOLWITNESS="1"), stdin=subprocess.DEVNULL) as service:
        assert service.wait(PATIENCE_S) == 0
    with journal.reading("-o", "cat") as printed:
        lines = list(printed)
    all_there(lines)

    with journal.reading("-o", "json", "--all") as printed:
        whole = [json.loads(line)["MESSAGE"] for line in printed]
    assert [message.encode() + b"\n" for message in whole] == lines
    # The recipe warns of this.
    assert any(len(line) > 4089 for line in lines)
    with journal.reading("-o", "json") as printed:
        cut = [json.loads(line)["MESSAGE"] for line in printed]
    assert [message is None for message in cut] == [len(b"MESSAGE=" + line) - 1 > 4096 for line in lines]


@slow
def test_docker_hands_on_every_line_whole(tmp_path: Path) -> None:
    with dockerd.running(tmp_path) as docker:
        # Longer ones of the application's own mix on a pipe that is full.
        shop = {"STEP": "75", "POOLWITNESS": "1", "PYTHONIOENCODING": "utf-8"}
        records = docker.run(sys.executable, "-c", SERVICE, SHOP, **shop)
        long = docker.run(sys.executable, "-c", "import os; os.write(2, b'x' * 20000 + b'\\n')")
    assert {record["stream"] for record in records} == {"stderr"}
    all_there([record["log"].encode() for record in records], step=75)
    # The recipe says so of lines past 16 KiB.
    assert [len(record["log"]) for record in long] == [1 << 14, 20_001 - (1 << 14)]


def lnav_runs(folder: Path, *arguments: str) -> str:
    """What lnav prints, with the format file where it looks for it."""
    formats = folder / ".config" / "lnav" / "formats" / "installed"
    formats.mkdir(parents=True, exist_ok=True)
    (formats / "poolwitness_log.json").write_text(cli("lnav-format").stdout, encoding="utf-8")
    env = {**os.environ, "HOME": str(folder), "TERM": "dumb"}
    ran = subprocess.run(
        [tool("lnav"), "-n", *arguments], env=env, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert not ran.stderr
    return ran.stdout


@slow
def test_lnav_takes_the_format(tmp_path: Path) -> None:
    assert lnav_runs(tmp_path, "-C") == ""


@slow
def test_lnav_knows_every_field_and_its_type(tmp_path: Path) -> None:
    log = tmp_path / "lines.jsonl"
    log.write_text("".join(json.dumps(event) + "\n" for event in samples.SAMPLES.values()), encoding="utf-8")
    names = [name for name in TYPES if name not in ("timestamp", "level", "message", "process.pid")]
    columns = ", ".join(f'max(case when "{name}" is not null then typeof("{name}") end)' for name in names)
    query = f"select {columns} from {lnav.NAME}"
    out = lnav_runs(tmp_path, "-c", f";{query}", "-c", ":write-json-to -", str(log))
    (row,) = json.loads(out)
    types = dict(zip(names, row.values(), strict=True))
    expected = {"text": "text", "integer": "integer", "number": "real", "boolean": "integer", "texts": "text"}
    assert types == {name: expected[TYPES[name]] for name in names}


@slow
def test_lnav_shows_a_persons_line(tmp_path: Path) -> None:
    log = tmp_path / "lines.jsonl"
    log.write_text(json.dumps(samples.SAMPLES["poolwitness.finding"]) + "\n", encoding="utf-8")
    first = lnav_runs(tmp_path, str(log)).splitlines()[0]
    assert first.startswith("2026-11-22T16:54:00.123")
    assert first.split()[1:4] == ["warning", "4711", "PW001"]
    assert first.endswith("was never closed")


def test_the_file_is_made_of_the_contract() -> None:
    document: dict[str, Any] = json.loads(lnav.lnav_format())[lnav.NAME]
    assert document["value"].keys() | {"timestamp", "level", "message"} == TYPES.keys()
    (sample,) = document["sample"]
    assert set(ALWAYS) <= json.loads(sample["line"]).keys()


def test_every_recipe_says_whether_it_was_run() -> None:
    for path in RECIPES.iterdir():
        text = path.read_text(encoding="utf-8")
        assert ("Run: by " in text) != ("Not run: " in text) or path.name == "README.md", path.name


@pytest.mark.parametrize(
    "path",
    [path for path in RECIPES.iterdir() if path.suffix in (".yaml", ".yml", ".json")],
    ids=lambda path: path.name,
)
def test_a_configuration_can_be_parsed(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        assert json.loads(text)["logs"]
    else:
        assert isinstance(pytest.importorskip("yaml").safe_load(text), dict)


def test_the_collectors_take_the_agents_lines_alone() -> None:
    """Each looks for what the lines of its profile have, and the application's have not."""
    marks = {
        "fluent-bit.yaml": ("default", re.compile(r".logger.:.poolwitness.")),
        "gcp-ops-agent.yaml": ("gcp", re.compile(r'"logger":"poolwitness"')),
        "datadog-conf.yaml": ("datadog", re.compile(r'"logger\.name":"poolwitness"')),
        "otel-collector.yaml": ("otel", re.compile(r'"otel.scope.name":"poolwitness"')),
        "vector.yaml": ("default", re.compile(r'"logger":"poolwitness"')),
        "loki-alloy.alloy": ("default", re.compile(r'"logger":"poolwitness"')),
        "cloudwatch-agent.json": ("default", re.compile(r'"logger":"poolwitness"')),
    }
    for name, (profile, mark) in marks.items():
        recipe = (RECIPES / name).read_text(encoding="utf-8")
        assert f"POOLWITNESS_PROFILE={profile}" in recipe, name
        assert mark.pattern in recipe.replace('\\"', '"'), name
        for event in samples.SAMPLES.values():
            assert mark.search(json_renderer(profile)(event).decode()), name
        assert not mark.search('{"logger": "shop", "message": "poolwitness is on"}')


def test_vectors_programs_are_run_by_its_own_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    vrl, yaml = pytest.importorskip("vector_vrl"), pytest.importorskip("yaml")
    transforms = yaml.safe_load((RECIPES / "vector.yaml").read_text(encoding="utf-8"))["transforms"]
    taken = f'. = {{"taken": {transforms["split"]["route"]["poolwitness"]}}}'
    made = transforms["poolwitness"]["source"]
    made += '. = {"at": to_unix_timestamp(.timestamp, unit: "microseconds"), "line": encode_json(.)}'
    monkeypatch.setenv("TZ", "America/New_York")  # where its times are to be right all the same

    def of(program: str, line: str) -> dict[str, Any]:
        (event,) = vrl.execute_vrl(program, [json.dumps({"message": line, "file": "/var/log/shop/web.log"})])
        return dict(event)

    for event in samples.SAMPLES.values():
        line = json_renderer("default")(event).decode()
        assert of(taken, line) == {"taken": True}
        back = of(made, line)
        assert json.loads(back["line"]) == json.loads(line)
        assert back["at"] == 1_795_366_440_123_456
    assert of(taken, '{"logger": "shop", "message": "poolwitness is on"}') == {"taken": False}
