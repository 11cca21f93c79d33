"""The settings, read once from a mapping of environment variables; a bad value is reported and takes its default."""

# No annotations from __future__ here: NamedTuple would compile each of them, which takes longer than all the rest.

import math
import signal as signals
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from poolwitness.model.startup import is_on

T = TypeVar("T")

LEVELS = ("exit", "watch", "trace")
FORMATS = ("auto", "json", "console")
PROFILES = ("default", "otel", "ecs", "gcp", "datadog")
OUTPUTS = ("stderr", "logging", "structlog", "otel", "none")
_STDERR: tuple[str, ...] = ("stderr",)
_NOTHING: tuple[str, ...] = ()


class Config(NamedTuple):
    """One value a variable, already checked; ``problems`` has one sentence for each value that was not usable."""

    enabled: bool = False
    level: str = "watch"
    outputs: tuple[str, ...] = ("stderr",)
    format: str = "auto"
    profile: str = "default"
    close: bool = False
    close_timeout_s: float = 5.0
    held_s: float = 30.0
    sweep_s: float = 5.0
    ignore: tuple[str, ...] = ()
    sigterm: bool = False
    signal: str = ""
    blackbox: str = ""
    check_dir: str = ""
    problems: tuple[str, ...] = ()

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Config":
        """Read the POOLWITNESS… variables.

        Args:
            environ: ``os.environ`` or a mapping like it.

        Returns:
            A complete Config: what was not set or not usable has its default.
        """
        problems: list[str] = []

        def read(name: str, default: T, parse: Callable[[str], T], wanted: str) -> T:
            value = environ.get(name, "").strip()
            if not value:
                return default
            try:
                return parse(value)
            except (ValueError, TypeError):
                shown = value if len(value) <= 60 else value[:57] + "..."
                problems.append(f"{name}={shown!r} is not {wanted}; using {_spell(default)}")
                return default

        known: dict[str, Any] = {
            "enabled": read("POOLWITNESS", False, _flag, "1 or 0"),
            "level": read("POOLWITNESS_LEVEL", "watch", _one_of(LEVELS), "one of exit, watch, trace"),
            "outputs": read(
                "POOLWITNESS_OUTPUT",
                _STDERR,
                _outputs,
                "a comma list of stderr, file:PATH, logging, structlog, otel, none",
            ),
            "format": read("POOLWITNESS_FORMAT", "auto", _one_of(FORMATS), "one of auto, json, console"),
            "profile": read("POOLWITNESS_PROFILE", "default", _one_of(PROFILES), f"one of {', '.join(PROFILES)}"),
            "close": read("POOLWITNESS_CLOSE", False, _flag, "1 or 0"),
            "close_timeout_s": read("POOLWITNESS_CLOSE_TIMEOUT_S", 5.0, _seconds(0.0), "a number of seconds from 0"),
            "held_s": read("POOLWITNESS_HELD_S", 30.0, _seconds(0.001), "a number of seconds over 0"),
            "sweep_s": read("POOLWITNESS_SWEEP_S", 5.0, _seconds(0.01), "a number of seconds from 0.01"),
            "ignore": read("POOLWITNESS_IGNORE", _NOTHING, _words, "a comma list of RULE, RULE:glob or fingerprints"),
            "sigterm": read("POOLWITNESS_SIGTERM", False, _flag, "1 or 0"),
            "signal": read("POOLWITNESS_SIGNAL", "", _signal, "the name of a signal such as SIGUSR2"),
            "blackbox": environ.get("POOLWITNESS_BLACKBOX", "").strip(),
            "check_dir": environ.get("POOLWITNESS_CHECK_DIR", "").strip(),
        }
        return cls(**known, problems=tuple(problems))


def _spell(default: object) -> str:
    if isinstance(default, bool):
        return "1" if default else "0"
    if isinstance(default, tuple):
        return ",".join(default) or "none"
    return str(default) or "none"


def _flag(value: str) -> bool:
    on = is_on(value)
    if on is None:
        raise ValueError(value)
    return on


def _one_of(allowed: tuple[str, ...]) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value.lower() not in allowed:
            raise ValueError(value)
        return value.lower()

    return parse


def _seconds(least: float) -> Callable[[str], float]:
    def parse(value: str) -> float:
        seconds = float(value)
        if not math.isfinite(seconds) or seconds < least:
            raise ValueError(value)
        return seconds

    return parse


def _words(value: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in value.split(",") if word.strip())


def _outputs(value: str) -> tuple[str, ...]:
    words = _words(value)
    for word in words:
        if word not in OUTPUTS and not (word.startswith("file:") and len(word) > len("file:")):
            raise ValueError(word)
    if not words:
        raise ValueError(value)
    return words


def _signal(value: str) -> str:
    name = value.upper()
    if not hasattr(signals, name) or not name.startswith("SIG") or name.startswith("SIG_"):
        raise ValueError(value)
    return name
