"""How processes end, and which hook speaks then: programs, servers and the table of them all."""
