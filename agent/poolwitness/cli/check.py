"""``run --check``: be the parent of a program, judge what it left, and say how long its exit took."""

from __future__ import annotations

import shlex
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from poolwitness.cli import execute, say, supervise
from poolwitness.cli.evidence import Evidence, Told, read
from poolwitness.cli.supervise import Ended
from poolwitness.model.wording import plural, short_path

FINDINGS = 23


def run(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run a program to its end and judge it.

    Args:
        command: the program and its arguments.
        environ: the environment with the agent in it.

    Returns:
        The program's own status if it is not 0 (a death by signal is died again), else 23 where findings
        stand, else 0; 127 and 126 where it could not be started.
    """
    try:
        directory = Path(tempfile.mkdtemp(prefix="poolwitness-"))
    except OSError as error:
        reason = error.strerror or error
        say(f"{shlex.quote(command[0])} runs unchecked, for there is no temporary directory: {reason}.")
        return execute.become(command, environ)
    try:
        try:
            ended = supervise.run(command, {**environ, "POOLWITNESS_CHECK_DIR": str(directory)})
        except (OSError, ValueError) as error:
            return execute.refused(command[0], error)
        status = _judge(directory, ended)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return ended.leave_like() if ended.returncode else status


def _judge(directory: Path, ended: Ended) -> int:
    try:
        evidence = read(directory)
        status = ended.returncode or (FINDINGS if evidence.findings else 0)
        for sentence in summary(evidence, ended, status):
            say(sentence)
    except Exception as error:  # noqa: BLE001 - the program has ended, and its status must not be lost to us
        say(f"what the agent wrote could not be judged: {error!r}.")
        return ended.returncode
    return status


def summary(evidence: Evidence, ended: Ended, status: int) -> list[str]:
    """What a person wants to know afterwards, a sentence a line.

    Args:
        evidence: what the program's processes left.
        ended: how the program ended.
        status: what this command is going to end with.
    """
    lines = []
    if evidence.findings:
        lines.append(f"{plural(len(evidence.findings), 'finding')}; {_status(ended, status)}.")
        places = Counter((told.rule, told.name, _place(told)) for told in evidence.findings)
        width = max(len(f"{rule} {name}") for rule, name, _ in places)
        for (rule, name, place), times in sorted(places.items()):
            lines.append(f"  {f'{rule} {name}':<{width}}  {place}{f'  ({times} times)' if times > 1 else ''}")
    elif evidence.pids:
        lines.append(f"no findings; {_status(ended, status)}.")
    else:
        lines.append(
            f"no pool was created, or the agent did not start in the program (`poolwitness doctor` says what "
            f"would stop it); {_status(ended, status)}."
        )
    if evidence.pids:
        lines.append(_exit(evidence, ended))
    silent = len(evidence.pids - evidence.verdict_at.keys() - {ended.pid})
    if silent:
        lines.append(f"{silent} more {'process' if silent == 1 else 'processes'} ended without a verdict.")
    if evidence.unreadable:
        lines.append(f"{plural(evidence.unreadable, 'line')} could not be read and did not count.")
    return lines


def _exit(evidence: Evidence, ended: Ended) -> str:
    whose = ended.pid
    if whose not in evidence.pids and evidence.verdict_at:
        # The command was a shell or another launcher: the program's last process stands for it.
        whose = max(evidence.verdict_at, key=lambda pid: evidence.verdict_at[pid])
    verdict_at = evidence.verdict_at.get(whose)
    if verdict_at is None:
        how = f"it died of {ended.signal_name}" if ended.signal_name else "it was killed, or left by os._exit"
        return f"the program ended without a verdict: {how}."
    if not verdict_at:
        return "when the verdict was taken is not known, so neither is what the exit took."
    return f"the exit took {max(0.0, ended.ended_at - verdict_at):.1f} s after the verdict."


def _status(ended: Ended, status: int) -> str:
    if ended.signal_name:
        return f"the program died of {ended.signal_name}, and so does this command"
    if ended.returncode:
        return f"the program's own status {ended.returncode} stands"
    return f"status {status}"


def _place(told: Told) -> str:
    if not told.file:
        return "no line known"
    return f"{short_path(told.file)}:{told.line}"
