"""The profiles in a program: its lines can be read back, and only the profile in use is loaded."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from poolwitness.config import PROFILES as NAMES
from poolwitness.report.profiles import restored
from tests.support.programs import environment, run
from tests.support.validation import validate

LEAVES_A_POOL_OPEN = """
    import os
    from psycopg_pool import ConnectionPool
    closed = ConnectionPool(os.environ["DSN"], min_size=1, num_workers=1, open=True)
    closed.close()
    # Nothing answers there, and its thread holds up or breaks the exit.
    left = ConnectionPool("host=127.0.0.1 port=1", min_size=1, num_workers=1, name="left", open=True)
    print("over")
"""
MODULES = """
    import os, sys
    from psycopg_pool import ConnectionPool
    with ConnectionPool(os.environ["DSN"], min_size=1, num_workers=1, open=False) as pool:
        pass
    print(sorted(name for name in sys.modules if name.startswith(("poolwitness.contract", "poolwitness.report.profiles"))))
"""


@pytest.mark.parametrize("output", ["stderr", "logging"])
def test_a_programs_lines_under_each_profile(dsn: str, output: str) -> None:
    def lines_of(profile: str) -> list[bytes]:
        env = environment(DSN=dsn, POOLWITNESS="1", POOLWITNESS_PROFILE=profile, POOLWITNESS_OUTPUT=output)
        ran = run(LEAVES_A_POOL_OPEN, env)
        assert (ran.stdout, ran.status) == (b"over\n", 0)
        return [line for line in ran.stderr.splitlines(keepends=True) if line.startswith(b"{")]

    with ThreadPoolExecutor() as at_once:  # on Python 3.13 each of them sleeps for ten seconds
        told = dict(zip(NAMES, at_once.map(lines_of, NAMES), strict=True))
    for profile, lines in told.items():
        restored_lines = [restored(json.loads(line)) for line in lines]
        for event in restored_lines:
            assert event is not None
            validate(event)
        names = [event["event"] for event in restored_lines if event is not None]
        late = [event for event in restored_lines if event is not None and event.get("poolwitness.rule") == "PW003"]
        assert len(late) <= 1
        if output == "logging":  # all that can be written when logging cannot be called any more
            assert names == ["poolwitness.finding"] * len(late)
        else:
            assert names[0] == "poolwitness.agent.started"
            assert restored_lines[0] is not None
            assert restored_lines[0]["poolwitness.setting.profile"] == profile
            assert "poolwitness.verdict" in names
        for line in lines:
            assert (b'"logger":"poolwitness"' in line) == (profile in ("default", "gcp"))


@pytest.mark.parametrize("profile", NAMES)
def test_a_program_loads_only_what_its_profile_needs(profile: str, dsn: str) -> None:
    ran = run(MODULES, environment(DSN=dsn, POOLWITNESS="1", POOLWITNESS_PROFILE=profile, POOLWITNESS_OUTPUT="stderr"))
    expected = [] if profile == "default" else ["poolwitness.report.profiles"]
    assert ran.stdout.decode().strip() == str(expected)
