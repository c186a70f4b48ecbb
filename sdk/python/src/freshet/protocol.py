# SPDX-License-Identifier: Apache-2.0
"""The shapes of `/v1/work/*`, in one place. Pure; docs/reference of the server is their source."""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple

from .job import ABSENT, Job, Progress
from .wire import clip, dump

CLAIM = "/v1/work/claim"
BEAT = "/v1/work/beat"
JOBS_PER_CALL_MAX = 1000
# The server takes bodies of up to 1 MiB; what is larger goes by PUT, job by job.
CALL_BYTES_MAX = 700_000
INLINE_RESULT_BYTES_MAX = 256_000
RESULT_BYTES_MAX = 64 << 20

News = Tuple[Optional[Progress], Any]


def claim_body(worker: str, host: str, sdk: str, queues: Sequence[str], slots: int, wait: float,
               holds: Optional[Iterable[Job]]) -> bytes:
    body: Dict[str, Any] = {"worker": worker, "host": host, "sdk": sdk, "queues": list(queues), "slots": slots, "wait": wait}
    if holds is not None:
        body["holds"] = [{"id": job.id, "fence": job.fence} for job in holds]
    return dump(body)


def calls_of(jobs: Sequence[Job], news: Dict[str, News]) -> List[List[Job]]:
    """Jobs of one beat in as many calls as it takes: a checkpoint may have 64 KiB."""
    calls: List[List[Job]] = []
    weight = JOBS_PER_CALL_MAX
    for job in jobs:
        own = 1 if news.get(job.id, (None, ABSENT))[1] is ABSENT else JOBS_PER_CALL_MAX // 10
        if weight + own > JOBS_PER_CALL_MAX:
            calls.append([])
            weight = 0
        calls[-1].append(job)
        weight += own
    return calls


def beat_body(worker: str, jobs: Iterable[Job], news: Dict[str, News]) -> bytes:
    entries: List[Dict[str, Any]] = []
    for job in jobs:
        entry: Dict[str, Any] = {"id": job.id, "fence": job.fence}
        progress, checkpoint = news.get(job.id, (None, ABSENT))
        if progress is not None:
            entry["progress"] = progress.as_json()
        if checkpoint is not ABSENT:
            entry["checkpoint"] = checkpoint
        entries.append(entry)
    return dump({"worker": worker, "jobs": entries})


def read_words(answer: Any) -> Dict[str, str]:
    """Of a beat: the word for each job, `ok`, `cancel` or `lost`."""
    jobs = answer.get("jobs", []) if isinstance(answer, dict) else []
    return {entry["id"]: entry.get("answer", "ok") for entry in jobs}


def complete_entry(job: Job, result: Any) -> bytes:
    return dump({"id": job.id, "fence": job.fence, "result": result})


def put_path(job: Job) -> str:
    return f"/v1/work/{job.id}/result?fence={job.fence}"


def complete_put_entry(job: Job, put: Any) -> bytes:
    """Completes with what PUT brought; the server's answer to it names the payload."""
    return dump({"id": job.id, "fence": job.fence, "payload": put["payload"]})


def fail_entry(job: Job, error_class: str, code: str, message: str, retry_after: Optional[float] = None) -> bytes:
    body: Dict[str, Any] = {
        "id": job.id, "fence": job.fence, "error": {"class": error_class, "code": clip(code, 128), "message": clip(message, 8000)}
    }
    if retry_after is not None:
        body["retry_after"] = retry_after
    return dump(body)


def release_entry(job: Job, wait: float = 0.0, reason: Optional[str] = None, checkpoint: Any = ABSENT) -> bytes:
    body: Dict[str, Any] = {"id": job.id, "fence": job.fence}
    if wait > 0:
        body["wait_ms"] = int(wait * 1000)
    if reason:
        body["reason"] = clip(reason, 512)
    if checkpoint is not ABSENT:
        body["checkpoint"] = checkpoint
    return dump(body)


def log_path(job: Job) -> str:
    return f"/v1/work/{job.id}/log"


def log_body(job: Job, lines: Sequence[Tuple[str, str]]) -> bytes:
    return dump({"fence": job.fence, "lines": [{"level": "warn" if level == "warning" else level, "text": text}
                                               for level, text in lines]})


def ends_body(worker: str, entries: Sequence[bytes]) -> bytes:
    """The entries are whole JSON values, made in the threads of their handlers."""
    return b'{"worker":' + dump(worker) + b',"jobs":[' + b",".join(entries) + b"]}"


def read_refusals(answer: Any) -> Dict[str, Tuple[str, str]]:
    """Of complete, fail and release: code and words for each job that was refused."""
    jobs = answer.get("jobs", []) if isinstance(answer, dict) else []
    refused: Dict[str, Tuple[str, str]] = {}
    for entry in jobs:
        problem = entry.get("problem")
        if isinstance(problem, dict):
            refused[entry["id"]] = (str(problem.get("code", "refused")), str(problem.get("detail", "the server refused")))
    return refused
