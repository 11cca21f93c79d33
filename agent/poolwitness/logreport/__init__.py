"""Read what the agents of many processes wrote, and answer what a person asks of it.

Nothing of this is loaded in a program that is watched: only ``poolwitness report`` imports it.
"""
