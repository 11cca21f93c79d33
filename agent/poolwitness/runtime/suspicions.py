"""Remember findings that may resolve, and resolve them: a connection is returned, a worker finishes its task."""

from __future__ import annotations

from poolwitness.diagnose.registry import VERDICT
from poolwitness.ledger.connections import TrackedConnection, WorkerTask
from poolwitness.ledger.ledger import Ledger
from poolwitness.model.findings import Finding
from poolwitness.model.startup import clock
from poolwitness.runtime.reporter import Reporter


class Suspicions:
    """The suspicions of one process.

    Args:
        ledger: where connections and workers are tracked.
        reporter: reports what has resolved.
    """

    def __init__(self, ledger: Ledger, reporter: Reporter) -> None:
        self.ledger = ledger
        self.reporter = reporter
        self.reset()

    def reset(self) -> None:
        """Reset the state, as in a forked child."""
        self._connections: dict[int, list[Finding]] = {}
        self._tasks: dict[int, Finding] = {}

    def add(self, finding: Finding) -> None:
        """Remember a finding that was just reported, if its rule is one that can be retracted."""
        if finding.rule.retractable == "checkout":
            self._suspect_connection(finding)
        elif finding.rule.retractable == "worker":
            self._suspect_worker(finding)

    def clear(self, subject: TrackedConnection | WorkerTask) -> None:
        """Report what was suspected of a connection that was returned, or of a task that has ended, as resolved."""
        if isinstance(subject, TrackedConnection):
            for finding in self._connections.pop(subject.id, ()):
                self.reporter.resolve(finding, subject.held_s)
        else:
            task_finding = self._tasks.pop(subject.id, None)
            if task_finding is not None:
                self.reporter.resolve(task_finding, subject.ended_mono - subject.started_mono)

    def settle(self) -> None:
        """What a rule found at the verdict was true at the end, whatever happens to the connections now."""
        for findings in self._connections.values():
            findings[:] = [finding for finding in findings if VERDICT not in finding.rule.moments]

    def _suspect_connection(self, finding: Finding) -> None:
        for connection in list(self.ledger.connections.values()):
            if connection.id == finding.extra["poolwitness.checkout.id"]:
                self._connections.setdefault(connection.id, []).append(finding)
                connection.suspected = finding.rule.confidence
                if connection.taken_from is None:  # it was returned while this was being reported
                    connection.held_s = clock.since(connection.taken_mono)
                    connection.suspected = ""
                    self.clear(connection)
                return

    def _suspect_worker(self, finding: Finding) -> None:
        for pool in self.ledger.entries():
            if finding.pool is None or pool.id != finding.pool.info.id:
                continue
            names = {id(runner.ref()): runner.name for runner in pool.runners}
            for task in list(pool.worker_tasks.values()):
                if names.get(task.worker_id) == finding.extra["poolwitness.worker.name"]:
                    self._tasks[task.id] = finding
                    task.suspected = True
                    if task.ended_mono:  # it ended while this was being reported
                        self.clear(task)
                    return
        self.reporter.resolve(finding, float(str(finding.extra["poolwitness.worker.busy_s"])))
