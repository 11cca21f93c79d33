"""No secret leaves the process, whatever the format, the output and the end."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.commands import cli
from tests.support.programs import ON, environment, run, stderr_to_file, strict

pytestmark = pytest.mark.slow

PROGRAMS = Path(__file__).parent / "programs"
SECRETIVE = PROGRAMS.joinpath("secretive.py").read_text(encoding="utf-8")
# As a word, and as the port that libpq takes a part of it for.
SECRETS = (b"hunter2", b"%68unter2", b'"server.port":31337')


@pytest.mark.parametrize(
    ("format_", "output", "ending"),
    [
        ("json", "stderr", "close"),
        ("json", "stderr", "late"),
        ("console", "stderr", "close"),
        ("console", "stderr", "late"),
        ("json", "file:{folder}/a.jsonl,file:{folder}/%p.jsonl", "close"),
        ("console", "file:{folder}/a.txt", "close"),
        ("json", "logging,structlog", "close"),
    ],
)
def test_no_secret_leaves(format_: str, output: str, ending: str, dsn: str, tmp_path: Path) -> None:
    env = environment(
        DSN=dsn,
        # What logging holds is not finalized either: only where it is to be seen.
        LOG_TO=str(tmp_path / "log") if "logging" in output else "",
        POOLWITNESS_OUTPUT=output.format(folder=tmp_path),
        POOLWITNESS_FORMAT=format_,
        POOLWITNESS_CLOSE="0" if ending == "late" else "1",
        **ON,
    )
    with stderr_to_file(tmp_path / "stderr") as stderr:
        ran = run(SECRETIVE, env, ending, stderr=stderr)
    assert (ran.stdout, ran.status) == (b"over\n", 0), (tmp_path / "stderr").read_text()
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    told = b"".join(written.values())
    assert told.count(b"PW301") >= 20, "the program's workers did not die as they should"
    assert b"PW202" in told
    assert (b"PW003" in told) == (ending == "late")
    for name, text in written.items():
        for secret in SECRETS:
            at = text.find(secret)
            assert at < 0, f"{name}: {text[max(0, at - 300) : at + 100]!r}"
        if format_ == "json" and name.endswith(("stderr", ".jsonl")):
            for line in text.splitlines(keepends=True):
                strict(line)


# At both ends of each value: it is found whatever is done with the rest.
MARK = "s3cr3tv4lu3"


@settings(deadline=None, max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(max_size=30), min_size=1, max_size=2), st.booleans())
@example(["", " and more"], True)
@example(["'x'=\" @/:?", "\ud800"], False)
def test_no_value_of_the_program_leaves_it(dsn: str, texts: list[str], killed: bool) -> None:
    """Values that exceptions of callbacks, connection classes, statements, workers and the main thread quote."""
    with tempfile.TemporaryDirectory(prefix="pw") as folder:
        boxes, log = Path(folder, "boxes"), Path(folder, "log.jsonl")
        env = environment(
            DSN=dsn,
            VALUES=json.dumps([f"{MARK}{text}{MARK}" for text in texts]),
            POOLWITNESS_OUTPUT=f"stderr,file:{log}",
            POOLWITNESS_FORMAT="json",
            POOLWITNESS_HELD_S="0.5",
            POOLWITNESS_SWEEP_S="0.1",
            POOLWITNESS_BLACKBOX=str(boxes),
            **ON,
        )
        command = [sys.executable, str(PROGRAMS / "quoting.py"), *(["killed"] if killed else [])]
        with (
            stderr_to_file(Path(folder, "stderr")) as stderr,
            subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr) as process,
        ):
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            dumped = cli("dump", str(process.pid), "--format", "json")
            raw = b"".join(path.read_bytes() for path in boxes.iterdir())
            process.communicate(b"\n", timeout=60)
        left = cli("postmortem", str(boxes), "--format", "json")
        written = Path(folder, "stderr").read_bytes() + log.read_bytes()
    reported = written + dumped.stdout.encode() + left.stdout.encode()
    for rule in (b"PW202", b"PW301", *([] if killed else [b"PW004"])):
        assert rule in reported
    for name in (b"not_recognised", b"conninfo_invalid", b"connection_refused", b"database_missing"):
        assert name in reported
    assert b"poolwitness.raised_at" in dumped.stdout.encode()
    assert (left.stdout != "") == killed
    at = (reported + raw).find(MARK.encode())
    assert at < 0, (reported + raw)[max(0, at - 500) : at + 200]
