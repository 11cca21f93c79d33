"""Helpers of the tests: programs to run, processes to ask, servers, sample events, and checks of every line."""
