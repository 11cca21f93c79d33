"""Run psycopg_pool's own test suite with and without the agent: the same tests must pass and fail."""
