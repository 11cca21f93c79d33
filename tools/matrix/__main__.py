"""Runs the tests marked ``matrix`` on every Python and every psycopg_pool: `make matrix`."""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from tests.support.postgres import embedded_postgres
from tools.matrix.cells import Cell, Result, kill_all, make_base, make_cell, run_tests
from tools.matrix.environments import CannotMake, run_pip
from tools.matrix.interpreters import Interpreter, find

# 3.13 first: its exits are the slow ones, and what starts last ends last.
PYTHONS = ("3.13", "3.10", "3.11", "3.12", "3.14", "3.15")
POOLS = ("3.1", "3.2", "3.3")
# With --cover: each of the older pools on one Python, and real servers on the oldest Python and on the one whose exits
# are like no other's.
COVER_POOLS = {"3.1": ("3.10",), "3.2": ("3.12",)}
COVER_SERVERS = ("3.10", "3.13")
# Where the tests are run that say the same on every Python.
ONCE_ON = "3.13"
FOLDER = Path(".matrix")


def main() -> int:
    options = _options()
    found = {series: find(series) for series in options.pythons}
    present = {series: interpreter for series, interpreter in found.items() if interpreter}
    missing = [series for series in options.pythons if series not in present]
    print("Pythons:", ", ".join(f"{i.version} ({i.path})" for i in present.values()) or "none")
    if missing:
        print(f"Not on this machine: {', '.join(missing)}. Name their folders in POOLWITNESS_PYTHONS.")
        if options.require_all or not present:
            return 1
    try:
        wheel = _build_wheel()
        results = _run_all(present, wheel, options)
    except CannotMake as reason:
        print(reason)
        return 1
    except KeyboardInterrupt:
        print("matrix: interrupted")
        return 130
    _print_table(present, options.pools, results)
    for series in missing:
        print(f"Python {series}: not run, not on this machine")
    failed = sum(result.failed for result in results.values())
    skipped = sum(result.skipped for result in results.values())
    print(f"matrix: {sum(r.passed for r in results.values())} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.matrix", description=__doc__)
    parser.add_argument("--pythons", nargs="+", choices=PYTHONS, default=PYTHONS, metavar="X.Y")
    parser.add_argument("--pools", nargs="+", default=POOLS, metavar="X.Y")
    parser.add_argument(
        "--cover", action="store_true", help="each of the older pools on one Python only, servers on two: 8 cells of 18"
    )
    parser.add_argument("--jobs", type=int, default=3, help="cells at a time; most of their time is waiting")
    parser.add_argument("--cell-timeout-s", type=float, default=1200)
    parser.add_argument("--marked", default="matrix", help="pytest's expression of markers")
    parser.add_argument("--require-all", action="store_true", help="fail where a Python is missing")
    parser.add_argument("--pytest", default=[], action="append", metavar="OPTION", help="one for pytest")
    return parser.parse_args()


def _build_wheel() -> Path:
    folder = FOLDER / "wheel"
    for old in folder.glob("*.whl"):
        old.unlink()
    run_pip(Path(sys.executable), "wheel", "--no-deps", "--no-build-isolation", "-w", folder, ".")
    return next(folder.glob("*.whl")).absolute()


def _run_all(present: dict[str, Interpreter], wheel: Path, options: argparse.Namespace) -> dict[Cell, Result]:
    newest = options.pools[-1]

    def has_servers(series: str) -> bool:
        return not options.cover or series in COVER_SERVERS

    cells = [
        Cell(series, pool)
        for series in options.pythons
        if series in present
        for pool in options.pools
        if pool == newest or not options.cover or series in COVER_POOLS.get(pool, ())
    ]

    def extras_of(series: str) -> str:
        return "test,servers" if has_servers(series) else "test"

    results: dict[Cell, Result] = {}
    with _database() as dsn, ThreadPoolExecutor(options.jobs) as workers:
        # Before the cells, so that a cell never waits for a base that waits for a worker.
        bases = {
            series: workers.submit(make_base, interpreter, FOLDER / f"python{series}", wheel, extras_of(series))
            for series, interpreter in present.items()
        }

        def run_cell(cell: Cell) -> Result:
            folder = FOLDER / cell.name
            try:
                python = make_cell(cell, bases[cell.series].result(), folder, wheel)
            except CannotMake as reason:
                folder.mkdir(parents=True, exist_ok=True)
                (folder / "output.txt").write_text(str(reason))
                return Result(0, 1, 0, 0.0, "it could not be set up")
            marked = _marked(cell, newest, options)
            if not has_servers(cell.series):
                marked = f"({marked}) and not servers"
            return run_tests(python, folder, dsn, options.cell_timeout_s, marked, options.pytest)

        running = {workers.submit(run_cell, cell): cell for cell in cells}
        try:
            for done in as_completed(running):
                cell = running[done]
                results[cell] = done.result()
                _print_cell(cell, results[cell])
        except BaseException:
            workers.shutdown(wait=False, cancel_futures=True)
            kill_all()
            raise
    return results


def _marked(cell: Cell, newest: str, options: argparse.Namespace) -> str:
    """The tests of one cell: fewer for the older pools, and the rest for one."""
    marked: str = options.marked
    if cell.pool != newest:
        marked = f"({marked}) and not per_python"
        return f"{marked} and not sampled" if options.cover else marked
    return f"({marked}) or (matrix_once and not slow)" if marked == "matrix" and cell.series == ONCE_ON else marked


def _database() -> AbstractContextManager[str]:
    # One for all cells: there is no embedded server for every Python.
    given = os.environ.get("POOLWITNESS_TEST_DSN")
    return nullcontext(given) if given else embedded_postgres(max_connections=500)


def _print_cell(cell: Cell, result: Result) -> None:
    print(
        f"Python {cell.series} with psycopg_pool {cell.pool}: {result.passed} passed, {result.failed} failed,"
        f" {result.skipped} skipped in {result.took_s:.0f} s",
        flush=True,
    )
    if result.failed:
        output = FOLDER / cell.name / "output.txt"
        print(f"--- {result.trouble or 'it failed'}; the end of {output}:")
        print("\n".join(output.read_text(errors="replace").splitlines()[-60:]), flush=True)


def _print_table(present: dict[str, Interpreter], pools: list[str], results: dict[Cell, Result]) -> None:
    print(f"\n{'passed/failed/skipped':<24}" + "".join(f"{'psycopg_pool ' + pool:>24}" for pool in pools))
    for series in sorted(present, key=lambda series: int(series.split(".")[1])):
        row = [results.get(Cell(series, pool)) for pool in pools]
        texts = [f"{r.passed}/{r.failed}/{r.skipped} in {r.took_s:.0f} s" if r else "left out" for r in row]
        print(f"{'Python ' + present[series].version:<24}" + "".join(f"{text:>24}" for text in texts))
    print()


if __name__ == "__main__":
    sys.exit(main())
