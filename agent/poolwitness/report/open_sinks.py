"""Open the sinks that the settings name; one that cannot be opened is reported and the others go on."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from poolwitness.config import Config
from poolwitness.model.startup import CHECK_FILE
from poolwitness.report.file_sink import FileSink
from poolwitness.report.json_lines import JsonRenderer, render_json
from poolwitness.report.sinks import FdSink, LoggingSink, Render, Sink, StructlogSink, stderr_sink


def open_sinks(
    config: Config, problems: list[str], opened: Mapping[str, int], more: Mapping[str, Callable[[Render], Sink]]
) -> list[Sink]:
    """The sinks of ``POOLWITNESS_OUTPUT``, in its order.

    Args:
        config: the settings.
        problems: gets a sentence on what could not be opened; stderr stands in for it.
        opened: the descriptors of paths that were opened earlier.
        more: what makes the sink of an output that this package does not know, by the output's name.
    """
    sinks: list[Sink] = []
    unopened: list[str] = []

    def add_stderr() -> None:
        found = stderr_sink(lambda terminal: _renderer(config, terminal))
        if found is not None:
            sinks.append(found)

    for output in config.outputs:
        if output == "stderr":
            add_stderr()
        elif output.startswith("file:"):
            path = output[len("file:") :]
            try:
                sinks.append(FileSink(path, _renderer(config, False), opened.get(path)))
            except (OSError, ValueError) as error:
                unopened.append(f"{output!r} ({type(error).__name__})")
        elif output == "logging":
            sinks.append(LoggingSink())
        elif output == "structlog":
            sinks.append(StructlogSink())
        elif output in more:
            sinks.append(more[output](json_renderer(config.profile)))
    if config.check_dir:
        path = os.path.join(config.check_dir, CHECK_FILE)
        try:
            sinks.append(FileSink(path, render_json, opened.get(path)))
        except (OSError, ValueError):
            unopened.append("the files of run --check")
    if unopened:
        problems.append(f"cannot write to {', '.join(unopened)}; check the path and its permissions")
        # The reports are worth more on stderr than nowhere.
        if not any(isinstance(sink, FdSink) for sink in sinks):
            add_stderr()
    return sinks


def json_renderer(profile: str) -> Render:
    """The renderer of lines under the names of a profile; those of other profiles are not loaded."""
    if profile == "default":
        return render_json
    from poolwitness.report.profiles import PROFILES

    return JsonRenderer(PROFILES[profile].rename)


def _renderer(config: Config, terminal: bool) -> Render:
    if config.format == "console" or (config.format == "auto" and terminal):
        from poolwitness.report.console import ConsoleRenderer

        return ConsoleRenderer(colour=terminal and "NO_COLOR" not in os.environ)
    return json_renderer(config.profile)
