"""A celery application whose worker gives itself a task as soon as it is ready."""

import os
from typing import Any

import shop
from celery import Celery
from celery.signals import worker_ready

celery = Celery("tasks", broker="memory://")
celery.conf.worker_hijack_root_logger = False


@celery.task  # type: ignore[untyped-decorator]
def work() -> None:
    """The task."""
    os.write(1, shop.query().encode() + b"\n")


@worker_ready.connect  # type: ignore[untyped-decorator]
def begin(**_: Any) -> None:
    """Give it out."""
    work.delay()
