"""A management command that does as it is advised to."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection, connections


class Command(BaseCommand):
    """``closes_its_pool``."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Ask, and close."""
        with connection.cursor() as cursor:
            cursor.execute("select 'served'")
            self.stdout.write(cursor.fetchone()[0])
        connections["default"].close_pool()
