"""A management command with a thread that asks the database and never gives its connection back."""

import gc
import threading
from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection, connections


class Command(BaseCommand):
    """``thread_without_close``."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Have the thread ask."""
        thread = threading.Thread(target=self.count)
        thread.start()
        thread.join()
        gc.collect()
        self.stdout.write("counted")
        connections["default"].close_pool()

    def count(self) -> None:
        """Ask."""
        with connection.cursor() as cursor:  # mark: asked
            cursor.execute("select 'served'")
            self.stdout.write(cursor.fetchone()[0])
