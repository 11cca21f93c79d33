"""Opens the outputs that the settings name; one that cannot be opened is reported, and the others still work."""

from __future__ import annotations

import os

from poolwitness.config import Config
from poolwitness.report.json_lines import JsonRenderer, render_json
from poolwitness.report.sinks import FdSink, LoggingSink, Render, Sink, StructlogSink, file_sink, stderr_sink


def open_sinks(config: Config, problems: list[str]) -> list[Sink]:
    """The sinks of ``POOLWITNESS_OUTPUT``, in its order.

    Args:
        config: the settings.
        problems: gets a sentence on what could not be opened; stderr replaces it.
    """
    sinks: list[Sink] = []
    unopened: list[str] = []
    for output in config.outputs:
        if output == "stderr":
            found = stderr_sink(lambda terminal: _renderer(config, terminal))
            if found is not None:
                sinks.append(found)
        elif output.startswith("file:"):
            try:
                sinks.append(file_sink(output[len("file:") :], _renderer(config, False)))
            except (OSError, ValueError) as error:
                unopened.append(f"{output!r} ({type(error).__name__})")
        elif output == "logging":
            sinks.append(LoggingSink())
        elif output == "structlog":
            sinks.append(StructlogSink())
        elif output == "otel":
            from poolwitness.otel.logs import OtelSink

            sinks.append(OtelSink(json_renderer(config.profile)))
    if config.check_dir:
        try:
            sinks.append(file_sink(os.path.join(config.check_dir, "%p.jsonl"), render_json))
        except (OSError, ValueError):
            unopened.append("the files of run --check")
    if unopened:
        problems.append(f"cannot write to {', '.join(unopened)}; check the path and its permissions")
        # The reports are worth more on stderr than nowhere.
        if not any(isinstance(sink, FdSink) for sink in sinks):
            found = stderr_sink(lambda terminal: _renderer(config, terminal))
            if found is not None:
                sinks.append(found)
    return sinks


def json_renderer(profile: str) -> Render:
    """What makes lines under the names of a profile; those of the others are not loaded."""
    if profile == "default":
        return render_json
    from poolwitness.report.profiles import PROFILES

    return JsonRenderer(PROFILES[profile].rename)


def _renderer(config: Config, terminal: bool) -> Render:
    if config.format == "console" or (config.format == "auto" and terminal):
        from poolwitness.report.console import ConsoleRenderer

        return ConsoleRenderer(colour=terminal and "NO_COLOR" not in os.environ)
    return json_renderer(config.profile)
