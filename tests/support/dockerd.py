"""A Docker daemon of the tests' own: apart from any other, without a network, its images made of nothing."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PATIENCE_S = 60.0


class Docker:
    """A daemon that runs.

    Args:
        folder: its own.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = f"unix://{folder}/docker.sock"

    def __call__(self, *words: str, data: bytes = b"") -> str:
        """What ``docker WORDS`` prints.

        Raises:
            AssertionError: it failed.
        """
        ran = subprocess.run(
            ["docker", "-H", self.socket, *words], input=data, capture_output=True, timeout=PATIENCE_S, check=False
        )
        assert ran.returncode == 0, ran.stderr.decode()
        return ran.stdout.decode().strip()

    def run(self, *command: str, **variables: str) -> list[dict[str, str]]:
        """Run a program of this machine in a container, and give what its json-file has: a record a line, or a part of one."""
        nothing = io.BytesIO()
        tarfile.open(fileobj=nothing, mode="w").close()
        image = self("import", "-", data=nothing.getvalue())
        options = ["--network", "none", "--log-driver", "json-file"]
        wanted = {"/usr", "/lib", "/lib64", "/bin", "/etc", sys.prefix, sys.base_prefix}
        for folder in sorted(wanted):
            if os.path.exists(folder) and not any(folder.startswith(other + "/") for other in wanted):
                options += ["-v", f"{folder}:{folder}:ro"]
        for name, value in variables.items():
            options += ["-e", f"{name}={value}"]
        container = self("create", *options, image, *command)
        self("start", container)
        assert self("wait", container) == "0", self("logs", container)
        file = self.folder / "data" / "containers" / container / f"{container}-json.log"
        return [json.loads(line) for line in file.read_bytes().splitlines()]


@contextmanager
def running(folder: Path) -> Iterator[Docker]:
    """Start one; the test skips where there can be none."""
    for needed in ("dockerd", "docker", "containerd", "runc"):
        if shutil.which(needed) is None:
            pytest.skip(f"{needed} is not installed")
    if os.geteuid() != 0:
        pytest.skip("dockerd needs root")
    options = [
        *("--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid"),
        *("-H", f"unix://{folder}/docker.sock", "--storage-driver", "vfs"),
        *("--bridge", "none", "--iptables=false", "--ip6tables=false"),
    ]
    with (folder / "daemon.log").open("wb") as log:
        daemon = subprocess.Popen(["dockerd", *options], stdout=log, stderr=log)
        try:
            docker = Docker(folder)
            deadline_mono = time.monotonic() + PATIENCE_S
            while not _answers(docker):
                if daemon.poll() is not None or time.monotonic() > deadline_mono:
                    said = (folder / "daemon.log").read_text(errors="replace").splitlines()
                    pytest.skip(f"dockerd cannot run here: {said[-1] if said else 'no answer'}")
                time.sleep(0.1)
            yield docker
        finally:
            daemon.terminate()
            daemon.wait(PATIENCE_S)


def _answers(docker: Docker) -> bool:
    try:
        return bool(docker("version", "--format", "{{.Server.Version}}"))
    except AssertionError:
        return False
