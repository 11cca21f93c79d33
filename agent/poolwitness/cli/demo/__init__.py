"""``poolwitness demo``: run a small program that leaks a pool, with the agent on."""
