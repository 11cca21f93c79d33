"""What ``poolwitness report`` is made of: read logs into a table, query it, and render the result.

Only that command imports it; it is never loaded in a program with the agent.
"""
