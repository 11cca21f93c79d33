"""Run any program with the agent and without, and compare everything that it can notice."""
