"""A test of the project's own."""

from django.db import connection
from django.test import TestCase


class Stock(TestCase):
    """The stock."""

    def test_count(self) -> None:
        """It can be counted."""
        with connection.cursor() as cursor:
            cursor.execute("select 'served'")
            self.assertEqual(cursor.fetchone(), ("served",))
