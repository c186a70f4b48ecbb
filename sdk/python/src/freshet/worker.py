# SPDX-License-Identifier: Apache-2.0
"""A worker: claims jobs of its tasks' queues for all free slots at once, runs each in a thread, tells how it ended.

Threads: one claims, one beats (beats.py), one tells ends (sender.py), up to `slots` run handlers; run() waits in the
caller's. A slot is free once its handler is over; the end may still be on its way to the server.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import queue
import random
import signal
import socket
import threading
import time
import traceback
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from . import protocol
from .beats import Beats
from .durations import Duration, seconds
from .errors import Cancelled, Fatal, RateLimited, Refused, Released, Retryable, Shutdown, Stopped, Unreachable
from .job import Job
from .sender import End, Sender
from .wire import VERSION, Backoff, Connection, Server, dump

_log = logging.getLogger("freshet")
Handler = Callable[..., Any]
ENDS_WAITING_MAX = 1000
CLAIM_PATIENCE = 0.25
# Exit codes as those of the freshet command.
DONE, LEFT_BEHIND, NOT_ALLOWED = 0, 1, 4


class Task:
    """A handler and what was said about it."""

    def __init__(self, fn: Handler, lease: Optional[float] = None, steps: Sequence[str] = ()) -> None:
        self.fn = fn
        self.lease = lease
        self.steps = tuple(steps)
        try:
            self._signature: Optional[inspect.Signature] = inspect.signature(fn)
        except ValueError:  # some built-in functions do not say what they take
            self._signature = None

    def call(self, job: Job) -> Any:
        """An object becomes keyword arguments, null none, anything else one argument. What does not fit is Fatal."""
        args: Tuple[Any, ...] = ()
        named: Dict[str, Any] = {}
        if isinstance(job.input, dict):
            named = job.input
        elif job.input is not None:
            args = (job.input,)
        try:
            if self._signature is not None:
                self._signature.bind(job, *args, **named)
        except TypeError as error:
            raise Fatal(f"The input does not fit the handler: {error}", "bad_input") from None
        result = self.fn(job, *args, **named)
        return asyncio.run(result) if inspect.iscoroutine(result) else result


def end_of(job: Job, task: Task) -> End:
    """Runs the handler; says how it ended, whatever it did. Threads: the handler's."""
    try:
        return completed(job, task.call(job))
    except Released as back:
        return End(job, "release", protocol.release_entry(job, back.wait, back.reason, job._checkpoint))
    except Shutdown:
        return handed_back(job)
    except Cancelled as stop:
        return End(job, "fail", protocol.fail_entry(job, "cancelled", "cancelled", str(stop)))
    except Stopped:
        return End(job, "", b"")  # lost: there is nothing left to tell
    except Fatal as error:
        return End(job, "fail", protocol.fail_entry(job, "fatal", error.code, str(error)))
    except RateLimited as error:
        return End(job, "fail", protocol.fail_entry(job, "rate_limited", error.code, str(error), error.retry_after))
    except BaseException as error:  # also SystemExit: a handler must not end the worker
        # The last lines say where; the log has room for them, the error's message does not.
        job.log("".join(traceback.format_exception(type(error), error, error.__traceback__))[-8000:], "error")
        words = str(error) or "without a message"
        code = error.code if isinstance(error, Retryable) else type(error).__name__
        return End(job, "fail", protocol.fail_entry(job, "retryable", code, words))


def handed_back(job: Job) -> End:
    return End(job, "release", protocol.release_entry(job, 0.0, None, job._checkpoint))


def completed(job: Job, result: Any) -> End:
    try:
        entry = protocol.complete_entry(job, result)
    except (TypeError, ValueError) as error:
        return End(job, "fail", protocol.fail_entry(job, "fatal", "bad_result", f"The result is no JSON: {error}"))
    if len(entry) <= protocol.INLINE_RESULT_BYTES_MAX:
        return End(job, "complete", entry)
    large = dump(result)
    if len(large) > protocol.RESULT_BYTES_MAX:
        words = f"The result has {len(large)} bytes, {protocol.RESULT_BYTES_MAX} are the most."
        return End(job, "fail", protocol.fail_entry(job, "fatal", "result_too_large", words))
    return End(job, "complete", b"", large)


