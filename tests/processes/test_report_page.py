"""The page in a real browser, where one is at hand: it fits its window, and both colour schemes can be read.

`POOLWITNESS_SCREENSHOTS=FOLDER` keeps the pictures, to be looked at by a person: docs/testing.md.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("playwright")

from poolwitness.logreport.renderings import html_page
from tests.support.log_lines import Process, day
from tests.support.reports import report_of

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium on PATH"),
]
WINDOWS = {"phone": (390, 844), "desktop": (1280, 900)}
LONG = 'File "/srv/releases/2026-06-30/shop/services/orders/checkout/payments.py", line 42, in settle'


def content(findings: int) -> bytes:
    """A log with so many findings, each of a fault of its own, over three weeks."""
    lines = []
    for number in range(max(1, findings)):
        process = Process(f"run-{number:03}", at=day(20 - number % 20))
        file = f"/srv/releases/2026-06-30/shop/services/orders/part_{number}.py"
        lines.append(process.opened(file=file))
        if findings:
            rule = ("PW001", "PW101", "PW103")[number % 3]
            lines.append(
                process.found(
                    rule,
                    f"{number:016x}",
                    file=file,
                    message=f"pool 'orders', made at shop/services/orders/part_{number}.py:5 in connect, was never closed: "
                    "Python 3.13 is expected to wait about 10 s for its 2 threads at exit; kept alive by __main__.orders",
                    code__stacktrace="\n".join([LONG] * 8),
                    poolwitness__held_s=31.5,
                )
            )
        process.at += 3600
        lines += [process.closed(file=file), process.verdict(1 if findings else 0)]
    return b"".join(lines)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with import_module("playwright.sync_api").sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module", params=[0, 1, 500])
def rendered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Path]:
    folder = tmp_path_factory.mktemp("page")
    path = folder / "report.html"
    path.write_text(html_page.render(report_of(folder, content(request.param))), encoding="utf-8")
    return request.param, path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("window", WINDOWS)
def test_the_page_fits_its_window(
    browser: Any, rendered: tuple[int, Path], tmp_path: Path, window: str, scheme: str
) -> None:
    findings, path = rendered
    width, height = WINDOWS[window]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, offline=True)
    opened = context.new_page()
    troubles: list[str] = []
    opened.on("console", lambda message: troubles.append(message.text))
    opened.goto(path.as_uri())
    folder = Path(os.environ.get("POOLWITNESS_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    opened.screenshot(path=folder / f"report-{findings}-{window}-{scheme}.png")
    # Nothing has to be scrolled sideways, and with everything unfolded neither.
    assert opened.evaluate("document.documentElement.scrollWidth") == width
    opened.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert opened.evaluate("document.documentElement.scrollWidth") == width
    assert opened.locator("article").count() == findings
    assert opened.locator("article").first.is_visible() == (findings > 0)
    for part in ("body", "h1", ".dim", "figcaption", "article p", ".facts", "summary", "article pre"):
        if opened.locator(part).count():
            assert contrast(opened, part) >= 4.5, part
    assert troubles == []
    context.close()


def contrast(opened: Any, part: str) -> float:
    """The contrast of a text with what is behind it, as the WCAG has it: 4.5 is what small texts need."""
    ink, paper = opened.locator(part).first.evaluate(
        """element => {
            const ink = getComputedStyle(element).color;
            let behind = element, paper = "rgba(0, 0, 0, 0)";
            while (behind && paper.endsWith(", 0)")) {
                paper = getComputedStyle(behind).backgroundColor;
                behind = behind.parentElement;
            }
            return [ink, paper].map(colour => colour.match(/\\d+/g).slice(0, 3).map(Number));
        }"""
    )
    light, dark = sorted((luminance(ink), luminance(paper)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: list[int]) -> float:
    """How bright a colour is, from 0 to 1."""
    linear = [
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in (c / 255 for c in colour)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
