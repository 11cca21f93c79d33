"""``python -m tools.audit program.py ARGUMENTS``: run a program with the agent and without, and list what differs.

Settings of the agent are taken from the environment; the interpreter is this one.
"""

from __future__ import annotations

import os
import sys

from tools.audit.compare import compare, main_environment


def main() -> int:
    """Compare, and write the differences; 1 where there are some."""
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    settings = {name: value for name, value in os.environ.items() if name.startswith("POOLWITNESS_")}
    words = [os.path.abspath(word) if os.path.exists(word) else word for word in sys.argv[1:]]
    found = compare([sys.executable, *words], main_environment(), settings)
    for name, side in (("without", found.without), ("with the agent", found.with_agent)):
        print(f"{name}: status {side.status}, {side.seconds:.2f} s, {len(side.stdout)} bytes on stdout")
    print("the agent's findings:", ", ".join(found.with_agent.rules) or "none")
    print("\n".join(found.differences) or "no difference")
    return 1 if found.differences else 0


if __name__ == "__main__":
    sys.exit(main())
