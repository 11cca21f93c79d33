"""Every connection takes more than a second to make, though the callback is quick; an exporter pops the counters.

env: POOLWITNESS_SWEEP_S=0.1
expect: PW203 at made
"""

import os
import socket
import threading
import time
from typing import Any

from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import ConnectionPool


def configure(conn: Any) -> None:
    conn.execute("select 1")
    conn.commit()


def pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve(listener: socket.socket, server: str) -> None:
    while True:
        near, _ = listener.accept()
        time.sleep(1.2)
        far = socket.socket(socket.AF_UNIX)
        far.connect(server)
        for pair in ((near, far), (far, near)):
            threading.Thread(target=pump, args=pair, daemon=True).start()


params = conninfo_to_dict(os.environ["DSN"])
server = f"{params['host']}/.s.PGSQL.{params.get('port') or 5432}"
with socket.socket() as listener:
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    threading.Thread(target=serve, args=(listener, server), daemon=True).start()
    conninfo = make_conninfo(os.environ["DSN"], host="127.0.0.1", port=listener.getsockname()[1])
    pool = ConnectionPool(conninfo, min_size=1, num_workers=1, configure=configure, open=True)  # mark: made
    with pool:
        for _ in range(2):
            with pool.connection() as conn:
                print(conn.execute("select 1").fetchone())
            pool.pop_stats()
            time.sleep(0.5)
