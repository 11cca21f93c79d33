"""A connection that the pool has given out comes back, at whichever line of ours an exception lands."""

from __future__ import annotations

import json

import pytest

from tests.promises.test_exceptions_pass import PROGRAM
from tests.support.programs import ON, environment, run

# Every line in the bodies of our getconn and putconn is met; each is tried in both ways to take a connection.
LEAST = 40


@pytest.mark.parametrize("kind", ["KeyboardInterrupt", "Limit", "CancelledError"])
@pytest.mark.parametrize("work", ["Wrappers", "AsyncWrappers"])
def test_every_line_of_the_wrappers(work: str, kind: str, dsn: str) -> None:
    ran = run(PROGRAM.read_text(), environment(DSN=dsn, **ON), work, kind, "4", timeout_s=200)
    assert ran.status == 0, ran.own_stderr.decode()
    found = json.loads(ran.stdout.splitlines()[-1])
    assert not found["problems"], "\n".join(found["problems"])
    assert found["tried"] >= LEAST
    assert ran.verdict == "clean", "no connection is thought to be out that was returned"
