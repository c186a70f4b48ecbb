# SPDX-License-Identifier: Apache-2.0
"""The Python SDK's row: add COUNT, or work until SIGTERM. The server comes from FRESHET_URL and FRESHET_TOKEN."""

import sys

from freshet import Client, Worker

if sys.argv[1] == "add":
    client = Client()
    client.enqueue("noop", ({"n": n} for n in range(int(sys.argv[2]))))
    client.close()
else:
    worker = Worker(id="bench", slots=4, ahead=1000)

    @worker.task("noop")
    def noop(job, n):
        pass

    sys.exit(worker.run())
