"""Make each function of the agent raise, one at a time, and see that the program does not notice."""
