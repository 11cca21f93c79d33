"""Find which releases are installed, as tuples that can be compared."""

from __future__ import annotations

import re
import sys

Versions = dict[str, tuple[int, ...]]
COMPONENTS = ("psycopg_pool", "psycopg")


def installed_versions() -> Versions:
    """Component to version, for what has been imported; Python itself under ``python``."""
    versions: Versions = {"python": tuple(sys.version_info[:3])}
    for name in COMPONENTS:
        module = sys.modules.get(name)
        text = getattr(module, "__version__", None)
        if isinstance(text, str):
            versions[name] = parse_version(text)
    return versions


def parse_version(text: str) -> tuple[int, ...]:
    """The leading numbers of a version: ``3.3.1.dev1`` is (3, 3, 1)."""
    match = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(int(part) for part in match[0].split(".")) if match else ()


def format_version(version: tuple[int, ...]) -> str:
    """``3.3.1``."""
    return ".".join(map(str, version))
