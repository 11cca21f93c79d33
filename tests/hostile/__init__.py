"""Values and programs that try to get a secret, a crash or a broken line out of the agent."""
