"""A systemd-journald of the tests' own: in a mount namespace, without systemd as the first process, and without root."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

DAEMON = "/lib/systemd/systemd-journald"
MACHINE = "0123456789abcdef0123456789abcdef"
PATIENCE_S = 60.0
# $1 is the folder for the journal, $2 the settings; the rest is the command, whose stdout and stderr are one stream.
SCRIPT = f"""
set -eu
folder=$1; settings=$2; shift 2
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal /run/systemd/journald.conf.d /run/log/journal
mount --bind "$folder" /run/log/journal
echo {MACHINE} > /run/machine-id
mount --bind /run/machine-id /etc/machine-id
printf '%s' "$settings" > /run/systemd/journald.conf.d/tests.conf
{DAEMON} < /dev/null > "$folder/daemon.log" 2>&1 &
daemon=$!
trap 'kill $daemon' EXIT
until [ -S /run/systemd/journal/stdout ] && [ -S /run/systemd/journal/io.systemd.journal ]; do
    kill -0 $daemon
    sleep 0.02
done
[ $# -eq 0 ] || systemd-cat -t shop "$@"
journalctl --sync
trap - EXIT
kill $daemon
wait $daemon || true
"""
SETTINGS = """[Journal]
Storage=volatile
ReadKMsg=no
Audit=no
ForwardToSyslog=no
ForwardToWall=no
RuntimeMaxUse=16G
RuntimeKeepFree=1M
"""
UNLIMITED = "RateLimitIntervalSec=0\nRateLimitBurst=0\n"


def _command(folder: Path, settings: str, *command: str) -> list[str]:
    root = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["unshare", "--mount", *root, "sh", "-c", SCRIPT, "journald", str(folder), SETTINGS + settings, *command]


@cache
def why_not() -> str:
    """Why there can be none here; empty where there can."""
    for needed in (DAEMON, "systemd-cat", "journalctl", "unshare"):
        if shutil.which(needed) is None:
            return f"{needed} is not installed"
    if not os.path.exists("/etc/machine-id"):
        return "there is no /etc/machine-id to lay another over"
    tried = Path(os.environ.get("TMPDIR", "/tmp"), f"poolwitness-journal-{os.getpid()}")
    tried.mkdir()
    try:
        ran = subprocess.run(
            _command(tried, UNLIMITED), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_S
        )
    except subprocess.TimeoutExpired:
        return "journald does not start in a namespace"
    finally:
        shutil.rmtree(tried)
    return f"journald cannot run in a namespace: {ran.stderr.strip()}" if ran.returncode else ""


class Journal:
    """One journal.

    Args:
        folder: where it lies, empty at first.
    """

    def __init__(self, folder: Path) -> None:
        if why_not():
            pytest.skip(why_not())
        self.folder = folder
        folder.mkdir()

    def of(self, *command: str, settings: str = UNLIMITED, **popen: object) -> subprocess.Popen[bytes]:
        """Start a command whose stdout and stderr are a stream of a journald, as a service's are.

        Args:
            command: a program and its arguments.
            settings: further lines of ``journald.conf``.
            popen: more arguments of `subprocess.Popen`.
        """
        return subprocess.Popen(_command(self.folder, settings, *command), **popen)  # type: ignore[call-overload, no-any-return]

    @contextmanager
    def reading(self, *options: str) -> Iterator[Iterator[bytes]]:
        """The lines that ``journalctl`` prints of the stream."""
        command = ["journalctl", "--quiet", "-D", str(self.folder / MACHINE), "-t", "shop", *options]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as reader:
            assert reader.stdout is not None
            yield reader.stdout
        assert reader.returncode == 0
