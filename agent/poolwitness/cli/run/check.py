"""``poolwitness run --check``: run a program as a child, judge its findings, and measure how long its exit took."""

from __future__ import annotations

import shlex
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from poolwitness.cli.output import print_message
from poolwitness.cli.run.agent_output import AgentOutput, ReportedFinding, read_agent_output
from poolwitness.cli.run.exec import replace_process, report_start_failure
from poolwitness.cli.run.supervisor import ChildExit, run_child
from poolwitness.model.wording import plural, short_path

FINDINGS = 23


def run_checked(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run a program to its end and judge what its agents reported.

    Returns:
        The program's own status if it is not 0 (if a signal killed it, this process dies of the same one), else 23
        if there are findings, else 0; 127 or 126 if it could not be started.
    """
    try:
        directory = Path(tempfile.mkdtemp(prefix="poolwitness-"))
    except OSError as error:
        reason = error.strerror or error
        print_message(f"{shlex.quote(command[0])} runs unchecked, for there is no temporary directory: {reason}.")
        return replace_process(command, environ)
    try:
        child = run_child(command, {**environ, "POOLWITNESS_CHECK_DIR": str(directory)})
        status = _judge(directory, child)
    except (OSError, ValueError) as error:
        return report_start_failure(command[0], error)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return child.exit_like_child() if child.returncode else status


def _judge(directory: Path, child: ChildExit) -> int:
    try:
        output = read_agent_output(directory)
        status = child.returncode or (FINDINGS if output.findings else 0)
        for sentence in summary(output, child, status):
            print_message(sentence)
    except Exception as error:  # noqa: BLE001 - the program has ended, and its status must not be lost to us
        print_message(f"what the agent wrote could not be judged: {error!r}.")
        return child.returncode
    return status


def summary(output: AgentOutput, child: ChildExit, status: int) -> list[str]:
    """The summary for the user, one sentence per line; *status* is what this command will return."""
    lines = []
    if output.findings:
        lines.append(f"{plural(len(output.findings), 'finding')}; {_status(child, status)}.")
        places = Counter((f"{each.rule} {each.name}", _at(each)) for each in output.findings)
        width = max(len(rule) for rule, _ in places)
        for (rule, place), times in sorted(places.items()):
            lines.append(f"  {rule:<{width}}  {place}{f'  ({times} times)' if times > 1 else ''}")
    elif output.pids:
        lines.append(f"no findings; {_status(child, status)}.")
    else:
        lines.append(
            f"no pool was created, or the agent did not start in the program (`poolwitness doctor` says what "
            f"would stop it); {_status(child, status)}."
        )
    if output.pids:
        lines.append(_exit_time(output, child))
    without_verdict = len(output.pids - output.verdict_at.keys() - {child.pid})
    if without_verdict:
        processes = "process" if without_verdict == 1 else "processes"
        lines.append(f"{without_verdict} more {processes} ended without a verdict.")
    if output.unreadable:
        lines.append(f"{plural(output.unreadable, 'line')} could not be read and did not count.")
    return lines


def _exit_time(output: AgentOutput, child: ChildExit) -> str:
    pid = child.pid
    if pid not in output.pids and output.verdict_at:
        # The command was a shell or another launcher: take the process with the last verdict instead.
        pid = max(output.verdict_at, key=lambda other: output.verdict_at[other])
    verdict_at = output.verdict_at.get(pid)
    if verdict_at is None:
        how = f"it died of {child.signal_name}" if child.signal_name else "it was killed, or left by os._exit"
        return f"the program ended without a verdict: {how}."
    if not verdict_at:
        return "when the verdict was taken is not known, so neither is what the exit took."
    return f"the exit took {max(0.0, child.ended_at - verdict_at):.1f} s after the verdict."


def _status(child: ChildExit, status: int) -> str:
    if child.signal_name:
        return f"the program died of {child.signal_name}, and so does this command"
    if child.returncode:
        return f"the program's own status {child.returncode} stands"
    return f"status {status}"


def _at(finding: ReportedFinding) -> str:
    return f"{short_path(finding.file)}:{finding.line}" if finding.file else "no line known"
