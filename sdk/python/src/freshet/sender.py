# SPDX-License-Identifier: Apache-2.0
"""The thread that tells how attempts ended: everything that waits goes in one call.

A call that gets no answer is repeated until it has one: the server takes the same end twice and answers the same. A job
counts as held until then, so its lease lasts while the server is away. What a handler said last about its progress is
sent before its end.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Callable, Deque, Dict, List, Optional, Tuple
from collections import deque

from . import protocol
from .beats import beat, send_lines
from .errors import Refused, Unreachable
from .job import Job
from .wire import Backoff, Connection, Server, worth_repeating

_log = logging.getLogger("freshet")


class End:
    """How one attempt ended: a verb of `/v1/work/` and its entry. `large`: a result that goes ahead by PUT."""

    __slots__ = ("job", "verb", "entry", "large")

    def __init__(self, job: Job, verb: str, entry: bytes, large: Optional[bytes] = None) -> None:
        self.job = job
        self.verb = verb
        self.entry = entry
        self.large = large


class Sender(threading.Thread):
    def __init__(self, server: Server, worker: str, on_told: Callable[[List[Job]], None]) -> None:
        super().__init__(name="freshet-sender", daemon=True)
        self._connection = Connection(server)
        self._worker = worker
        self._on_told = on_told
        self._changed = threading.Condition()
        self._waiting: Deque[End] = deque()
        self._sending = 0
        self._over = False
        self._over_at: Optional[float] = None

    # ---- threads: any

    def add(self, end: End) -> None:
        with self._changed:
            self._waiting.append(end)
            self._changed.notify_all()

    def backlog(self) -> int:
        return len(self._waiting) + self._sending

    def finish(self, within: float) -> bool:
        """Ends the thread once everything is told, or the time is used up. True: everything was told."""
        with self._changed:
            self._over = True
            self._over_at = time.monotonic() + within
            self._changed.notify_all()
        self.join(within + 1.0)
        return self.backlog() == 0

    # ---- this thread

    def run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._over:
                    self._changed.wait()
                if not self._waiting:
                    break
                ends = self._take()
                self._sending = len(ends)
            told = self._send_all(ends)
            with self._changed:
                if told:
                    self._sending = 0
                self._changed.notify_all()
            if not told:
                break
            self._on_told([end.job for end in ends])
        self._connection.close()

    def _take(self) -> List[End]:
        ends: List[End] = []
        size = 0
        while self._waiting and len(ends) < protocol.JOBS_PER_CALL_MAX:
            size += len(self._waiting[0].entry)
            if ends and size > protocol.CALL_BYTES_MAX:
                break
            ends.append(self._waiting.popleft())
        return ends

    def _send_all(self, ends: List[End]) -> bool:
        """False: the time to finish was used up before the server answered."""
        for end in ends:
            end.job._silence_beats()
        news = [end.job for end in ends if end.job._news() is not None]
        if not self._insist(lambda: beat(self._connection, self._worker, news, news)):
            return False
        by_verb: Dict[str, List[End]] = {}
        for end in ends:
            if end.job._has_lines() and not self._insist(lambda end=end: send_lines(self._connection, end.job)):  # type: ignore[misc]
                return False
            if end.large is not None and not self._insist(lambda end=end: self._put(end)):  # type: ignore[misc]
                return False
            by_verb.setdefault(end.verb, []).append(end)
        return all(self._send(verb, of_verb) for verb, of_verb in by_verb.items())

    def _put(self, end: End) -> None:
        try:
            put = self._connection.ask("PUT", protocol.put_path(end.job), end.large, 120.0)
            end.entry = protocol.complete_put_entry(end.job, put)
        except Refused as refused:
            if worth_repeating(refused):
                raise
            self._as_failure(end, refused.code, refused.message)
        end.large = None

    def _send(self, verb: str, ends: List[End]) -> bool:
        again: List[End] = []

        def call() -> None:
            body = protocol.ends_body(self._worker, [end.entry for end in ends])
            try:
                refused = protocol.read_refusals(self._connection.ask("POST", f"/v1/work/{verb}", body, 60.0))
            except Refused as whole:
                if worth_repeating(whole):
                    raise
                if len(ends) > 1:
                    # One of them spoils it for all: each for itself.
                    again.extend(ends)
                    return
                refused = {ends[0].job.id: (whole.code, whole.message)}
            for end in ends:
                if end.job.id in refused:
                    self._refused(end, *refused[end.job.id], again)

        if not self._insist(call):
            return False
        return all(self._send(end.verb, [end]) for end in again)

    def _refused(self, end: End, code: str, words: str, again: List[End]) -> None:
        if code in ("lease_lost", "not_running", "not_found", "gone"):
            _log.warning("%s: the end of attempt %d came too late: %s", end.job.id, end.job.attempt, words)
        elif end.verb == "complete":
            self._as_failure(end, code, words)
            again.append(end)
        else:
            _log.error("%s: %s was refused: %s (%s)", end.job.id, end.verb, words, code)

    def _as_failure(self, end: End, code: str, words: str) -> None:
        """A result that the server does not take will not be taken the next time either."""
        _log.error("%s: the result was refused: %s (%s)", end.job.id, words, code)
        end.verb = "fail"
        end.entry = protocol.fail_entry(end.job, "fatal", code, f"The result was refused: {words}")

    def _insist(self, call: Callable[[], object]) -> bool:
        """Repeats a call until the server has answered it. Other refusals of the call are the callee's business."""
        backoff = Backoff()
        told = False
        while True:
            try:
                call()
                return True
            except (Unreachable, Refused) as error:
                if not worth_repeating(error):
                    _log.debug("%s", error)
                    return True
                if not told and isinstance(error, Refused):
                    _log.warning("the server does not take ends of jobs now: %s", error)
                    told = True
                wait = backoff.wait(error)
                with self._changed:
                    if self._over_at is not None and time.monotonic() + wait > self._over_at:
                        return False
                    self._changed.wait_for(lambda: self._over, wait) if not self._over else self._changed.wait(wait)
