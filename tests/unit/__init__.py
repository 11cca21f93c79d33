"""Tests that need neither a subprocess nor a database."""
