"""The files of SQLAlchemy's suite that are about pools and lost connections."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from tools.psycopg_suite.suite import Run, Suite

FILES = ("test/engine/test_pool.py", "test/engine/test_reconnect.py", "test/engine/test_transaction.py")
_PLUGIN = Path(__file__).parent / "plugin"


@dataclass(frozen=True)
class PoolTests(Suite):
    """A checkout of SQLAlchemy; its tests run against psycopg."""

    def run(self, level: str | None, only: Sequence[str] = ()) -> Run:
        """Run the tests once; see `Suite.run`."""
        return super().run(level, only or FILES)

    def _environ(self, level: str | None, scratch: Path, outcomes_file: Path) -> dict[str, str]:
        environ = super()._environ(level, scratch, outcomes_file)
        environ["PYTHONPATH"] = os.pathsep.join([str(self.checkout / "lib"), environ["PYTHONPATH"], str(_PLUGIN)])
        at = conninfo_to_dict(self.dsn)
        uri = f"postgresql+psycopg://{at['user']}@{at['host']}:{at['port']}/{at['dbname']}"
        environ["PYTEST_ADDOPTS"] = f"-p a_pool_in_sight --dburi {uri}"
        return environ
