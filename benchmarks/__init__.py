"""Measure the agent's budgets, each against a baseline in the same run: ``python -m benchmarks``."""
