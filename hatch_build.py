"""Compiles the walk of the level ``trace`` into the wheel; without a compiler the wheel is pure Python.

Nothing but that level is slower then, so a build never fails for want of it: it says why in one line and goes on.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.builders.wheel import WheelBuilderConfig

NAME = "poolwitness.observe._stackwalk"
SOURCE = "agent/poolwitness/observe/_stackwalk.c"
OFF = "POOLWITNESS_NO_EXTENSIONS"


class CompiledWalk(BuildHookInterface[WheelBuilderConfig]):
    """Puts the compiled module into the wheel, which is then one for this Python and this platform."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, before the wheel is put together.

        Args:
            version: ``standard`` or ``editable``.
            build_data: what hatchling makes the wheel of.
        """
        if version == "editable":
            return  # it would have to lie among the sources
        # Away from the sources, and kept until the wheel is made.
        self.folder = tempfile.TemporaryDirectory(prefix="poolwitness-build")
        reason = _why_not()
        if not reason:
            try:
                compiled = _compile(Path(self.root, SOURCE), Path(self.folder.name))
            except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a compiler and its drivers raise
                reason = " ".join(str(error).split()) or type(error).__name__
        if reason:
            self.app.display_warning(f"poolwitness: {NAME} is left out, trace takes the one in Python: {reason}")
            return
        build_data["force_include"][str(compiled)] = f"{NAME.rpartition('.')[0].replace('.', '/')}/{compiled.name}"
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Leave nothing behind, once the wheel is made; arguments as of `initialize`, and the wheel's path."""
        if version != "editable":
            self.folder.cleanup()


def _why_not() -> str:
    """Why there is no need to try; empty where there is."""
    if os.environ.get(OFF, "").strip() not in ("", "0"):
        return f"{OFF} is set"
    if sys.implementation.name != "cpython" or sys.version_info < (3, 11):
        return "it needs the C API of CPython 3.11 or later"
    header = Path(sysconfig.get_path("include"), "Python.h")
    return "" if header.exists() else f"there is no {header}, which a package such as python3-dev brings"


def _compile(source: Path, folder: Path) -> Path:
    """Compile the module with the compiler that this Python was made for; gives the file, which lies in the folder."""
    from setuptools import Distribution, Extension
    from setuptools.command.build_ext import build_ext

    command = build_ext(Distribution({"ext_modules": [Extension(NAME, [str(source)])]}))
    command.build_lib, command.build_temp = str(folder / "lib"), str(folder / "temp")
    command.ensure_finalized()
    command.run()
    return Path(command.get_ext_fullpath(NAME))
