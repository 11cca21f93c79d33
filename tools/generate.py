"""Write the files that are derived from tables: the JSON Schema in the package, and docs/events.md.

python -m tools.generate            # write them
python -m tools.generate --check    # name those that are out of date, and exit with 1 if there are any
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from poolwitness.contract import events_page, json_schema

ROOT = Path(__file__).resolve().parents[1]


def generated() -> dict[Path, str]:
    """Each file and the text that it should have."""
    return {
        ROOT / "agent" / "poolwitness" / "contract" / json_schema.FILE: json_schema.as_text(json_schema.build()),
        ROOT / "docs" / "events.md": events_page.events_page(),
    }


def main() -> int:
    """Write the files, or check them."""
    parser = argparse.ArgumentParser(description="Write the files that are derived from tables.")
    parser.add_argument("--check", action="store_true", help="write nothing; name the files that are out of date")
    check = parser.parse_args().check
    stale = [path for path, text in generated().items() if not path.exists() or path.read_text("utf-8") != text]
    for path in stale:
        if not check:
            path.write_text(generated()[path], encoding="utf-8")
        print(f"{path.relative_to(ROOT)} {'is out of date: run `make generate`' if check else 'written'}")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
