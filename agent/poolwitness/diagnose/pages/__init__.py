"""One page a rule: the text that ``poolwitness explain``, the docs and SARIF's rule help share."""

from __future__ import annotations

from importlib.resources import files


def codes() -> tuple[str, ...]:
    """Every rule that has a page, in the order of their numbers."""
    names = (entry.name for entry in files(__name__).iterdir())
    return tuple(sorted(name[: -len(".md")] for name in names if name.endswith(".md")))


def page(code: str) -> str:
    """The page of a rule: Markdown, ending with a newline.

    Raises:
        KeyError: there is no such rule.
    """
    if code not in codes():
        raise KeyError(code)
    return files(__name__).joinpath(f"{code}.md").read_text(encoding="utf-8")


def title(code: str) -> tuple[str, str]:
    """A rule's name and its one-sentence summary, as its `page` gives them."""
    heading, summary = page(code).split("\n## ", 1)[0].strip().split("\n\n", 1)
    return heading.split()[-1], " ".join(summary.split())
