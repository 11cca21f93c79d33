"""Programs that run out of connections; what the agent says of them is in docs/exhaustion.md."""
