"""Run the programs of ``tests/scenarios`` with and without the agent, and hold them to their headers."""
