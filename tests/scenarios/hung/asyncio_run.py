"""asyncio.run cannot finish: a worker of the open pool is in the middle of a connect, and takes the cancellation for a
failure of that.

only: pool>=3.2.8
env: POOLWITNESS_HELD_S=0.8
env: POOLWITNESS_SWEEP_S=0.1
expect: PW004 at made
expect: PW001 at made
"""

import asyncio
import logging
import socket
import threading

from psycopg_pool import AsyncConnectionPool

logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)  # its warnings name the port
silent = socket.create_server(("127.0.0.1", 0))
pool = AsyncConnectionPool(  # mark: made
    f"host=127.0.0.1 port={silent.getsockname()[1]} dbname=shop", open=False, min_size=1, num_workers=1, name="shop"
)


def deliver(loop: asyncio.AbstractEventLoop) -> None:
    threading.Event().wait(2.0)
    (worker,) = (task for task in asyncio.all_tasks(loop) if task.get_name() == "shop-worker-0")
    print("asyncio.run waits for", worker.get_name())
    loop.call_soon_threadsafe(worker.cancel)


async def main() -> None:
    await pool.open()
    await asyncio.sleep(0.3)
    threading.Thread(target=deliver, args=[asyncio.get_running_loop()], daemon=True).start()
    print("main is over")


asyncio.run(main())
