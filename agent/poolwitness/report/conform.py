"""Give every field of an event its type: a log store that has seen a number in a field refuses a text there."""

from __future__ import annotations

import re
from typing import Any

from poolwitness.report.fields import FIELDS, field_type
from poolwitness.report.redact import LARGEST_EXACT

# The pattern of a text, and what replaces one that does not match it.
_FORMS = {field.name: (field.pattern, field.fallback) for field in FIELDS.values() if field.fallback}


def conform(event: dict[str, Any]) -> dict[str, Any]:
    """An event of plain JSON values, as `redact.clean` leaves them, in which every field has its type.

    What is not a number is left out of a number's field, and what is not a text becomes its JSON in a text's. Nothing
    is null.
    """
    conformed = {}
    for name, value in event.items():
        wanted = field_type(name)
        if wanted == "text":
            value = _text(value)
            form = _FORMS.get(name)
            if form is not None and not re.fullmatch(form[0], value):
                value = form[1]
        elif wanted is not None:
            value = _CONVERT[wanted](value)
        if value is not None:
            conformed[name] = value
    return conformed


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    import json

    return json.dumps(value, ensure_ascii=False)[:200]


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _integer(value: Any) -> int | None:
    # `clean` made a float of what is past the limit; others are exact as floats.
    number = _number(value)
    return int(max(-LARGEST_EXACT, min(LARGEST_EXACT, number))) if number is not None else None


def _boolean(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _texts(value: Any) -> list[str]:
    return [_text(item) for item in value] if isinstance(value, list) else [_text(value)]


_CONVERT = {"integer": _integer, "number": _number, "boolean": _boolean, "texts": _texts}
