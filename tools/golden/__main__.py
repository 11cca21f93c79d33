"""The command line: ``python -m tools.golden record`` and ``python -m tools.golden compare``."""

from __future__ import annotations

import argparse
import fnmatch
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tools.golden.environment import Environment, database, make_environment
from tools.golden.masking import Masker
from tools.golden.records import TEXT_FIELDS, TIMED_FIELDS, Comparison, Outcome, Record, compare, read, unstable_fields
from tools.golden.runs import Run, run
from tools.golden.scenarios import find_scenarios, scenario_folder


def main() -> int:
    """Run a command; the exit status is 1 where records differ."""
    arguments = _parser().parse_args()
    command: Callable[[argparse.Namespace], int] = arguments.command
    return command(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tools.golden", description="Record the agent's lines, and compare records.")
    commands = parser.add_subparsers(required=True)
    recording = commands.add_parser("record", help="run every scenario and write what the agent wrote")
    recording.set_defaults(command=_record)
    recording.add_argument("--tree", type=Path, required=True, help="the project, whose package is installed")
    recording.add_argument("--python", required=True, help="the interpreter to make the environment from")
    recording.add_argument("--out", type=Path, required=True, help="the file to write")
    recording.add_argument("--repeat", type=int, default=1, help="how often each scenario is run (1)")
    recording.add_argument("--at-once", type=int, default=2, help="how many scenarios run at the same time (2)")
    recording.add_argument("--only", action="append", metavar="GLOB", help="these scenarios; more than once")
    recording.add_argument("--scenarios", type=Path, help="the folder of programs (TREE/tests/scenarios)")
    recording.add_argument("--add", action="store_true", help="keep the outcomes that the file has")
    recording.add_argument(
        "--work", type=Path, default=Path(tempfile.gettempdir(), "poolwitness-golden"), help="for environments"
    )
    comparing = commands.add_parser("compare", help="compare two records; exit status 1 if they differ")
    comparing.set_defaults(command=_compare)
    comparing.add_argument("first", type=Path, help="the record that is right")
    comparing.add_argument("second", type=Path, help="the other")
    comparing.add_argument("--ignore-text", action="store_true", help=f"without {', '.join(TEXT_FIELDS)}")
    comparing.add_argument("--ignore", action="append", default=[], metavar="GLOB", help="without these fields")
    comparing.add_argument("--timed", action="store_true", help=f"also {', '.join(TIMED_FIELDS)}")
    comparing.add_argument("--only", action="append", metavar="GLOB", help="these scenarios; more than once")
    comparing.add_argument("--quiet", action="store_true", help="name the scenarios that differ, without diffs")
    return parser


def _record(arguments: argparse.Namespace) -> int:
    started = time.monotonic()
    # A shell starts a job in the background with SIGINT ignored, and the scenarios would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stops the database too
    tree: Path = arguments.tree.resolve()
    environment = make_environment(tree, arguments.python, arguments.work)
    _say(f"python {environment.versions['python']}, psycopg_pool {environment.versions['pool']}: {environment.folder}")
    record = read(arguments.out) if arguments.add and arguments.out.exists() else Record({})
    record.about = {"tree": str(tree), "commit": _commit(tree), "repeat": arguments.repeat, **environment.versions}
    with tempfile.TemporaryDirectory(prefix="golden-") as name, database() as dsn:
        # A copy whose path is as long as that of any other: where a stack is cut depends on it.
        copy = Path(name).resolve() / "tests" / "scenarios"
        source = arguments.scenarios or scenario_folder(tree)
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
        found = [each for each in find_scenarios(copy) if _chosen(each.id, arguments.only)]
        chosen = [each for each in found if each.runs_on(environment.versions)]
        # The longest first, so that none of them is left for the end.
        jobs = sorted((each for each in chosen for _ in range(arguments.repeat)), key=lambda each: -each.delays)
        _say(f"{len(chosen)} scenarios, {len(jobs)} runs; {len(found) - len(chosen)} are for other versions")
        with ThreadPoolExecutor(arguments.at_once) as executor:
            started_runs = {executor.submit(run, each, environment.python, dsn): each for each in jobs}
            try:
                for count, future in enumerate(as_completed(started_runs), 1):
                    scenario, ran = started_runs[future], future.result()
                    record.add(scenario.id, _outcome(ran, _folders(environment, copy, ran, dsn)))
                    if count % 50 == 0:
                        _say(f"{count} of {len(jobs)} after {time.monotonic() - started:.0f} s")
            finally:
                executor.shutdown(wait=False, cancel_futures=True)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    record.write(arguments.out)
    _say(f"{arguments.out}: {len(record.outcomes)} scenarios after {time.monotonic() - started:.0f} s")
    for name, outcomes in sorted(record.outcomes.items()):
        if len(outcomes) > 1:
            fields = ", ".join(sorted({key for _, key in unstable_fields(outcomes)}))
            _say(f"unstable: {name}: {len(outcomes)} outcomes; {fields or 'which values go together'}")
    return 0


def _chosen(scenario: str, only: Iterable[str] | None) -> bool:
    return any(fnmatch.fnmatchcase(scenario, pattern) for pattern in only or ["*"])


def _outcome(ran: Run, folders: dict[Path, str]) -> Outcome:
    return Outcome(ran.status, Masker(folders, ran.pid).mask(ran.lines))


def _folders(environment: Environment, scenarios: Path, ran: Run, dsn: str) -> dict[Path, str]:
    folders = {
        environment.folder: "<venv>",
        scenarios: "<scenarios>",
        scenarios.parent.parent: "<copy>",
        Path(scenarios.parent.parent.name): "<copy>",
        ran.folder: "<run>",
        Path(ran.folder.name): "<run>",
    }
    folders.update((path, "<stdlib>") for path in environment.stdlib)
    folders.update((path, "<site>") for path in environment.site)
    host = dsn.partition("host=")[2]
    if host:
        folders[Path(host)] = "<database>"
    return folders


def _commit(tree: Path) -> str:
    asked = subprocess.run(
        ["git", "-C", str(tree), "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip()


def _compare(arguments: argparse.Namespace) -> int:
    ignored = [*arguments.ignore, *(TEXT_FIELDS if arguments.ignore_text else ())]
    first, second = read(arguments.first), read(arguments.second)
    result = compare(first, second, ignored, arguments.only or ["*"], () if arguments.timed else TIMED_FIELDS)
    for scenario, diff in result.different.items():
        _say(f"different: {scenario}")
        if not arguments.quiet:
            _say("".join(f"    {line}\n" for line in diff))
    for kind, names in (
        ("unstable", result.unstable),
        ("added", result.added),
        ("missing", result.missing),
        ("lost everywhere", result.lost),
    ):
        for name in names:
            _say(f"{kind}: {name}")
    if result.different:
        _say("record again: " + " ".join(f"--only {scenario}" for scenario in result.different))
    _say(_summary(result))
    return 0 if result.equal else 1


def _summary(result: Comparison) -> str:
    return (
        f"{len(result.same)} same, {len(result.unstable)} unstable, {len(result.different)} different,"
        f" {len(result.missing)} missing, {len(result.added)} added,"
        f" {len(result.lost)} fields lost"
    )


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
