"""``python -m poolwitness``: the command line, in the interpreter that is asked about."""

from __future__ import annotations

import sys

from poolwitness.cli import main

if __name__ == "__main__":
    sys.exit(main())
