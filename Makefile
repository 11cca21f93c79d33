# Everything that this project does with itself, from Python, git and make alone.

PYTHON ?= python3
export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PIP_ROOT_USER_ACTION = ignore

# Where an open pool delays the exit (3.13) or breaks it (3.14), unless PYTHON says otherwise.
DEMO_PYTHONS := $(if $(filter file,$(origin PYTHON)),3.13 3.14)
INSTALL := -m pip install --quiet --no-build-isolation

.PHONY: demo test unit ci slow audit servers bench generate matrix lint clean

demo: .venv-demo/made
	.venv-demo/bin/python $(INSTALL) --no-deps --force-reinstall .
	.venv-demo/bin/poolwitness demo

# Not an editable install: .pth files are not read from those.
test: .venv/made
	.venv/bin/python $(INSTALL) --no-deps --force-reinstall .
	.venv/bin/python -m pytest -m "not slow and not servers and not matrix_once and not per_python and not sampled" $(PYTEST)

# The tests that need no process and no database, in seconds.
unit: .venv/made
	.venv/bin/python $(INSTALL) --no-deps --force-reinstall .
	.venv/bin/python -m pytest tests/unit -m "not slow" $(PYTEST)

# What must pass on every change.
ci:
	$(MAKE) lint
	$(MAKE) test
	$(MAKE) matrix MATRIX="--require-all --cover"

# Faults injected everywhere, hostile input, kills, dumps, every page's examples: some ten minutes.
slow: .venv/made
	.venv/bin/python -m pip install --quiet '.[clickhouse]'
	.venv/bin/python $(INSTALL) --no-deps --force-reinstall .
	.venv/bin/python -m pytest -m slow $(PYTEST)

# Real gunicorn, uvicorn, celery, uWSGI and Django, ended as users do: some five minutes.
servers: .venv/made
	.venv/bin/python -m pip install --quiet '.[servers]'
	.venv/bin/python $(INSTALL) --no-deps --force-reinstall .
	.venv/bin/python -m pytest -m servers $(PYTEST)

# Programs in hostile situations, with the agent and without, compared in everything: some five minutes.
audit: .venv/made
	.venv/bin/python -m pip install --quiet '.[audit]'
	.venv/bin/python $(INSTALL) --no-deps --force-reinstall .
	.venv/bin/python -m pytest tests/promises/test_audit.py tests/promises/test_patched_libraries.py $(PYTEST)

bench: .venv/made
	.venv/bin/python $(INSTALL) --no-deps --force-reinstall .
	.venv/bin/python -m benchmarks $(BENCH)

# What is derived from the tables of fields and events: docs/events.md and the JSON Schema in the package.
generate: .venv/made
	.venv/bin/python $(INSTALL) --no-deps --force-reinstall .
	.venv/bin/python -m tools.generate

# For example: make matrix MATRIX="--pythons 3.13 --pools 3.3 --pytest=-x"
matrix: .venv/made
	.venv/bin/python -m tools.matrix $(MATRIX)

lint: .venv/lint
	.venv/bin/python -m ruff check .
	.venv/bin/python -m ruff format --check .
	.venv/bin/python -m mypy

.venv/made: pyproject.toml
	$(PYTHON) -m tools.matrix.environments .venv
	.venv/bin/python -m pip install --quiet hatchling
	.venv/bin/python $(INSTALL) '.[demo,report,test]'
	@touch $@

.venv/lint: .venv/made
	.venv/bin/python $(INSTALL) '.[dev]'
	@touch $@

.venv-demo/made: pyproject.toml
	$(PYTHON) -m tools.matrix.environments .venv-demo $(DEMO_PYTHONS)
	.venv-demo/bin/python -m pip install --quiet hatchling
	.venv-demo/bin/python $(INSTALL) '.[demo]'
	@touch $@

clean:
	rm -rf .venv .venv-demo .matrix build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find agent benchmarks tests tools -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
