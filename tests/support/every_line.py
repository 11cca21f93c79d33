"""No line of the agent's goes unread: what any program started by a test has printed is held to the contract.

The programs are those whose outputs are taken by `subprocess.run` or `communicate`; files that the agent writes are read by the
tests themselves.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from poolwitness.report.profiles import restored
from tests.support.programs import strict

HEAD = b'{"timestamp":"'
_read: set[bytes] = set()


@contextmanager
def read(broken: bool = False) -> Iterator[None]:
    """Read what is printed meanwhile.

    Args:
        broken: the agent is broken on purpose: its lines are held to what readers rely on, and no more.

    Raises:
        AssertionError: a line is not as the contract says.
    """
    printed: list[Any] = []
    original = subprocess.Popen.communicate

    def communicate(self: Any, *args: Any, **kwargs: Any) -> Any:
        outputs = original(self, *args, **kwargs)
        printed.extend(outputs)
        return outputs

    subprocess.Popen.communicate = communicate  # type: ignore[method-assign]
    try:
        yield
    finally:
        subprocess.Popen.communicate = original  # type: ignore[method-assign]
    for output in printed:
        data = output.encode("utf-8", "surrogateescape") if isinstance(output, str) else output or b""
        for line in data.splitlines(keepends=True):
            if line.startswith(b"{") and line not in _read and _is_event(line):
                strict(line, broken)
                _read.add(line)


def _is_event(line: bytes) -> bool:
    try:
        found = json.loads(line)
    except ValueError:
        return line.startswith(HEAD) and b'"logger":"poolwitness"' in line
    return isinstance(found, dict) and restored(found) is not None
