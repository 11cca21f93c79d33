"""Write what is made from the contract: the JSON Schema in the package, and docs/events.md.

python -m tools.generate
"""

from __future__ import annotations

from pathlib import Path

from poolwitness.contract import events_page as pages
from poolwitness.contract import json_schema as document

ROOT = Path(__file__).resolve().parents[1]


def made() -> dict[Path, str]:
    """Each file with the text that it must have."""
    return {
        ROOT / "agent" / "poolwitness" / "contract" / document.FILE: document.as_text(document.build()),
        ROOT / "docs" / "events.md": pages.events_page(),
    }


if __name__ == "__main__":
    for path, text in made().items():
        path.write_text(text, encoding="utf-8")
