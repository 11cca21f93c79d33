"""The addresses of a Django project, and their view."""

from typing import Any

from django.db import connection
from django.http import HttpResponse
from django.urls import path


def view(request: Any) -> HttpResponse:
    """Ask the database by Django's own pool."""
    with connection.cursor() as cursor:  # mark: asked
        cursor.execute("select 'served'")
        return HttpResponse(cursor.fetchone()[0])


urlpatterns = [path("", view)]
