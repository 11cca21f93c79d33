"""The levels of the agent, as a parameter of tests."""

from __future__ import annotations

import pytest

# Names and layouts differ between releases of Python and psycopg_pool.
_PER_PYTHON = (pytest.mark.matrix, pytest.mark.per_python)
LEVELS = (
    pytest.param("exit", marks=_PER_PYTHON),
    pytest.param("watch", marks=pytest.mark.matrix),
    pytest.param("trace", marks=_PER_PYTHON),
)
