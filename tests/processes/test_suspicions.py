"""A suspicion is taken back, whenever the connection returns."""

from __future__ import annotations

import pytest

from tests.support.programs import environment, run

RETURNED_MEANWHILE = """
    import logging, os, threading
    from psycopg_pool import ConnectionPool

    pool = ConnectionPool(os.environ["DSN"], open=True, min_size=1)
    resolved = threading.Event()

    class Return(logging.Handler):
        def emit(self, record):
            event = record.poolwitness
            if event["event"] == "poolwitness.finding":
                print(event["poolwitness.rule"], flush=True)
                pool.putconn(conn)
            elif event["event"] == "poolwitness.finding.resolved":
                print("resolved", event["poolwitness.rule"], event["poolwitness.held_s"] > 0.2, flush=True)
                resolved.set()
            elif event["event"] == "poolwitness.verdict":
                print(event["poolwitness.verdict"], flush=True)

    logging.getLogger("poolwitness").addHandler(Return())
    logging.getLogger("poolwitness").setLevel("INFO")
    conn = pool.getconn()
    resolved.wait(20)
    pool.close()
"""


@pytest.mark.matrix_once
def test_a_connection_that_returns_while_it_is_told_is_taken_back(dsn: str) -> None:
    often = {"POOLWITNESS_HELD_S": "0.2", "POOLWITNESS_SWEEP_S": "0.1", "POOLWITNESS_OUTPUT": "logging"}
    ran = run(RETURNED_MEANWHILE, environment(DSN=dsn, POOLWITNESS="1", **often))
    assert ran.stdout.splitlines() == [b"PW103", b"resolved PW103 True", b"clean"]
