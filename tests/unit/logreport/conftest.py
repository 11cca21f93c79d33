"""Reports to render: known, hostile, of every rule, of many faults, and of nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from poolwitness.diagnose import pages
from tests.support.log_lines import Process, day, history

if TYPE_CHECKING:
    from poolwitness.logreport.answers import Report

EVIL = "</pre><script>alert(1)</script>\"'><img src=x onerror=y> a|b\\|c `c` @team ::error::x %0A\n::set-env:: [x](javascript:y) {0}"


def report_of(*arguments: Any) -> Report:
    """The report on some lines; only where DuckDB is installed, which these tests are skipped without."""
    from tests.support import reports

    return reports.report_of(*arguments)


# Files as programs name them, and as nobody does.
FILES = (
    "/app/my shop/db.py",
    "/app/Größe/データ.py",
    "C:\\build\\my shop\\db.py",
    "C:/build/shop/db.py",
    "\\\\server\\share\\shop\\db.py",
    "../../etc/passwd",
    "<string>",
    "<frozen importlib._bootstrap>",
    "/app/100%25.py",
    "a\0b.py",
    "/",
    "//x//./y.py",
    "http://x/y.py",
    "shop:db.py",
    "a,b?c#d.py",
    "/app/" + "x" * 3000 + ".py",
    "/app/" + "deep/" * 60 + "db.py",
    " ",
)


@pytest.fixture(scope="session")
def known(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return report_of(tmp_path_factory.mktemp("known"), history())


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Report:
    process = Process("evil", at=day(1))
    more: dict[str, Any] = {
        "message": EVIL,
        "poolwitness__fix": EVIL,
        "code__stacktrace": EVIL,
        "code__function__name": EVIL,
    }
    lines = [process.found("PW999", EVIL, file=f"/app/{EVIL}.py", poolwitness__rule_name=EVIL, level=EVIL, **more)]
    lines.append(process.found("", "f", file="", line=-7, message="", poolwitness__fix="", poolwitness__rule_name=""))
    lines.append(
        process.found("PW998", "same", poolwitness__rule_name="PW998", line=2**53, poolwitness__held_back=2**52)
    )
    lines.append(process.found("PW997", "long", poolwitness__rule_name="very-" * 300, message="x. " * 1000))
    lines += [process.found("PW001", f"file {number}", file=file) for number, file in enumerate(FILES)]
    return report_of(tmp_path_factory.mktemp("hostile"), b"".join(lines))


@pytest.fixture(scope="session")
def of_every_rule(tmp_path_factory: pytest.TempPathFactory) -> Report:
    process = Process("every")
    levels = (("info", "suspected"), ("warning", "probable"), ("error", "proven"))
    lines = [
        process.found(
            code,
            f"{code} {level}",
            line=number,
            level=level,
            poolwitness__rule_name=pages.title(code)[0],
            poolwitness__confidence=confidence,
        )
        for number, code in enumerate(pages.codes(), start=1)
        for level, confidence in levels
    ]
    return report_of(tmp_path_factory.mktemp("every"), b"".join(lines))


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory) -> Report:
    process = Process("many")
    lines = [process.found("PW001", f"{number:016x}", file=f"/app/{number}.py") for number in range(500)]
    return report_of(tmp_path_factory.mktemp("many"), process.opened() + b"".join(lines))


@pytest.fixture(scope="session")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return report_of(tmp_path_factory.mktemp("nothing"), b"nothing of ours\n")


@pytest.fixture(params=["known", "hostile", "of_every_rule", "many", "nothing"])
def any_report(request: pytest.FixtureRequest) -> Report:
    report: Report = request.getfixturevalue(request.param)
    return report
