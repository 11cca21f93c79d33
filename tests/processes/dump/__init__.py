"""Processes to be asked for their living state, and the asking."""
