"""Rules that find faults in a snapshot, as pure functions. Importing this package declares all of them."""

from poolwitness.diagnose import capacity, checkouts, crossings, exhaustion, known_defects, lifecycle, shutdown, workers  # noqa: F401
