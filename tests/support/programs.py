"""Run a small program with and without the agent, and read what each left."""

from __future__ import annotations

import difflib
import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from poolwitness.report.profiles import restored
from tests.support.validation import validate

PATIENCE_S = 60.0
LINE_BYTES = 4096
ON = {"POOLWITNESS": "1"}


@dataclass(frozen=True)
class Ran:
    """What a program left: both outputs and its status (negative: a signal)."""

    stdout: bytes
    stderr: bytes
    status: int
    events: list[dict[str, Any]] = field(default_factory=list)
    own_stderr: bytes = b""

    def named(self, event: str) -> list[dict[str, Any]]:
        """The agent's events of one name."""
        return [found for found in self.events if found["event"] == event]

    @property
    def rules(self) -> list[str]:
        """The rules of the findings, in their order."""
        return [found["poolwitness.rule"] for found in self.named("poolwitness.finding")]

    @property
    def verdict(self) -> str:
        """The verdict, or nothing."""
        return "".join(found["poolwitness.verdict"] for found in self.named("poolwitness.verdict"))


def environment(**variables: str) -> dict[str, str]:
    """The tests' own environment without what steers Python, libpq or the agent, and with *variables*."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "POOLWITNESS", "PG"))
    }
    return {**inherited, "PYTHONDONTWRITEBYTECODE": "1", **variables}


def run(
    program: str,
    env: Mapping[str, str],
    *arguments: str,
    options: tuple[str, ...] = (),
    timeout_s: float = PATIENCE_S,
    **popen: Any,
) -> Ran:
    """Run a program given as text, in a directory of its own, and wait for it and for all who hold its outputs.

    Args:
        program: the source; its indentation is taken off.
        env: all of its environment variables.
        arguments: its arguments.
        options: the interpreter's options.
        timeout_s: a program that takes longer is killed, with its session.
        popen: more arguments of `subprocess.Popen`, such as another ``stderr``.

    Raises:
        AssertionError: it did not end in time, or the agent wrote a line that it must not write.
    """
    with tempfile.TemporaryDirectory(prefix="pw") as folder:
        path = os.path.join(folder, "program.py")
        with open(path, "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(program).lstrip("\n"))
        usual = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(
            [sys.executable, *options, path, *arguments],
            cwd=folder,
            env=dict(env),
            start_new_session=True,
            **{**usual, **popen},
        ) as process:
            try:
                stdout, stderr = process.communicate(timeout=timeout_s)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                stdout, stderr = process.communicate()
                raise AssertionError(
                    f"the program did not end within {timeout_s} s\n{stdout!r}\n{(stderr or b'').decode(errors='replace')}"
                ) from None
    events, own = split(stderr or b"")
    return Ran(stdout or b"", stderr or b"", process.returncode, events, own)


def split(stderr: bytes) -> tuple[list[dict[str, Any]], bytes]:
    """The agent's events, and all the rest.

    Raises:
        AssertionError: a line of the agent's is not strict JSON, too long, or not whole.
    """
    events = []
    own = []
    for raw in stderr.splitlines(keepends=True):
        if not is_ours(raw):
            own.append(raw)
            continue
        events.append(strict(raw))
    return events, b"".join(own)


def is_ours(raw: bytes) -> bool:
    """Whether a line is the agent's: everything it writes says so."""
    return b'"logger":"poolwitness"' in raw or b"poolwitness." in raw or raw.startswith(b"poolwitness:")


def strict(raw: bytes, broken: bool = False) -> dict[str, Any]:
    """One line of the agent's, under any profile, as a log store reads it.

    Args:
        raw: the line.
        broken: the agent has been broken on purpose: hold it to what readers rely on, and no more.
    """

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON: {raw!r}")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({key for key, _ in pairs}) == len(pairs), f"a key is there twice: {raw!r}"
        return dict(pairs)

    assert raw.endswith(b"\n"), f"not whole: {raw!r}"
    assert len(raw) <= LINE_BYTES, f"{len(raw)} bytes: {raw!r}"
    try:
        event = json.loads(raw, parse_constant=refuse, object_pairs_hook=once)
    except ValueError as error:
        raise AssertionError(f"not JSON: {raw!r}") from error
    assert isinstance(event, dict)
    event = restored(event) or event
    validate(event, strict=not broken)
    return event


def same(with_agent: Ran, without: Ran) -> None:
    """The program noticed nothing.

    Raises:
        AssertionError: its own outputs or its status differ.
    """
    for name in ("stdout", "own_stderr"):
        left, right = (getattr(ran, name).decode(errors="replace").splitlines() for ran in (without, with_agent))
        difference = "\n".join(difflib.unified_diff(left, right, "without", "with the agent", lineterm=""))
        assert getattr(with_agent, name) == getattr(without, name), f"another {name}:\n{difference}"
    assert with_agent.status == without.status, with_agent.stderr.decode(errors="replace")


def both(program: str, dsn: str = "", *, options: tuple[str, ...] = (), **variables: str) -> tuple[Ran, Ran]:
    """The program with the agent, and without."""
    env = environment(DSN=dsn)
    return run(program, {**env, **ON, **variables}, options=options), run(program, env, options=options)


@contextmanager
def stderr_to_file(path: Path) -> Iterator[int]:
    """A descriptor to give to a program."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        yield fd
    finally:
        os.close(fd)
