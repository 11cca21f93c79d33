"""A program packed into one file or folder: the application's lines are told from psycopg's and the agent's."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import zipapp
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.programs import Ran, environment, split

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="builds for POSIX only")]

MAIN = """
import os, sys, time
import poolwitness

poolwitness.activate(held_s="0.5", sweep_s="0.1", level=sys.argv[1])

from psycopg_pool import ConnectionPool
from shop.stock import lose, page


def main():
    with ConnectionPool(os.environ["DSN"], min_size=1, max_size=2, open=True, num_workers=1) as pool:
        page(pool)
        lose(pool)
    print("end")


if __name__ == "__main__":
    main()
"""
STOCK = """
import gc, time


def page(pool):
    with pool.connection():
        time.sleep(1.5)


def lose(pool):
    conn = pool.getconn()
    del conn
    gc.collect()
"""
PACKAGES = ("poolwitness", "psycopg", "psycopg_pool", "structlog", "psutil")
COLLECT = [word for name in (*PACKAGES, "psycopg_binary") for word in ("--collect-all", name)]


def needs(tool: str) -> pytest.MarkDecorator:
    """Skip a build whose tool is not installed: pip install '.[frozen]'."""
    return pytest.mark.skipif(importlib.util.find_spec(tool) is None, reason=f"{tool} is not installed")


def write_program(folder: Path, main: str) -> None:
    """The program's sources: *main* and the package ``shop``."""
    (folder / "shop").mkdir(parents=True)
    (folder / "shop" / "__init__.py").touch()
    (folder / "shop" / "stock.py").write_text(STOCK)
    (folder / main).write_text(MAIN)


def build(*words: str, cwd: Path) -> None:
    """Run a build tool as a module of this Python."""
    done = subprocess.run([sys.executable, "-m", *words], cwd=cwd, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr


def install(folder: Path, *names: str) -> None:
    """Copy installed packages with their metadata, as ``pip install --target`` does."""
    for name in names:
        found = importlib.metadata.distribution(name.replace("_", "-"))
        for file in found.files or ():
            source = Path(str(found.locate_file(file)))
            if ".." not in file.parts and source.suffix != ".pyc" and source.is_file():
                target = folder / str(file)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)


def pyinstaller_folder(folder: Path) -> list[str]:
    write_program(folder, "app.py")
    build("PyInstaller", "--noconfirm", "--log-level=ERROR", *COLLECT, "app.py", cwd=folder)
    return [str(folder / "dist" / "app" / "app")]


def pyinstaller_file(folder: Path) -> list[str]:
    write_program(folder, "app.py")
    build("PyInstaller", "--noconfirm", "--log-level=ERROR", "--onefile", *COLLECT, "app.py", cwd=folder)
    return [str(folder / "dist" / "app")]


def zip_archive(folder: Path) -> list[str]:
    # Compiled modules cannot be imported from a zip archive: psycopg_binary and psutil stay outside.
    write_program(folder / "source", "__main__.py")
    install(folder / "source", "poolwitness", "psycopg", "psycopg_pool", "structlog")
    zipapp.create_archive(folder / "source", folder / "app.pyz")
    return [sys.executable, str(folder / "app.pyz")]


def shiv_archive(folder: Path) -> list[str]:
    write_program(folder / "site", "shopmain.py")
    install(folder / "site", *PACKAGES, "psycopg_binary", "typing_extensions")
    build("shiv", "--site-packages", "site", "-e", "shopmain:main", "-o", "app.shiv", cwd=folder)
    return [sys.executable, "-S", str(folder / "app.shiv")]


def pex_archive(folder: Path) -> list[str]:
    write_program(folder / "source", "shopmain.py")
    wanted = ["poolwitness", "psycopg", "psycopg-binary", "psycopg-pool"]
    build(
        "pex", "--venv-repository", sys.prefix, *wanted, "-D", "source", "-m", "shopmain", "-o", "app.pex", cwd=folder
    )
    return [sys.executable, str(folder / "app.pex")]


def nuitka_program(folder: Path) -> list[str]:
    write_program(folder, "app.py")
    build("nuitka", "--follow-import-to=shop", "--output-dir=out", "app.py", cwd=folder)
    return [str(folder / "out" / "app.bin")]


BUILDS = [
    pytest.param(pyinstaller_folder, marks=needs("PyInstaller")),
    pytest.param(pyinstaller_file, marks=needs("PyInstaller")),
    zip_archive,
    pytest.param(shiv_archive, marks=needs("shiv")),
    pytest.param(pex_archive, marks=needs("pex")),
    pytest.param(nuitka_program, marks=[needs("nuitka"), pytest.mark.skipif(not shutil.which("gcc"), reason="no gcc")]),
]


def run_built(command: list[str], folder: Path, dsn: str, level: str) -> Ran:
    env = environment(DSN=dsn, PEX_ROOT=str(folder / "pex"), SHIV_ROOT=str(folder / "shiv"))
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    done = subprocess.run([*command, level], env=env, cwd=elsewhere, capture_output=True, timeout=120)
    events, own = split(done.stderr)
    return Ran(done.stdout, done.stderr, done.returncode, events, own)


@pytest.mark.parametrize("build_program", BUILDS)
def test_the_application_s_lines_are_reported(
    build_program: Callable[[Path], list[str]], dsn: str, tmp_path: Path
) -> None:
    command = build_program(tmp_path)
    for level in ("watch", "trace"):
        ran = run_built(command, tmp_path, dsn, level)
        assert (ran.stdout, ran.status) == (b"end\n", 0), ran.stderr.decode()
        assert sorted(ran.rules) == ["PW101", "PW103"]
        for finding in ran.named("poolwitness.finding"):
            name = {"PW101": "lose", "PW103": "page"}[finding["poolwitness.rule"]]
            # Nuitka's code has no instructions to look lines up by: the function's own line stands for them.
            line = STOCK.splitlines().index(f"def {name}(pool):") + (1 if build_program is nuitka_program else 2)
            assert finding["code.file.path"].replace(os.sep, "/").endswith("shop/stock.py")
            assert (finding["code.function.name"], finding["code.line.number"]) == (name, line)
            assert "poolwitness/" not in finding["code.stacktrace"]
        (opened,) = ran.named("poolwitness.pool.opened")
        assert opened["code.function.name"] == "main"
        assert ran.verdict == "findings"
