"""Read log files: find the agent's events in them and store them in the table."""
