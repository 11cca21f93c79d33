"""Hold every line that a test makes the agent write to the contract in ``poolwitness.contract``."""
