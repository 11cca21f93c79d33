"""The configuration of a gunicorn that preloads an application with a pool."""

from typing import Any


def post_fork(server: Any, worker: Any) -> None:
    """In each worker."""
    import before_fork

    before_fork.begin()
