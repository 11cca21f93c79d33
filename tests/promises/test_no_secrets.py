"""No secret leaves the process, whatever the format, the output and the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.programs import ON, environment, run, stderr_to_file, strict

pytestmark = pytest.mark.slow

SECRETIVE = Path(__file__).parent.joinpath("programs", "secretive.py").read_text(encoding="utf-8")
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
