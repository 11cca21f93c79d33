"""Whose code a file is, by the file names that each way of packing a program gives its code."""

from __future__ import annotations

import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path

import psycopg_pool
import pytest

from poolwitness.ledger.stacks import capture, resolve
from poolwitness.model import code_owner as module
from poolwitness.model.code_owner import code_owner


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    yield
    code_owner.cache_clear()
    module._packed_distributions.cache_clear()
    module._archives.clear()


def test_of_installed_files() -> None:
    assert code_owner(module.__file__) == "agent"
    assert code_owner(psycopg_pool.__file__) == "psycopg"
    assert code_owner(pytest.__file__) == "installed"
    assert code_owner(sysconfig.__file__) == "stdlib"
    assert code_owner("<frozen runpy>") == "stdlib"
    assert code_owner("<string>") == code_owner("/srv/shop/stock.py") == "application"


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("app.py", "application"),
        ("shop/stock.py", "application"),
        ("psycopg_pool/pool.py", "psycopg"),
        ("psycopg/connection.py", "psycopg"),
        ("poolwitness/observe/checkouts.py", "agent"),
        ("structlog/_config.py", "installed"),
        ("sqlalchemy/pool/base.py", "installed"),
        ("threading.py", "stdlib"),
        ("json/__init__.py", "stdlib"),
    ],
)
def test_of_relative_names_in_a_frozen_program(
    name: str, owner: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "SQLAlchemy-2.1.9.dist-info").mkdir()
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "_MEIPASS", str(tmp_path), raising=False)
    code_owner.cache_clear()
    assert code_owner(name) == owner


def test_a_relative_name_is_reported_as_it_is_in_a_frozen_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    found: list[str] = []
    namespace = {"capture": capture, "resolve": resolve, "sys": sys, "found": found}
    exec(compile("found.append(resolve(capture(sys._getframe())).origin.file)", "shop/stock.py", "exec"), namespace)
    assert found == ["shop/stock.py"]


def test_of_a_relative_name_in_any_other_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code_owner.cache_clear()
    assert code_owner("threading.py") == code_owner("poolwitness/x.py") == "application"


def test_of_names_in_a_zip_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "app.pyz"
    with zipfile.ZipFile(archive, "w") as file:
        for name in ("shop_in_zip.py", "sqlalchemy/pool.py", "SQLAlchemy-2.1.9.dist-info/METADATA"):
            file.writestr(name, "")
    monkeypatch.syspath_prepend(str(archive))
    __import__("shop_in_zip")
    assert code_owner(f"{archive}/shop_in_zip.py") == "application"
    assert code_owner(f"{archive}/sqlalchemy/pool.py") == "installed"
    assert code_owner(f"{archive}/structlog/_config.py") == "installed"


def test_of_names_under_pex_and_shiv() -> None:
    pex = "/root/.cache/pex"
    assert (
        code_owner(f"{pex}/installed_wheels/3/0a/SQLAlchemy-2.1.9-py3-none-any.whl/sqlalchemy/pool.py") == "installed"
    )
    assert (
        code_owner(f"{pex}/unzipped_pexes/4/0a/.deps/structlog-26.1.0-py3-none-any.whl/structlog/x.py") == "installed"
    )
    assert code_owner(f"{pex}/unzipped_pexes/4/0a/shop/stock.py") == "application"
    assert code_owner(f"{pex}/unzipped_pexes/4/0a/.bootstrap/pex/pex.py") == "installed"
    assert code_owner(f"{pex}/unzipped_pexes/4/0a/__main__.py") == "installed"
    assert code_owner("/srv/app.shiv/_bootstrap/__init__.py") == "installed"
    assert code_owner("/root/.shiv/app.shiv_0a/site-packages/sqlalchemy/pool.py") == "installed"
