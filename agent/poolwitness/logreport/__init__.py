"""What ``poolwitness report`` is made of: reads logs into a table, queries it, and renders the result."""
