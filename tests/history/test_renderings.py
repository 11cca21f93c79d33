"""Each format is what its readers demand, whatever stands in the logs."""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("rich")

from poolwitness.diagnose import pages
from poolwitness.history.answers import Report
from poolwitness.history.paths import in_repository
from poolwitness.history.renderings import document, markdown, page, reviews, sarif
from tests.commands import cli
from tests.history.lines import Process, day
from tests.history.test_answers import history, report_of

EVIL = "</pre><script>alert(1)</script>\"'><img src=x onerror=y> a|b `c` @team ::error::x %0A\n::set-env:: [x](javascript:y)"
# OASIS's schema is not ours to keep here; its address is in the log.
SCHEMA = os.environ.get("SARIF_SCHEMA")


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return report_of(tmp_path_factory.mktemp("known"), history())


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Report:
    process = Process("evil", at=day(1))
    more: dict[str, Any] = {
        "message": EVIL,
        "poolwitness__fix": EVIL,
        "code__stacktrace": EVIL,
        "code__function__name": EVIL,
    }
    lines = [process.found("PW999", EVIL, file=f"/app/{EVIL}.py", poolwitness__rule_name=EVIL, level=EVIL, **more)]
    lines.append(process.found("", "f", file="", line=-7, message=""))
    return report_of(tmp_path_factory.mktemp("hostile"), b"".join(lines))


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Report:
    process = Process("many")
    lines = [process.found("PW001", f"{number:016x}", file=f"/app/{number}.py") for number in range(500)]
    return report_of(tmp_path_factory.mktemp("many"), process.opened() + b"".join(lines))


@pytest.fixture(scope="module")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return report_of(tmp_path_factory.mktemp("nothing"), b"nothing of ours\n")


@pytest.fixture(params=["known", "hostile", "many", "nothing"])
def any_report(request: pytest.FixtureRequest) -> Report:
    report: Report = request.getfixturevalue(request.param)
    return report


def test_json_has_every_answer(any_report: Report) -> None:
    told = json.loads(document.render(any_report))
    assert len(told["faults"]) == len(any_report.faults)
    assert set(told["leaks"]) | set(told["resolved"]) <= {fault["fingerprint"] for fault in told["faults"]}


@pytest.mark.skipif(SCHEMA is None, reason="SARIF_SCHEMA names no file")
def test_sarif_is_what_its_schema_demands(any_report: Report) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(Path(str(SCHEMA)).read_text(encoding="utf-8"))
    jsonschema.Draft4Validator(schema).validate(json.loads(sarif.render(any_report)))


def test_sarif_has_a_rule_for_every_result(any_report: Report) -> None:
    (run,) = json.loads(sarif.render(any_report))["runs"]
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    assert len(run["results"]) == len(any_report.leaks) + len(any_report.others)


def test_sarif_rule_help_is_the_rules_page(known: Report) -> None:
    (run,) = json.loads(sarif.render(known))["runs"]
    rules = {rule["id"]: rule for rule in run["tool"]["driver"]["rules"]}
    assert set(rules) == {"PW001", "PW101"}
    assert rules["PW101"]["help"]["markdown"] == pages.page("PW101")
    result = run["results"][0]
    assert result["partialFingerprints"] == {"poolwitness/v1": "worse"}
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "app/shop/db.py"
    assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": 10}


def test_github_commands_stay_on_their_lines(any_report: Report) -> None:
    lines = reviews.github(any_report).splitlines()
    assert len(lines) == len(any_report.leaks) + len(any_report.others)
    for line in lines:
        assert re.fullmatch(r"::(error|warning|notice) file=[^:,]+,line=[1-9]\d*,title=[^:,]*::.*", line)


def test_gitlab_is_a_code_quality_report(any_report: Report) -> None:
    for issue in json.loads(reviews.gitlab(any_report)):
        assert set(issue) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert issue["severity"] in {"info", "minor", "major", "critical", "blocker"}
        assert issue["location"]["lines"]["begin"] >= 1
        assert not issue["location"]["path"].startswith(("/", "."))


def test_markdown_keeps_its_tables_and_calls_nobody(hostile: Report, known: Report) -> None:
    text = markdown.render(hostile)
    outside_code = re.sub(r"`[^`\n]*`", "", text)
    assert "@team" not in outside_code
    assert "<script" not in outside_code.replace("\\<", "")
    rows = [line for line in markdown.render(known).splitlines() if line.startswith("|")]
    assert len([row for row in rows if "`/app/shop/db.py:10 in sell (2 lines)`" in row]) == 2
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {7}


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
    text = page.render(any_report)
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
    text = page.render(known)
    body = text[text.index("<body>") :]
    assert body.index("<h1") < body.index("<h2")
    assert "5 faults in 5 of 5 processes" in html.unescape(body[: body.index("</h1>")])
    assert body.count("<summary>Stack</summary>") == 7
    assert [name in body for name in ("pools", "connections", "threads", "findings")] == [True] * 4
    assert body.count("<svg") == 4
    assert "prefers-color-scheme: dark" in text


def test_a_page_of_500_findings_folds_most(many: Report) -> None:
    text = page.render(many)
    assert "<summary>475 more</summary>" in text
    assert text.count("<article") == 500


@pytest.mark.parametrize(
    ("form", "check"),
    [
        ("sarif", lambda text: json.loads(text)["version"] == "2.1.0"),
        ("github", lambda text: text.startswith("::")),
        ("gitlab", lambda text: len(json.loads(text)) == 5),
        ("markdown", lambda text: text.startswith("## poolwitness: 5 faults")),
    ],
)
def test_each_format_on_the_command_line(tmp_path: Path, form: str, check: Callable[[str], bool]) -> None:
    (tmp_path / "a.log").write_bytes(history())
    ran = cli("report", str(tmp_path / "a.log"), "--format", form, PYTHONIOENCODING="ascii")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert check(ran.stdout)


def test_the_page_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(history())
    ran = cli("report", str(tmp_path / "a.log"), "--html", str(tmp_path / "a.html"))
    assert (ran.returncode, ran.stdout) == (0, "")
    assert ran.stderr == f"poolwitness: the report is in {tmp_path / 'a.html'}.\n"
    assert (tmp_path / "a.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    ran = cli("report", str(tmp_path / "a.log"), "--html", str(tmp_path / "no" / "a.html"))
    assert ran.returncode == 2
    assert "cannot be written (No such file or directory)" in ran.stderr


@contextmanager
def inside(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """With another working directory."""
    in_repository.cache_clear()
    monkeypatch.chdir(folder)
    yield
    in_repository.cache_clear()


@pytest.mark.parametrize(
    ("file", "place"),
    [
        ("/app/shop/db.py", "shop/db.py"),
        ("/srv/releases/42/shop/db.py", "shop/db.py"),
        ("C:\\build\\shop\\db.py", "shop/db.py"),
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
        assert in_repository(file) == place
