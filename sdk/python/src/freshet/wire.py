# SPDX-License-Identifier: Apache-2.0
"""One connection to the server, kept open between requests.

A connection belongs to one thread. Others may only call `abort()`, which ends a request that waits. A request is never
repeated here: whether that is safe is known to whoever asks.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import socket
import ssl
from typing import Any, Optional
from urllib.parse import urlsplit

from .errors import Refused, Unreachable

VERSION = "0.1.0"


def dump(value: Any) -> bytes:
    """Compact JSON. NaN and infinity are refused: no other reader would take them. Half a character becomes "?"."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")


def clip(text: str, bytes_max: int) -> str:
    """As much of the text as the server takes there: a call that carries many jobs must not fail for one of them."""
    if len(text) * 4 <= bytes_max:
        return text
    return text.encode("utf-8", "replace")[:bytes_max].decode("utf-8", "ignore")


class Server:
    """Where the server is and who we are to it. Immutable."""

    def __init__(self, url: str, token: Optional[str] = None, token_env: Optional[str] = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f'{url!r} is no address of a server. Write "http://127.0.0.1:7878".')
        self.url = url.rstrip("/")
        self.secure = parts.scheme == "https"
        self.host = parts.hostname
        self.port = parts.port or (443 if self.secure else 80)
        self.prefix = parts.path.rstrip("/")
        # Without a token the server still speaks to its own machine, until the first token is made.
        self.token = token if token is not None else os.environ.get(token_env, "") if token_env else ""

    def headers(self) -> "dict[str, str]":
        headers = {"Accept": "application/json", "User-Agent": f"freshet-python/{VERSION}"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return headers


class Connection:
    def __init__(self, server: Server) -> None:
        self._server = server
        self._headers = server.headers()
        self._open: Optional[http.client.HTTPConnection] = None

    def ask(self, method: str, path: str, body: Optional[bytes], timeout: float, **more: str) -> Any:
        """The answer's JSON. Raises Unreachable (no answer) or Refused (the server said no)."""
        headers = dict(self._headers, **{name.replace("_", "-"): value for name, value in more.items()})
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection = self._connection(timeout)
            connection.request(method, self._server.prefix + path, body, headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unreachable(f"{self._server.url} does not answer: {_words(error)}") from error
        if response.will_close:
            self.close()
        try:
            answer = json.loads(content) if content else {}
        except ValueError as error:
            if response.status < 400:
                raise Unreachable(f"{self._server.url} answered {method} {path} with something that is no JSON") from error
            answer = {}
        if response.status >= 400:
            raise _refused(response.status, response.headers.get("Retry-After"), answer)
        return answer

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        if self._open is None:
            if self._server.secure:
                self._open = http.client.HTTPSConnection(
                    self._server.host, self._server.port, timeout=timeout, context=ssl.create_default_context()
                )
            else:
                self._open = http.client.HTTPConnection(self._server.host, self._server.port, timeout=timeout)
        elif self._open.sock is not None:
            self._open.sock.settimeout(timeout)
        self._open.timeout = timeout
        return self._open

    def abort(self) -> None:
        """Ends a request that waits; its thread gets Unreachable. Threads: any."""
        connection = self._open
        sock = connection.sock if connection is not None else None
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _refused(status: int, retry_after: Optional[str], problem: Any) -> Refused:
    problem = problem if isinstance(problem, dict) else {}
    code = str(problem.get("code") or http.client.responses.get(status, "refused").lower().replace(" ", "_"))
    words = str(problem.get("detail") or problem.get("title") or "the server refused")
    if problem.get("try"):
        words += f"   try: {problem['try']}"
    wait = float(retry_after) if retry_after and retry_after.isdigit() else None
    return Refused(status, code, words, wait)


def worth_repeating(error: Exception) -> bool:
    """True if the same request may succeed later: no answer, a busy server, a proxy that lost it."""
    if isinstance(error, Refused):
        return error.status in (408, 429) or error.status >= 500
    return isinstance(error, Unreachable)


class Backoff:
    """How long to wait before asking again: 0.1 s, doubling to 5 s, each spread so that many workers do not come at once."""

    def __init__(self) -> None:
        self._next = 0.1

    def wait(self, error: Optional[Exception] = None) -> float:
        length = self._next * (0.5 + random.random() / 2)
        self._next = min(5.0, self._next * 2)
        asked = error.retry_after if isinstance(error, Refused) else None
        return max(length, asked or 0.0)

    def reset(self) -> None:
        self._next = 0.1
