# SPDX-License-Identifier: Apache-2.0
"""The test worker of the Python SDK: the tasks that ../README.md lists, nothing else."""

import os
import signal
import sys
import threading
import time

from freshet import Fatal, RateLimited, Retryable, Stopped, Worker

_out = threading.Lock()


def say(*words):
    with _out:
        print(*words, flush=True)


options = {}
if "WORKER_ID" in os.environ:
    options["id"] = os.environ["WORKER_ID"]
if "WORKER_GRACE_MS" in os.environ:
    options["grace"] = int(os.environ["WORKER_GRACE_MS"]) / 1000
worker = Worker(slots=int(os.environ.get("WORKER_SLOTS", "4")), ahead=int(os.environ.get("WORKER_AHEAD", "0")), **options)


def task(queue):
    """Says `begin` and `end`, and `stop` with the reason where the SDK stops the handler."""

    def keep(fn):
        def handler(job, **named):
            say("begin", queue, job.id, job.attempt)
            try:
                result = fn(job, **named)
            except Stopped as stop:
                say("stop", queue, job.id, job.attempt, stop.reason)
                raise
            say("end", queue, job.id, job.attempt)
            return result

        return worker.task(queue)(handler)

    return keep


@worker.task("echo")
def echo(job, *args, **named):
    return job.input


@task("who")
def who(job):
    return {"id": job.id, "fence": job.fence, "attempt": job.attempt, "generation": job.generation, "queue": job.queue,
            "worker": job.worker, "pid": os.getpid()}


# `class` is no name of a Python argument, so all of the input is taken by name.
@task("fail")
def fail(job, **given):
    if given.get("until", 0) and job.attempt >= given["until"]:
        return {"attempt": job.attempt}
    message, code = given.get("message", ""), given.get("code", "")
    kind = given.get("class", "retryable")
    if kind == "fatal":
        raise Fatal(message, code or "fatal")
    if kind == "rate_limited":
        raise RateLimited(message, retry_after=given.get("retry_after_ms", 0) / 1000, code=code or "rate_limited")
    raise Retryable(message, code) if code else RuntimeError(message)


@task("slow")
def slow(job, ms=1000, steps=10, phase="work"):
    for _ in job.track(range(steps), step=phase):
        time.sleep(ms / steps / 1000)
    return {"steps": steps, "attempt": job.attempt}


@task("busy")
def busy(job, until):
    while not os.path.exists(until):
        for _ in range(1_000_000):
            pass
    return {"attempt": job.attempt}


@task("stubborn")
def stubborn(job, ms=1000):
    time.sleep(ms / 1000)
    if job.stop_reason is not None:
        say("stop", "stubborn", job.id, job.attempt, job.stop_reason)
    return {"attempt": job.attempt}


@task("hurry")
def hurry(job, count=10_000, phase="count"):
    for n in range(1, count + 1):
        job.progress(n, count, step=phase)
    return {"count": count}


@task("checkpoint")
def checkpoint(job, steps=10, step_ms=50, die_at=0):
    begun_at = (job.resumed or {}).get("done", 0)
    for done in range(begun_at + 1, steps + 1):
        time.sleep(step_ms / 1000)
        job.progress(done, steps)
        job.checkpoint({"done": done})
        if die_at and done == die_at and job.attempt == 1:
            time.sleep(0.2)
            os.kill(os.getpid(), signal.SIGKILL)
    return {"from": begun_at, "done": steps, "attempt": job.attempt}


@task("pause")
def pause(job, wait_ms=100, reason="later"):
    if job.attempt == 1:
        job.release(wait=wait_ms / 1000, reason=reason, checkpoint={"paused": True})
    return {"attempt": job.attempt, "checkpoint": job.resumed}


@task("big")
def big(job, bytes=1_000_000):
    return "x" * bytes


@task("log")
def log(job, lines):
    for line in lines:
        job.log(line)
    return {"lines": len(lines)}


say("ready", os.getpid())
sys.exit(worker.run())
