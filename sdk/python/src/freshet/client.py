# SPDX-License-Identifier: Apache-2.0
"""Puts jobs into a queue. Threads: one at a time."""

from __future__ import annotations

import os
import time
import uuid
from typing import Any, Dict, Iterable, List, Optional

from .errors import Refused, Unreachable
from .wire import Backoff, Connection, Server, dump, worth_repeating

JOBS_PER_CALL_MAX = 1000
CALL_BYTES_MAX = 900_000


class Client:
    def __init__(self, url: Optional[str] = None, *, token: Optional[str] = None, token_env: str = "FRESHET_TOKEN",
                 tries: int = 5) -> None:
        self._server = Server(url or os.environ.get("FRESHET_URL") or "http://127.0.0.1:7878", token, token_env)
        self._connection = Connection(self._server)
        self._tries = tries

    def enqueue(self, queue: str, inputs: Iterable[Any], *, idempotency_key: Optional[str] = None,
                **options: Any) -> List[Dict[str, Any]]:
        """Adds a job for each input, in their order, and gives their ids and states; `job(id)` shows a whole one.

        All calls carry an Idempotency-Key, so that one that got no answer is repeated without adding twice. With an
        `idempotency_key` of your own that also holds for a program that was started again. Options are those of
        `POST /v1/jobs`: priority, due_at, start_by, deadline_at, unique, attempts_max, tags. Many inputs are several calls, each
        all or nothing. Raises Refused or Unreachable.
        """
        key = idempotency_key or str(uuid.uuid4())
        made: List[Dict[str, Any]] = []
        entries: List[bytes] = []
        size = call = 0
        for value in inputs:
            entry = dump({"queue": queue, "input": value, **options})
            if entries and (len(entries) == JOBS_PER_CALL_MAX or size + len(entry) > CALL_BYTES_MAX):
                made += self._add(entries, f"{key}-{call}")
                entries, size, call = [], 0, call + 1
            entries.append(entry)
            size += len(entry) + 1
        if entries:
            made += self._add(entries, f"{key}-{call}")
        return made

    def _add(self, entries: List[bytes], key: str) -> List[Dict[str, Any]]:
        answer = self._ask("POST", "/v1/jobs", b"[" + b",".join(entries) + b"]", Idempotency_Key=key, Prefer="return=minimal")
        jobs: List[Dict[str, Any]] = answer["items"]
        return jobs

    def job(self, job_id: str) -> Dict[str, Any]:
        """A job as it is now."""
        shown: Dict[str, Any] = self._ask("GET", f"/v1/jobs/{job_id}", None)
        return shown

    def close(self) -> None:
        self._connection.close()

    def _ask(self, method: str, path: str, body: Optional[bytes], **headers: str) -> Any:
        backoff = Backoff()
        for left in range(self._tries - 1, -1, -1):
            try:
                return self._connection.ask(method, path, body, 60.0, **headers)
            except (Unreachable, Refused) as error:
                if left == 0 or not worth_repeating(error):
                    raise
                time.sleep(backoff.wait(error))
        raise AssertionError("tries is at least 1")
