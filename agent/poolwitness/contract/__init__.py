"""What is derived from the tables of fields and events: a JSON Schema, a page of documentation, a format for lnav.

A program under the agent never loads this package.
"""
