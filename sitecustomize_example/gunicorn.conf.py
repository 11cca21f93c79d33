"""Switches poolwitness on for every gunicorn worker where the environment cannot be changed.

gunicorn reads this in its master, before the application; the workers are forked from it. The settings raw_env and
--env come too late for POOLWITNESS: workers are not new interpreters, so no .pth and no sitecustomize runs in them.
"""

import poolwitness

poolwitness.activate(format="json")

# With preload_app the application is imported in the master. A pool that it opens there has no threads in the workers
# and shares its connections with them: make the pool with open=False, and open and close it in each worker.
#
# def post_fork(server, worker):
#     from shop.db import pool
#     pool.open()
#
# def worker_exit(server, worker):
#     from shop.db import pool
#     pool.close()
