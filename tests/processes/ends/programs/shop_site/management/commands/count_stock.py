"""A management command that asks the database."""

from typing import Any

import shop
from django.core.management.base import BaseCommand
from django.db import connection


class Command(BaseCommand):
    """``count_stock``."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Ask."""
        with connection.cursor() as cursor:  # mark: asked
            cursor.execute("select 'served'")
            self.stdout.write(cursor.fetchone()[0])
        shop.mark()
