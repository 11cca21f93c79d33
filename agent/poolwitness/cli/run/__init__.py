"""``poolwitness run``: start a program with the agent on and, with ``--check``, judge what its processes reported."""
