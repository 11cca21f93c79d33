"""Programs in hostile situations notice nothing: each is run with the agent and without, and compared in everything."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.programs import environment
from tools.audit.cases import CASES, Case
from tools.audit.compare import compare

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="programs for POSIX")]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_program_notices_nothing(case: Case, dsn: str, tmp_path: Path) -> None:
    if case.why_not():
        pytest.skip(case.why_not())
    program = tmp_path / "program.py"
    program.write_text(case.program)
    env = environment(DSN=dsn, **case.variables)
    found = compare([sys.executable, *case.options, str(program)], env, case.settings)
    assert found.without.status != -11, found.without.stderr
    differences = [each for each in found.differences if not (case.may_fail and each.startswith("the agent:"))]
    if differences and case.known:
        pytest.xfail(case.known)
    assert differences == []
    if case.rules is not None:
        assert found.with_agent.rules == sorted(case.rules)
    for secret in (b"hunter2", b"078-05-1120"):
        assert secret not in b"".join(found.with_agent.lines)
