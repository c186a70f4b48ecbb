# SPDX-License-Identifier: Apache-2.0
"""Celery: the task, and its adding when run as a program. PORT is Redis's. A message goes once its task is over, no result
is kept."""

import os
import sys

from celery import Celery

app = Celery("bench", broker=f"redis://127.0.0.1:{os.environ['PORT']}/0")
app.conf.update(task_acks_late=True, task_ignore_result=True, worker_prefetch_multiplier=1000, worker_send_task_events=False,
                worker_disable_rate_limits=True, broker_connection_retry_on_startup=True)


@app.task(name="noop")
def noop(n):
    pass


if __name__ == "__main__":
    with app.connection_for_write() as connection, app.amqp.Producer(connection) as producer:
        for n in range(int(sys.argv[1])):
            noop.apply_async((n,), producer=producer)
