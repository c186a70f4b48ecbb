# SPDX-License-Identifier: Apache-2.0
"""beanstalkd: add COUNT, or work until SIGTERM. PORT is its own. Many commands are under way at a time."""

import os
import signal
import socket
import sys

AHEAD = 200


def main():
    server = socket.create_connection(("127.0.0.1", int(os.environ["PORT"])))
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    lines = server.makefile("rb")
    if sys.argv[1] == "add":
        left = int(sys.argv[2])
        while left > 0:
            many = min(left, AHEAD)
            left -= many
            server.sendall(b"".join(b"put 1 0 60 9\r\n%09d\r\n" % (left + n) for n in range(many)))
            for _ in range(many):
                assert lines.readline().startswith(b"INSERTED")
        return
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    # A reserve that waits holds up what was sent behind it: only the first one of a round waits.
    reserve = b"reserve\r\n" + b"reserve-with-timeout 0\r\n" * AHEAD
    ended = []
    while True:
        server.sendall(b"".join(ended) + reserve)
        for _ in ended:
            assert lines.readline() == b"DELETED\r\n"
        ended = []
        for _ in range(AHEAD + 1):
            answer = lines.readline().split()
            if answer[0] == b"RESERVED":
                lines.readline()
                ended.append(b"delete " + answer[1] + b"\r\n")
            else:
                assert answer == [b"TIMED_OUT"], answer


main()
