"""``poolwitness doctor``: report whether and how the agent starts in this interpreter."""
