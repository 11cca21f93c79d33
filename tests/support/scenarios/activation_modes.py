"""The ways of switching the agent on, each as a command and an environment.

The programs of the modes that need no ``.pth`` run in an environment without one: it finds the same packages
by a line in a path file, and the interpreter does not read the path files that lie beside those packages.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import sysconfig
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.support.scenarios.collection import Scenario

_ACTIVATE = """
import sys
if {active}:
    import poolwitness
    poolwitness.activate()
del sys.argv[0]
sys.path[0] = {folder!r}
with open(sys.argv[0], encoding="utf-8") as file:
    code = compile(file.read(), sys.argv[0], "exec")
del file
exec(code)
"""


@dataclass(frozen=True)
class Launch:
    """A command, and the variables that it needs beside the scenario's own."""

    command: list[str]
    env: dict[str, str]
    import_path: list[Path]


@dataclass(frozen=True)
class Interpreters:
    """The Python with the agent's ``.pth``, and one that finds the same packages and reads no ``.pth``."""

    with_pth: str
    without_pth: str


def make_interpreters(folder: Path) -> Interpreters:
    """Make the second interpreter, a virtual environment, in *folder*."""
    venv.EnvBuilder(symlinks=os.name != "nt").create(folder)
    paths = sysconfig.get_paths(vars={"base": str(folder), "platbase": str(folder)})
    packages = dict.fromkeys(sysconfig.get_path(key) for key in ("purelib", "platlib"))
    Path(paths["purelib"], "same_packages.pth").write_text("\n".join(packages) + "\n", encoding="utf-8")
    return Interpreters(sys.executable, os.path.join(paths["scripts"], os.path.basename(sys.executable)))


def site_folder() -> Path:
    """The folder that ``poolwitness sitedir`` names."""
    spec = importlib.util.find_spec("poolwitness")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("poolwitness is not installed in this environment; install its wheel first")
    return Path(next(iter(spec.submodule_search_locations)), "site")


def _program(scenario: Scenario) -> list[str]:
    return [str(scenario.program), *scenario.header.argv]


def _without(scenario: Scenario, pythons: Interpreters) -> Launch:
    return Launch([pythons.with_pth, *_program(scenario)], {}, [])


def _off(scenario: Scenario, pythons: Interpreters) -> Launch:
    return Launch([pythons.with_pth, *_program(scenario)], {"POOLWITNESS": "0"}, [])


def _pth(scenario: Scenario, pythons: Interpreters) -> Launch:
    return Launch([pythons.with_pth, *_program(scenario)], {"POOLWITNESS": "1"}, [])


def _sitedir(scenario: Scenario, pythons: Interpreters) -> Launch:
    return Launch([pythons.without_pth, *_program(scenario)], {"POOLWITNESS": "1"}, [site_folder()])


def _pth_and_sitedir(scenario: Scenario, pythons: Interpreters) -> Launch:
    return Launch([pythons.with_pth, *_program(scenario)], {"POOLWITNESS": "1"}, [site_folder()])


def _run(scenario: Scenario, pythons: Interpreters) -> Launch:
    command = [
        pythons.without_pth,
        "-m",
        "poolwitness",
        "run",
        "--",
        pythons.without_pth,
        *_program(scenario),
    ]
    return Launch(command, {}, [])


def _in_code(active: bool) -> Callable[[Scenario, Interpreters], Launch]:
    def launch(scenario: Scenario, pythons: Interpreters) -> Launch:
        wrapper = _ACTIVATE.format(active=active, folder=str(scenario.program.parent))
        return Launch([pythons.without_pth, "-c", wrapper, *_program(scenario)], {}, [])

    return launch


ACTIVATION_MODES: dict[str, Callable[[Scenario, Interpreters], Launch]] = {
    "without": _without,
    "without, in code": _in_code(active=False),
    "off": _off,
    "pth": _pth,
    "sitedir": _sitedir,
    "pth and sitedir": _pth_and_sitedir,
    "run": _run,
    "in code": _in_code(active=True),
}


def baseline_of(mode: str) -> str:
    """The mode that differs from *mode* in nothing but the agent."""
    return "without, in code" if mode == "in code" else "without"
