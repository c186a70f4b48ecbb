# SPDX-License-Identifier: Apache-2.0
"""The thread that keeps leases alive: one beat for all held jobs every third of the shortest lease or more often, spread a little.

Progress and log lines go along at most four times a second, checkpoints within a tenth of one. The thread shares nothing with handlers
but attributes that they write, so a handler that is busy in Python cannot hold it up; one that holds the interpreter's
lock in native code for longer than two thirds of a lease can (README, "Busy code").
"""

from __future__ import annotations

import logging
import random
import threading
import time
from typing import Callable, Dict, List, Optional

from . import protocol
from .errors import Cancelled, LeaseLost, Refused, Unreachable
from .job import Job
from .wire import Connection, Server, worth_repeating

NEWS_EVERY = 0.25
CHECKPOINTS_EVERY = 0.1
_log = logging.getLogger("freshet")


class Beats(threading.Thread):
    def __init__(self, server: Server, worker: str, on_drain: Callable[[], None], on_reconnect: Callable[[], None],
                 beat_every: float = 0.0) -> None:
        super().__init__(name="freshet-beats", daemon=True)
        self._connection = Connection(server)
        self._worker = worker
        self._on_drain = on_drain
        self._on_reconnect = on_reconnect
        self._beat_every = beat_every
        self._changed = threading.Condition()
        self._held: Dict[str, Job] = {}
        self._news = False
        self._checkpoints = False
        self._over = False
        self._beat_at = 0.0

    def _interval(self, lease: float) -> float:
        longest = min(lease / 3, self._beat_every) if self._beat_every > 0 else lease / 3
        return longest * random.uniform(0.8, 1.0)

    # ---- threads: any

    def hold(self, jobs: List[Job]) -> None:
        with self._changed:
            soonest = min((job.lease for job in jobs), default=0.0)
            due = time.monotonic() + self._interval(soonest)
            self._beat_at = due if not self._held else min(self._beat_at, due)
            for job in jobs:
                self._held[job.id] = job
            self._changed.notify()

    def drop(self, jobs: List[Job]) -> None:
        with self._changed:
            for job in jobs:
                if self._held.get(job.id) is job:
                    del self._held[job.id]

    def held(self) -> List[Job]:
        with self._changed:
            return list(self._held.values())

    def wake(self, checkpoint: bool = False) -> None:
        with self._changed:
            self._news = True
            self._checkpoints = self._checkpoints or checkpoint
            self._changed.notify()

    def finish(self) -> None:
        with self._changed:
            self._over = True
            self._changed.notify()
        self._connection.abort()

    # ---- this thread

    def run(self) -> None:
        news_at = checkpoints_at = quiet_until = 0.0
        failing_since: Optional[float] = None
        while True:
            with self._changed:
                while not self._over:
                    now = time.monotonic()
                    due = self._beat_at if self._held else now + 3600
                    if self._news:
                        due = min(due, checkpoints_at if self._checkpoints else news_at)
                    due = max(due, quiet_until)
                    if due <= now:
                        break
                    self._changed.wait(due - now)
                if self._over:
                    break
                everything = bool(self._held) and self._beat_at <= time.monotonic()
                self._news = self._checkpoints = False
                held = list(self._held.values())
                if everything:
                    self._beat_at = time.monotonic() + min(self._interval(job.lease) for job in held)
            started = time.monotonic()
            with_progress = started >= news_at
            jobs = held if everything else [job for job in held if _has_news(job, with_progress)]
            telling = [job for job in jobs if job._begin_telling()]
            try:
                try:
                    self._obey(beat(self._connection, self._worker, jobs, telling, with_progress))
                finally:
                    for job in telling:
                        job._end_telling()
                if with_progress:
                    for job in held:
                        send_lines(self._connection, job)
                failing_since = None
            except (Unreachable, Refused) as error:
                # Soon again while a lease can be saved; then ever more rarely, since the server may be gone for good.
                _log.debug("beat: %s", error)
                failing_since = failing_since or started
                lease = min((job.lease for job in held), default=30.0)
                wait = max(min(1.0, lease / 10), min(5.0, started - failing_since - lease))
                quiet_until = started + wait * random.uniform(0.5, 1.0)
                with self._changed:
                    self._beat_at = min(self._beat_at, quiet_until)
            checkpoints_at = started + CHECKPOINTS_EVERY
            if with_progress:
                news_at = started + NEWS_EVERY
            # Also what changed while the beat was under way, whose call may have seen the older news still untold.
            if any(_has_news(job) or job._lines for job in held):
                self.wake(any(_has_news(job, False) for job in held))
        self._connection.close()

    def _obey(self, said: Dict[str, bool]) -> None:
        if said["drain"]:
            self._on_drain()
        if said["reconnect"]:
            self._on_reconnect()


def beat(connection: Connection, worker: str, jobs: List[Job], telling: List[Job], with_progress: bool = True) -> Dict[str, bool]:
    """Beats for `jobs`, with all news of those in `telling`, or their checkpoints alone. Tells each job what the server says of it.

    Threads: the connection's.
    """
    news: Dict[str, protocol.News] = {}
    for job in telling:
        new = job._news(with_progress)
        if new is not None:
            news[job.id] = new
    said = {"drain": False, "reconnect": False}
    for call in protocol.calls_of(jobs, news):
        timeout = max(2.0, min(job.lease for job in call) / 3)
        try:
            answer = connection.ask("POST", protocol.BEAT, protocol.beat_body(worker, call, news), timeout)
        except Refused as refused:
            if worth_repeating(refused) or not any(job.id in news for job in call):
                raise
            # Leases are worth more than news.
            _log.warning("progress was refused: %s", refused)
            answer = connection.ask("POST", protocol.BEAT, protocol.beat_body(worker, call, {}), timeout)
        words = protocol.read_words(answer)
        for job in call:
            if job.id in news:
                job._told(news[job.id])
            word = words.get(job.id)
            if word == "cancel":
                job._tell_stop(Cancelled(f"{job.id} was cancelled"))
            elif word == "lost":
                job._tell_stop(LeaseLost(f"{job.id} is no longer this worker's"))
        for word in said:
            said[word] = said[word] or bool(answer.get(word))
    return said


def send_lines(connection: Connection, job: Job) -> None:
    """Sends what the job logged. Waits for another thread that does: an end that overtook its lines would make the server refuse them."""
    with job._sending_lines:
        lines = job._take_lines()
        if not lines:
            return
        try:
            connection.ask("POST", protocol.log_path(job), protocol.log_body(job, lines), 10.0)
        except Refused as refused:
            _log.debug("%s: log lines were refused: %s", job.id, refused)
        except Unreachable:
            with job._lock:
                job._lines = lines + job._lines
            raise


def _has_news(job: Job, with_progress: bool = True) -> bool:
    """News that the beat thread is to tell."""
    return not job._silent and job._news(with_progress) is not None
