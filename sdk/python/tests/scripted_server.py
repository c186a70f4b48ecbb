# SPDX-License-Identifier: Apache-2.0
"""A server that answers as a test tells it to and remembers what it was asked. It speaks the worker's part of the wire."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

Answer = Optional[Tuple[int, Any]]  # None: the connection is cut instead


class Call(NamedTuple):
    at: float
    path: str
    body: Any
    headers: Dict[str, str]


class ScriptedServer:
    """With no script for a path: claims get the jobs given to `offer`, everything else is taken."""

    def __init__(self) -> None:
        self.calls: List[Call] = []
        self.scripts: Dict[str, Callable[[Call], Answer]] = {}
        self.words: Dict[str, str] = {}
        self._changed = threading.Condition()
        self._jobs: List[Dict[str, Any]] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        with self._changed:
            self._jobs = []
        self._http.shutdown()
        self._http.server_close()

    def offer(self, *jobs: Dict[str, Any]) -> None:
        with self._changed:
            self._jobs += jobs
            self._changed.notify_all()

    def of(self, path: str) -> List[Call]:
        with self._changed:
            return [call for call in self.calls if call.path == path]

    def ended(self, verb: str = "complete") -> List[Dict[str, Any]]:
        return [job for call in self.of(f"/v1/work/{verb}") for job in call.body["jobs"]]

    def wait_until(self, holds: Callable[[], Any], within: float = 10.0) -> Any:
        until = time.monotonic() + within
        with self._changed:
            while not holds():
                if time.monotonic() > until:
                    raise AssertionError("it did not come to that; calls: " + repr([call.path for call in self.calls]))
                self._changed.wait(0.05)
            return holds()

    def answer(self, call: Call) -> Answer:
        with self._changed:
            self.calls.append(call)
            self._changed.notify_all()
            script = self.scripts.get(call.path)
        if script is not None:
            return script(call)
        if call.path == "/v1/work/claim":
            return 200, {"jobs": self._take(call.body["slots"], call.body["wait"])}
        if call.path == "/v1/work/beat":
            return 200, {"jobs": [{"id": job["id"], "answer": self.words.get(job["id"], "ok")} for job in call.body["jobs"]]}
        return 200, {}

    def _take(self, slots: int, wait: float) -> List[Dict[str, Any]]:
        with self._changed:
            self._changed.wait_for(lambda: self._jobs, wait)
            taken, self._jobs = self._jobs[:slots], self._jobs[slots:]
            return taken


def a_job(number: int, queue: str = "work", **more: Any) -> Dict[str, Any]:
    return dict({"id": f"j_{number}", "fence": 100 + number, "attempt": 1, "generation": 1, "lease_ms": 30_000,
                 "queue": queue, "tenant": "default", "input": None}, **more)


def _handler_of(server: ScriptedServer) -> type:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def _serve(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            call = Call(time.monotonic(), self.path, json.loads(raw) if raw else None, dict(self.headers))
            answer = server.answer(call)
            if answer is None:
                self.close_connection = True
                return
            status, body = answer
            content = json.dumps(body).encode()
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json" if status < 400 else "application/problem+json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
                self.wfile.flush()
            except OSError:
                self.close_connection = True

        do_GET = do_POST = do_PUT = _serve

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
