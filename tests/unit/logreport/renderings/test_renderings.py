"""Each format is what its readers demand, whatever stands in the logs."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("rich")

from poolwitness.logreport.answers import Report
from poolwitness.logreport.renderings import ci_annotations, html_page, json_document, markdown
from poolwitness.logreport.renderings.wording import repository_path


def test_json_has_every_answer(any_report: Report) -> None:
    told = json.loads(json_document.render(any_report))
    assert len(told["faults"]) == len(any_report.faults)
    assert set(told["leaks"]) | set(told["resolved"]) <= {fault["fingerprint"] for fault in told["faults"]}


def test_github_commands_stay_on_their_lines(any_report: Report) -> None:
    lines = ci_annotations.github(any_report).splitlines()
    assert len(lines) == len(any_report.leaks) + len(any_report.others)
    for line in lines:
        assert re.fullmatch(r"::(error|warning|notice) file=[^:,]+,line=[1-9]\d*,title=[^:,]*::.*", line)


def test_githubs_runner_reads_what_was_written(any_report: Report) -> None:
    """It cuts at the second ``::``, at commas and at the first ``=`` of each, and takes the escapes back, the percent sign last."""

    def back(text: str, *escaped: str) -> str:
        for character in (*escaped, "\r", "\n", "%"):
            text = text.replace(f"%{ord(character):02X}", character)
        return text

    for line, fault in zip(
        ci_annotations.github(any_report).splitlines(), [*any_report.leaks, *any_report.others], strict=True
    ):
        _, told, text = line.split("::", 2)
        properties = dict(each.split("=", 1) for each in told.split(" ", 1)[1].split(","))
        assert properties.keys() == {"file", "line", "title"}
        assert back(properties["file"], ":", ",") == repository_path(fault.file)
        assert int(properties["line"]) == fault.line
        assert back(properties["title"], ":", ",") == f"{fault.rule} {fault.rule_name}"
        assert back(text) == f"{fault.message}\nTo mend it: {fault.fix}"


def test_gitlab_is_a_code_quality_report(any_report: Report) -> None:
    text = ci_annotations.gitlab(any_report)
    assert text.startswith("[")  # no byte order mark, which GitLab does not take
    issues = json.loads(text)
    assert len({issue["fingerprint"] for issue in issues}) == len(issues)
    for issue in issues:
        assert set(issue) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert issue["severity"] in {"info", "minor", "major", "critical", "blocker"}
        assert issue["location"]["lines"]["begin"] >= 1
        assert not issue["location"]["path"].startswith(("/", "."))
        assert issue["location"]["path"]


def test_markdown_keeps_its_tables_and_calls_nobody(hostile: Report, known: Report) -> None:
    text = markdown.render(hostile)
    outside_code = re.sub(r"`[^`\n]*`", "", text)
    assert "@team" not in outside_code
    assert "<script" not in outside_code.replace("\\<", "")
    rows = [line for line in markdown.render(known).splitlines() if line.startswith("|")]
    assert len([row for row in rows if "`/app/shop/db.py:10 in sell (2 lines)`" in row]) == 2
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {7}


def test_markdown_is_read_as_it_was_meant(any_report: Report) -> None:
    # It comes with rich, and reads tables as GitHub and GitLab do.
    reader = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable("table")
    tokens = reader.parse(markdown.render(any_report))
    kinds = [token.type for token in tokens]
    inside = {child.type for token in tokens for child in token.children or ()}
    assert inside <= {"text", "code_inline", "text_special"}
    assert not set(kinds) & {"html_block", "fence", "code_block", "blockquote_open", "hr"}
    rows = [kinds[at : kinds.index("tr_close", at)] for at, kind in enumerate(kinds) if kind == "tr_open"]
    assert {row.count("th_open") + row.count("td_open") for row in rows} <= {6}
    shown = sum(min(markdown.MAX_ROWS + 1, len(faults)) for faults in tables_of(any_report))
    assert len(rows) == shown + sum(1 for faults in tables_of(any_report) if faults)


def tables_of(report: Report) -> list[list[Any]]:
    """The faults of each table, a line of a table for each, and one for what is left out."""
    return [report.leaks, report.others, report.worse, report.resolved]


class Reader(HTMLParser):
    """What a browser would make of the page: the elements, and whether they are closed in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "path", "rect"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("path", "rect"):
            assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_else(any_report: Report) -> None:
    text = html_page.render(any_report)
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    tags = {tag for tag, _ in reader.seen}
    assert not tags & {"script", "img", "link", "iframe", "object", "form"}
    for _, attributes in reader.seen:
        assert not any(name.startswith("on") or name == "src" for name in attributes)
        assert (attributes.get("href") or "#").startswith("#")
    assert "url(" not in text
    assert "@import" not in text
    identifiers = [attributes["id"] for _, attributes in reader.seen if "id" in attributes]
    assert len(identifiers) == len(set(identifiers)) == len(any_report.faults)


def test_the_page_says_the_verdict_first_and_folds_the_stacks(known: Report) -> None:
    text = html_page.render(known)
    body = text[text.index("<body>") :]
    assert body.index("<h1") < body.index("<h2")
    assert "5 faults in 5 of 5 processes" in html.unescape(body[: body.index("</h1>")])
    assert body.count("<summary>Stack</summary>") == 7
    assert [name in body for name in ("pools", "connections", "threads", "findings")] == [True] * 4
    assert body.count("<svg") == 4
    assert "prefers-color-scheme: dark" in text


def test_a_page_of_500_findings_folds_most(many: Report) -> None:
    text = html_page.render(many)
    assert "<summary>475 more</summary>" in text
    assert text.count("<article") == 500


@contextmanager
def inside(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """With another working directory."""
    repository_path.cache_clear()
    monkeypatch.chdir(folder)
    yield
    repository_path.cache_clear()


@pytest.mark.parametrize(
    ("file", "place"),
    [
        ("/app/shop/db.py", "shop/db.py"),
        ("/srv/releases/42/shop/db.py", "shop/db.py"),
        ("C:\\build\\shop\\db.py", "shop/db.py"),
        ("C:/build/elsewhere.py", "build/elsewhere.py"),
        ("/app/elsewhere.py", "app/elsewhere.py"),
        ("../../etc/passwd", "etc/passwd"),
        ("<string>", "<string>"),
        ("", "unknown"),
        ("a\0b", "a\0b"),
    ],
)
def test_paths_are_those_of_the_repository(tmp_path: Path, monkeypatch: Any, file: str, place: str) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "db.py").touch()
    with inside(tmp_path, monkeypatch):
        assert repository_path(file) == place
