"""SARIF as GitHub's code scanning and Microsoft's validator demand it, whatever stands in the logs."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("rich")

from poolwitness.diagnose import pages
from poolwitness.logreport.answers import Report
from poolwitness.logreport.renderings import sarif

# OASIS's schema and Microsoft's validator are not ours to keep here: docs/testing.md says where they are had.
SCHEMA = os.environ.get("SARIF_SCHEMA")
VALIDATOR = os.environ.get("SARIF_MULTITOOL")
# What it advises and cannot be followed: arguments in place of texts, the repository's address, a look at the
# network, copies of code that is not at hand, an address of each rule's page. Of rules whose codes are not ours:
# that they should look as ours do, and have names.
ADVICE = {"SARIF2002", "SARIF2003", "SARIF2006", "SARIF2009", "SARIF2010", "SARIF2011", "SARIF2012"}
# A relative reference of RFC 3986 that is a path.
RELATIVE = re.compile(r"(?:[\w.~!$&'()*+,;=@-]|%[0-9A-F]{2})+(?:/(?:[\w.~!$&'()*+,;=:@-]|%[0-9A-F]{2})+)*", re.ASCII)
LARGEST = 2**31 - 1


def the_run(report: Report) -> dict[str, Any]:
    """The only run of a log."""
    (run,) = json.loads(sarif.render(report))["runs"]
    return dict(run)


@pytest.mark.skipif(SCHEMA is None, reason="SARIF_SCHEMA names no file")
def test_it_is_what_its_schema_demands(any_report: Report) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(Path(str(SCHEMA)).read_text(encoding="utf-8"))
    jsonschema.Draft4Validator(schema).validate(json.loads(sarif.render(any_report)))


@pytest.mark.skipif(VALIDATOR is None, reason="SARIF_MULTITOOL names no file")
def test_microsofts_validator_finds_no_fault(any_report: Report, tmp_path: Path) -> None:
    log, verdict = tmp_path / "log.sarif", tmp_path / "verdict.sarif"
    log.write_text(sarif.render(any_report), encoding="utf-8")
    command = [str(VALIDATOR), "validate", str(log), "--rule-kind", "Sarif;Ghas", "--level", "Error;Warning;Note"]
    ran = subprocess.run([*command, "-o", str(verdict)], capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stdout
    told = json.loads(verdict.read_text(encoding="utf-8-sig"))["runs"][0]["results"]
    serious = [each for each in told if each.get("level") != "note" or each["ruleId"] not in ADVICE]
    assert serious == []
    # It says nothing at all of a log that it could not read.
    assert "SARIF2003" in {each["ruleId"] for each in told}


def test_it_names_its_version_and_the_final_schema(any_report: Report) -> None:
    log = json.loads(sarif.render(any_report))
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("/sarif-schema-2.1.0.json")


def test_there_is_a_rule_for_every_result(any_report: Report) -> None:
    run = the_run(any_report)
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    assert len(run["results"]) == len(any_report.leaks) + len(any_report.others)


def test_every_rule_has_what_github_shows(any_report: Report) -> None:
    rules = the_run(any_report)["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["id"].strip()
        for text in (rule["shortDescription"]["text"], rule["fullDescription"]["text"]):
            assert text.strip()
            assert len(text) <= 1024
        assert rule["help"]["text"].strip()
        assert rule["help"]["markdown"].strip()
        assert rule["defaultConfiguration"]["level"] in {"error", "warning", "note"}
        assert rule["properties"]["precision"] in {"very-high", "high", "medium", "low"}
        assert rule["properties"]["problem.severity"] in {"error", "warning", "recommendation"}
        assert len(rule["properties"]["tags"]) <= 10
        if name := rule.get("name"):
            assert re.fullmatch(r"([A-Z][a-z0-9]+)+", name)
            assert len(name) <= 255
            assert name.lower() != rule["id"].lower()


def test_every_rule_of_ours_has_its_name(of_every_rule: Report) -> None:
    rules = the_run(of_every_rule)["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(pages.codes())
    assert rules[0]["name"] == "PoolNeverClosed"
    assert all("name" in rule for rule in rules)


def test_every_result_says_something_and_has_a_line(any_report: Report) -> None:
    for result in the_run(any_report)["results"]:
        text = result["message"]["text"]
        assert re.search(r"Seen (once|\d+ times) in \d+ process(es)? since [\d: -]+ UTC\.$", text)
        assert not text.startswith((".", " "))
        assert "](" not in text
        assert 1 <= result["occurrenceCount"] <= LARGEST
        ((place,), (function,)) = result["locations"], result["locations"][0]["logicalLocations"]
        assert function["fullyQualifiedName"]
        assert set(place["physicalLocation"]["region"]) == {"startLine"}
        assert 1 <= place["physicalLocation"]["region"]["startLine"] <= LARGEST
        assert result["partialFingerprints"].keys() == {"poolwitness/v1"}


def test_every_file_is_a_path_in_the_repository(any_report: Report) -> None:
    for result in the_run(any_report)["results"]:
        file = result["locations"][0]["physicalLocation"]["artifactLocation"]
        assert file["uriBaseId"] == "%SRCROOT%"
        assert RELATIVE.fullmatch(file["uri"]), file
        assert ".." not in file["uri"].split("/")


def test_github_takes_as_many(many: Report) -> None:
    assert len(the_run(many)["results"]) == 500
    assert len(sarif.render(many).encode()) < 10_000_000


def test_a_rules_help_is_its_page(known: Report) -> None:
    run = the_run(known)
    rules = {rule["id"]: rule for rule in run["tool"]["driver"]["rules"]}
    assert set(rules) == {"PW001", "PW101"}
    assert rules["PW101"]["help"]["markdown"] == pages.page("PW101")
    result = run["results"][0]
    assert result["partialFingerprints"] == {"poolwitness/v1": "worse"}
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "app/shop/db.py"
    assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": 10}
