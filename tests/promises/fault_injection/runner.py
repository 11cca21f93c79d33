"""Run the program on fork servers, several at a time."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.promises.fault_injection import fork_server as fork_server
from tests.support.programs import Ran, environment, strict

PROGRAM = Path(__file__).with_name("program.py")
# Everything that can be reached is switched on: the level trace, sweeps in passing, each kind of output.
VARIANTS = {
    "rich": {
        "POOLWITNESS_LEVEL": "trace",
        "POOLWITNESS_SWEEP_S": "0.02",
        "POOLWITNESS_HELD_S": "0.05",
        "POOLWITNESS_SIGNAL": "SIGUSR2",
        "POOLWITNESS_BLACKBOX": "{folder}",
    },
    "close": {
        "POOLWITNESS_CLOSE": "1",
        "POOLWITNESS_FORMAT": "console",
        "POOLWITNESS_OUTPUT": f"file:{os.devnull},logging,stderr",
        "POOLWITNESS_SWEEP_S": "often",
        "POOLWITNESS_IGNORE": "PW102:*/nothing.py",
        "POOLWITNESS_CHECK_DIR": tempfile.gettempdir() + "/no such folder",
    },
    "late": {"POOLWITNESS_LEVEL": "exit", "POOLWITNESS_OUTPUT": "logging"},
}
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Injected:
    """One run: what became of the program, the agent's lines taken out, and which functions were reached."""

    target: str
    ran: Ran
    reached: tuple[str, ...]


class ForkServers:
    """Some fork servers for each processor."""

    def __init__(self, dsn: str) -> None:
        self._env = environment(DSN=dsn)
        # A run is idle for most of its time: it waits for timeouts that it wants to see.
        self._count = 3 * (os.cpu_count() or 1)
        self._free: queue.SimpleQueue[subprocess.Popen[str]] = queue.SimpleQueue()

    @contextmanager
    def running(self) -> Iterator[ForkServers]:
        """Start them, and end them at the end."""
        started = [
            subprocess.Popen(
                [sys.executable, fork_server.__file__],
                env=self._env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(self._count)
        ]
        for process in started:
            self._free.put(process)
        try:
            yield self
        finally:
            for process in started:
                process.communicate(timeout=PATIENCE_S)

    def run_all(self, variant: str, targets: Iterable[str], exception: str = "RuntimeError") -> list[Injected]:
        """The program with the agent, once for each target."""
        with ThreadPoolExecutor(self._count) as pool:
            return list(pool.map(lambda target: self.run(variant, target, exception), targets))

    def run(
        self,
        variant: str,
        target: str = "",
        exception: str = "RuntimeError",
        *,
        agent: bool = True,
        record: bool = False,
    ) -> Injected:
        """The program once: with the agent or without, with one function of it raising, or with all recorded."""
        with tempfile.TemporaryDirectory(prefix="pw") as folder:
            files = {name: os.path.join(folder, name) for name in ("stdout", "stderr", "reached")}
            env = {name: value.format(folder=folder) for name, value in VARIANTS[variant].items()}
            env["POOLWITNESS"] = "1"
            request = {
                **files,
                "program": str(PROGRAM),
                "arguments": [variant],
                "env": env if agent else {},
                "target": target,
                "exception": exception,
                "record": record,
                "timeout_s": PATIENCE_S,
            }
            process = self._free.get()
            try:
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdin.write(json.dumps(request) + "\n")
                process.stdin.flush()
                status = int(process.stdout.readline())
            finally:
                self._free.put(process)
            stdout, stderr, reached = (
                Path(file).read_bytes() if os.path.exists(file) else b"" for file in files.values()
            )
        lines = stderr.splitlines(keepends=True)
        # In the console's form an event is a block: what is coloured by nothing else begins so, or is indented.
        own = b"".join(line for line in lines if not line.startswith((b'{"timestamp"', b"poolwitness", b"  ")))
        events = [strict(line, broken=True) for line in lines if line.startswith(b'{"timestamp"')]
        ran = Ran(stdout, stderr, status, events, own)
        return Injected(target, ran, tuple(dict.fromkeys(reached.decode().split())))
