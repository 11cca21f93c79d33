"""Run SQLAlchemy's tests of its own pool with and without the agent: the same tests must pass and fail."""