class Worker:
    """
    url         the server's; absent: FRESHET_URL, else this machine's port 7878
    token_env   the environment variable that holds the token; `token` gives it directly
    id          what the console calls this worker; absent: host name, process id and chance. One worker per id.
    slots       how many handlers run at a time, 1 to 1000
    ahead       jobs that are claimed before a slot is free for them, 0 to 1000: for jobs of milliseconds, which would
                otherwise wait for the next claim. They go back if the worker ends before it began them.
    beat_every  the longest between two signs of life of a job; absent: a third of its lease, which is also the most
    grace       after SIGTERM: for running jobs to end by themselves
    stop_wait   after the grace: for handlers to notice that they are to stop
    wait        how long one claim waits for work
    """

    def __init__(self, url: Optional[str] = None, *, token: Optional[str] = None, token_env: str = "FRESHET_TOKEN",
                 id: Optional[str] = None, slots: int = 4, ahead: int = 0, beat_every: Duration = 0,
                 grace: Duration = "20s", stop_wait: Duration = "5s", wait: Duration = "20s") -> None:
        if not 1 <= slots <= 1000:
            raise ValueError(f"slots is {slots}; it may be 1 to 1000.")
        if not 0 <= ahead <= 1000:
            raise ValueError(f"ahead is {ahead}; it may be 0 to 1000.")
        self.server = Server(url or os.environ.get("FRESHET_URL") or "http://127.0.0.1:7878", token, token_env)
        self.slots = slots
        self.host = socket.gethostname()
        self.id = id or f"{self.host}-{os.getpid()}-{random.randrange(1 << 16):04x}"
        self.ahead = ahead
        # Work ahead is claimed by halves, so that calls are few when jobs are short.
        self._claim_below = slots + ahead - ahead // 2
        self._grace = seconds(grace)
        self._stop_wait = seconds(stop_wait)
        self._wait = seconds(wait)
        self._tasks: Dict[str, Task] = {}
        self._changed = threading.Condition()
        self._running: Dict[str, Job] = {}
        self._stopping = False
        self._at_once = False
        self._exit = DONE
        self._todo: "queue.SimpleQueue[Optional[Job]]" = queue.SimpleQueue()
        self._threads: List[threading.Thread] = []
        self._idle = threading.Semaphore(0)
        self._claims = Connection(self.server)
        self._beats = Beats(self.server, self.id, self._drain, self._claims.abort, seconds(beat_every))
        self._sender = Sender(self.server, self.id, self._told)

    def task(self, queue_name: str, *, lease: Optional[Duration] = None,
             steps: Sequence[str] = ()) -> Callable[[Handler], Handler]:
        """Makes a function the handler of a queue.

        lease  what this handler was written for. The queue's own setting decides; a shorter one is told at the first job.
        steps  their names in order, so that progress shows "2 of 3"
        """

        def keep(fn: Handler) -> Handler:
            self._tasks[queue_name] = Task(fn, None if lease is None else seconds(lease), steps)
            return fn

        return keep

    def stop(self) -> None:
        """Takes no more; running jobs may finish within `grace`. A second call ends the grace. Threads: any."""
        with self._changed:
            self._at_once = self._stopping
            self._stopping = True
            for job in self._running.values():
                job._worker_stops = True
            self._changed.notify_all()

    def run(self) -> int:
        """Works until SIGTERM, SIGINT or stop(); gives the exit code.

        0 ended as asked, 1 some jobs could neither end nor be handed back, 4 the server does not let this worker in.
        """
        if not self._tasks:
            raise ValueError('This worker has no task. Write @worker.task("queue") above a function.')
        before = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                # A thread does the work: the handler may have interrupted one that holds the lock.
                before[number] = signal.signal(
                    number, lambda *_: threading.Thread(target=self.stop, name="freshet-stop", daemon=True).start())
        try:
            self._beats.start()
            self._sender.start()
            claiming = threading.Thread(target=self._claim_all, name="freshet-claims", daemon=True)
            claiming.start()
            with self._changed:
                while not self._stopping:
                    self._changed.wait(60)
            _log.info("stopping: %d running jobs may finish within %g s", len(self._running), self._grace)
            # On a busy queue the answer to the open claim is on its way: its jobs go back, instead of being lost with it.
            claiming.join(CLAIM_PATIENCE)
            self._claims.abort()
            claiming.join(5)
            if not claiming.is_alive():
                self._claims.close()
            self._wind_down()
            return self._exit
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _drain(self) -> None:
        # Each beat says it anew: only a person's second word means hurry.
        if not self._stopping:
            self.stop()

    # ---- the thread that claims

    def _claim_all(self) -> None:
        backoff = Backoff()
        # Whether an answer may have been lost: then the server is told what is really held, and takes back the rest.
        unsure = True
        told = False
        while True:
            with self._changed:
                while not self._stopping and (len(self._running) >= self._claim_below or
                                                  self._sender.backlog() > ENDS_WAITING_MAX):
                    self._changed.wait(1)
                if self._stopping:
                    return
                free = min(self.slots + self.ahead - len(self._running), protocol.JOBS_PER_CALL_MAX)
            body = protocol.claim_body(self.id, self.host, f"python/{VERSION}", list(self._tasks), free, self._wait,
                                       self._beats.held() if unsure else None)
            try:
                answer = self._claims.ask("POST", protocol.CLAIM, body, self._wait + 15)
                unsure, told = False, False
                backoff.reset()
                self._take([self._job(claimed) for claimed in answer.get("jobs", [])])
            except (Unreachable, Refused) as error:
                unsure = True
                if self._stopping:
                    return
                if isinstance(error, Refused) and error.status in (401, 403):
                    _log.error("%s refuses this worker: %s", self.server.url, error)
                    self._exit = NOT_ALLOWED
                    self.stop()
                    return
                if not told:
                    _log.warning("%s; asking again until it does", error)
                    told = True
                with self._changed:
                    self._changed.wait_for(lambda: self._stopping, backoff.wait(error))

    def _job(self, claimed: Dict[str, Any]) -> Job:
        task = self._tasks[claimed["queue"]]
        job = Job(claimed, task.steps, self._beats.wake, self.id)
        if task.lease is not None and job.lease < task.lease:
            _log.warning("queue %s leases for %g s, its handler was written for %g s.   try: lease = \"%gs\" in [queue.%s]",
                         job.queue, job.lease, task.lease, task.lease, job.queue)
            task.lease = None
        return job

    def _take(self, jobs: List[Job]) -> None:
        if not jobs:
            return
        self._beats.hold(jobs)
        with self._changed:
            if self._stopping:
                # They came with the answer to a claim that was being given up.
                for job in jobs:
                    self._sender.add(handed_back(job))
                return
            for job in jobs:
                self._running[job.id] = job
        for job in jobs:
            self._todo.put(job)
            if not self._idle.acquire(blocking=False) and len(self._threads) < self.slots:
                thread = threading.Thread(target=self._work, name=f"freshet-slot-{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                thread.start()

    # ---- the threads that run handlers

    def _work(self) -> None:
        while True:
            job = self._todo.get()
            if job is None:
                return
            if self._stopping and job._end_once():
                self._over(job, handed_back(job))
                continue
            end = end_of(job, self._tasks[job.queue])
            if job._end_once():
                self._over(job, end)
            self._idle.release()

    def _over(self, job: Job, end: End) -> None:
        if end.verb:
            self._sender.add(end)
        else:
            self._beats.drop([job])
        with self._changed:
            if self._running.get(job.id) is job:
                del self._running[job.id]
            # Whoever waits for less than that is woken once it is so, not for each of a thousand short jobs.
            if self._stopping or len(self._running) < self._claim_below:
                self._changed.notify_all()

    def _told(self, jobs: List[Job]) -> None:
        self._beats.drop(jobs)
        with self._changed:
            self._changed.notify_all()

    # ---- the end

    def _wind_down(self) -> None:
        # What no slot has begun goes back at once.
        while not self._todo.empty():
            try:
                job = self._todo.get_nowait()
            except queue.Empty:
                break
            if job is not None and job._end_once():
                self._over(job, handed_back(job))
        self._await_handlers(self._grace, lambda: self._at_once)
        for job in self._still_running():
            job._tell_stop(Shutdown(f"{job.id} goes back, since the worker ends"))
        self._await_handlers(self._stop_wait, lambda: False)
        for job in self._still_running():
            # Its handler takes no notice; its thread ends with the process.
            if job._end_once():
                self._over(job, handed_back(job))
        if not self._sender.finish(10.0):
            _log.error("%d ends of jobs could not be told; their leases will run out", self._sender.backlog())
            self._exit = self._exit or LEFT_BEHIND
        self._beats.finish()
        self._beats.join(1)

    def _still_running(self) -> List[Job]:
        with self._changed:
            return list(self._running.values())

    def _await_handlers(self, within: float, enough: Callable[[], bool]) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._running or enough(), within)
