# SPDX-License-Identifier: Apache-2.0
"""What is measured: each system with its own server in a folder of its own, its worker and what puts jobs in.

A system knows how to start its server (once per round, with nothing in it), which commands work and add, and how many jobs
its server still has. Nothing here measures.
"""

import hashlib
import http.client
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
# Debian's packages are for Debian's Python; the same one runs all rows of Python.
PYTHON = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable
NODE = shutil.which("node")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(check, what, seconds=30.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if check():
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise RuntimeError(f"{what} did not answer within {seconds:.0f} s")


class System:
    """name and language: its row. share: of the jobs that a round has. end: the signal that ends its server."""

    name = language = ""
    share = 1.0
    end = signal.SIGTERM

    def missing(self):
        """In words what is not installed, or nothing."""

    def start(self, folder):
        """Starts the server in an empty folder; gives its process."""
        raise NotImplementedError

    def prepare(self):
        """After the start: what has to be there before the first job."""

    def work(self):
        raise NotImplementedError

    def add(self, count):
        raise NotImplementedError

    def environment(self):
        return {"PORT": str(self.port)}

    def left(self):
        """How many jobs wait or run, as the server tells it."""
        raise NotImplementedError

    def close(self):
        """Before the server is ended."""


class Freshet(System):
    name = "freshet"

    def __init__(self, binaries, language, work, add):
        self.language = language
        self.binaries = binaries
        self._work, self._add = work, add
        self.token = secrets.token_hex(16)

    def start(self, folder, more=""):
        self.port = free_port()
        digest = hashlib.sha256(self.token.encode()).hexdigest()
        (folder / "freshet.toml").write_text(
            f'[server]\nlisten = "127.0.0.1:{self.port}"\ndata_dir = "store"\nloops = 1\nlog = "warn"\n'
            f'[token.bench]\ntenant = "default"\nrole = "admin"\nhash = "sha256:{digest}"\n{more}'
        )
        return [str(self.binaries / "freshet"), "serve", "--config", str(folder / "freshet.toml")]

    def prepare(self):
        until(lambda: self.left() == 0, "freshet")

    def environment(self):
        return {
            "FRESHET_URL": f"http://127.0.0.1:{self.port}", "FRESHET_TOKEN": self.token,
            "PYTHONPATH": str(TOP / "sdk/python/src"), "PYTHONDONTWRITEBYTECODE": "1",
        }

    def work(self):
        return [part.format(port=self.port) for part in self._work]

    def add(self, count):
        return [part.format(port=self.port, count=count) for part in self._add]

    def ask(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {self.token}"})
            answer = connection.getresponse()
            content = answer.read()
            return json.loads(content) if answer.status == 200 else None
        finally:
            connection.close()

    def left(self):
        queue = self.ask("/v1/queues/noop")
        return 0 if queue is None else queue["counts"]["queued"] + queue["counts"]["running"]


def own_rows(binaries):
    bench = str(binaries / "freshet-bench-jobs")
    node = [str(NODE), str(HERE / "clients/own.mjs")]
    python = [PYTHON, str(HERE / "clients/own.py")]
    return [
        Freshet(binaries, "C++", [bench, "work", "--port", "{port}"], [bench, "add", "--port", "{port}", "--count", "{count}"]),
        Freshet(binaries, "Node", [*node, "work"], [*node, "add", "{count}"]),
        Freshet(binaries, "Python", [*python, "work"], [*python, "add", "{count}"]),
    ]


class Redis(System):
    def start(self, folder):
        self.port = free_port()
        return [
            "redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "",
            "--appendonly", "yes", "--appendfsync", "always", "--daemonize", "no",
        ]

    def prepare(self):
        self._socket = None

        def answers():
            self._socket = socket.create_connection(("127.0.0.1", self.port), timeout=30)
            self._lines = self._socket.makefile("rb")
            return True

        until(answers, "Redis")

    def ask(self, *commands):
        """Of commands that are answered with a number, the sum."""
        self._socket.sendall("".join(f"{command}\r\n" for command in commands).encode())
        return sum(int(self._lines.readline().lstrip(b":")) for _ in commands)

    def close(self):
        self._lines.close()
        self._socket.close()


class BullMq(Redis):
    name, language = "BullMQ + Redis", "Node"

    def missing(self):
        if shutil.which("redis-server") is None:
            return "redis-server"
        if NODE is None or not (HERE / "node_modules/bullmq").is_dir():
            return "the packages of bench/jobs/package.json"

    def work(self):
        return [NODE, str(HERE / "clients/bullmq.mjs"), "work"]

    def add(self, count):
        return [NODE, str(HERE / "clients/bullmq.mjs"), "add", str(count)]

    def left(self):
        return self.ask("LLEN bull:noop:wait", "LLEN bull:noop:active")


class Celery(Redis):
    name, language, share = "Celery + Redis", "Python", 0.25

    def missing(self):
        if shutil.which("redis-server") is None:
            return "redis-server"
        if subprocess.run([PYTHON, "-c", "import celery, redis"], capture_output=True).returncode != 0:
            return "python3-celery or python3-redis"

    def work(self):
        return [
            PYTHON, "-m", "celery", "--app", "celery_noop", "--workdir", str(HERE / "clients"), "worker", "--pool", "solo",
            "--loglevel", "ERROR", "--without-gossip", "--without-mingle", "--without-heartbeat",
        ]

    def add(self, count):
        return [PYTHON, str(HERE / "clients/celery_noop.py"), str(count)]

    def environment(self):
        return {"PORT": str(self.port), "PYTHONDONTWRITEBYTECODE": "1", "C_FORCE_ROOT": "1"}

    def left(self):
        return self.ask("LLEN celery", "HLEN unacked")


class Beanstalk(System):
    name, language, share = "beanstalkd", "any", 0.5

    def missing(self):
        if shutil.which("beanstalkd") is None:
            return "beanstalkd"

    def start(self, folder):
        self.port = free_port()
        return ["beanstalkd", "-l", "127.0.0.1", "-p", str(self.port), "-b", str(folder), "-f", "0"]

    def prepare(self):
        def answers():
            self._socket = socket.create_connection(("127.0.0.1", self.port), timeout=30)
            self._lines = self._socket.makefile("rb")
            return True

        until(answers, "beanstalkd")

    def work(self):
        return [PYTHON, str(HERE / "clients/beanstalk.py"), "work"]

    def add(self, count):
        return [PYTHON, str(HERE / "clients/beanstalk.py"), "add", str(count)]

    def left(self):
        self._socket.sendall(b"stats-tube default\r\n")
        head = self._lines.readline().split()
        stats = self._lines.read(int(head[1]) + 2).decode()
        wanted = ("current-jobs-ready", "current-jobs-reserved", "current-jobs-delayed")
        return sum(int(line.split(": ")[1]) for line in stats.splitlines() if line.startswith(wanted))

    def close(self):
        self._lines.close()
        self._socket.close()


class Graphile(System):
    name, language = "graphile-worker + PostgreSQL", "Node"
    end = signal.SIGINT  # does not wait for those who are connected

    def __init__(self):
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
        self.programs = found[-1].parent if found else None

    def missing(self):
        if self.programs is None or shutil.which("psql") is None:
            return "postgresql"
        if NODE is None or not (HERE / "node_modules/graphile-worker").is_dir():
            return "the packages of bench/jobs/package.json"

    def _as_user(self):
        # PostgreSQL does not run as root.
        return ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []

    def start(self, folder):
        self.port = free_port()
        if os.getuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        data = folder / "data"
        subprocess.run(
            [*self._as_user(), str(self.programs / "initdb"), "-D", str(data), "-A", "trust", "-U", "bench", "-E", "UTF8",
             "--no-sync"],
            check=True, capture_output=True, cwd=folder,
        )
        return [
            *self._as_user(), str(self.programs / "postgres"), "-D", str(data), "-p", str(self.port), "-k", "",
            "-c", "listen_addresses=127.0.0.1",
        ]

    def environment(self):
        return {"DATABASE_URL": f"postgresql://bench@127.0.0.1:{self.port}/postgres"}

    def _psql(self):
        return ["psql", "-qAtX", self.environment()["DATABASE_URL"]]

    def prepare(self):
        until(lambda: subprocess.run([*self._psql(), "-c", "select 1"], capture_output=True).returncode == 0, "PostgreSQL")
        subprocess.run([NODE, str(HERE / "clients/graphile.mjs"), "prepare"], check=True,
                       env={**os.environ, **self.environment()})
        self._counts = subprocess.Popen(self._psql(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def work(self):
        return [NODE, str(HERE / "clients/graphile.mjs"), "work"]

    def add(self, count):
        return [NODE, str(HERE / "clients/graphile.mjs"), "add", str(count)]

    def left(self):
        # Whether there is one, which costs the server little; a count reads them all.
        self._counts.stdin.write("select count(*) from (select 1 from graphile_worker._private_jobs limit 1) one;\n")
        self._counts.stdin.flush()
        return int(self._counts.stdout.readline())

    def close(self):
        self._counts.stdin.close()
        self._counts.wait()


def all_systems(binaries):
    cpp, node, python = own_rows(binaries)
    return [cpp, Beanstalk(), node, BullMq(), Graphile(), python, Celery()]
