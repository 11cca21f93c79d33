"""A worker connects to a server that accepts and never speaks.

env: POOLWITNESS_HELD_S=0.3
env: POOLWITNESS_SWEEP_S=0.1
expect: PW302 at made, resolved
expect: PW202 at made
"""

import logging
import socket
import threading
import time

from psycopg_pool import ConnectionPool

logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # its warnings name the port
silent = socket.create_server(("127.0.0.1", 0))
pool = ConnectionPool(  # mark: made
    f"host=127.0.0.1 port={silent.getsockname()[1]} dbname=shop",
    open=True,
    min_size=1,
    num_workers=1,
    name="shop",
    reconnect_timeout=0.1,
)
time.sleep(1.5)
visitor, _ = silent.accept()
silent.close()
visitor.close()  # and so the connect ends
while pool.get_stats().get("connections_errors", 0) == 0:
    time.sleep(0.01)
pool.close()
print([thread.name for thread in threading.enumerate() if thread.name.startswith("shop")])
