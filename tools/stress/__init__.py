"""Take and return connections at full speed, from many threads and tasks, with the agent and without."""
