"""A celery application with a pool that is made before the workers are forked."""

import os
from typing import Any

import before_fork
from celery import Celery
from celery.signals import worker_process_init, worker_process_shutdown, worker_ready

celery = Celery("tasks", broker="memory://")
celery.conf.worker_hijack_root_logger = False
worker_process_init.connect(before_fork.begin)


@celery.task  # type: ignore[untyped-decorator]
def work() -> None:
    """The task."""
    os.write(1, before_fork.query().encode() + b"\n")


@worker_ready.connect  # type: ignore[untyped-decorator]
def begin(**_: Any) -> None:
    """Give it out."""
    work.delay()


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def end(**_: Any) -> None:
    """Close the worker's own pool: a child of celery's runs no exit hook."""
    if os.environ["OPENED"] == "after":
        before_fork.pool.close()
