# SPDX-License-Identifier: Apache-2.0
"""Runs a handler without a server, for its own tests.

    ran = testing.run(forecast, {"region": "north"})
    assert ran.end == "succeeded" and ran.result == {"region": "north"}
"""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, List, Optional, Tuple

from .errors import Cancelled, LeaseLost, Shutdown
from .job import Job, Progress
from .worker import Task, end_of


STOPS = {stop.reason: stop for stop in (Cancelled, LeaseLost, Shutdown)}


class Ran:
    """What became of it. `end`: succeeded, retryable, fatal, rate_limited, released or stopped."""

    def __init__(self) -> None:
        self.end = ""
        self.result: Any = None
        self.code = ""  #: of an error
        self.message = ""  #: of an error; of a release: its reason
        self.wait = 0.0  #: of a release, and retry_after of rate_limited; seconds
        self.progress: List[Dict[str, Any]] = []  #: all that were told, not only those that a worker would send
        self.checkpoints: List[Any] = []  #: likewise
        self.log: List[Tuple[str, str]] = []  #: level and text


class _Watched(Job):
    """Keeps all that its handler says, and is told to stop after so many progresses."""

    def __init__(self, claimed: Dict[str, Any], ran: Ran, stop_after: Optional[int], stop_reason: str) -> None:
        super().__init__(claimed, worker="testing")
        self._ran = ran
        self._left = stop_after
        self._reason = stop_reason
        if stop_after == 0:
            self._stop_now()

    def _note(self, *args: Any, **named: Any) -> None:
        super()._note(*args, **named)
        if self._progress is not None:
            self._ran.progress.append(self._progress.as_json())
        if self._left is not None and len(self._ran.progress) == self._left:
            self._stop_now()

    def _note_checkpoint(self, value: Any) -> None:
        super()._note_checkpoint(value)
        self._ran.checkpoints.append(self._checkpoint)

    def _stop_now(self) -> None:
        self._tell_stop(STOPS[self._reason](f"the test says {self._reason}"))


def run(fn: Callable[..., Any], input: Any = None, *, attempt: int = 1, checkpoint: Any = None, fence: int = 1,
        stop_after: Optional[int] = None, stop_reason: str = "cancelled") -> Ran:
    """
    checkpoint   what an earlier attempt left; the handler finds it as job.resumed
    stop_after   the handler is told to stop once it has told so many progresses; 0: before it begins
    stop_reason  cancelled, lost or shutdown
    """
    claimed = {"id": "j_test", "fence": fence, "attempt": attempt, "queue": "test", "tenant": "default",
               "input": json.loads(json.dumps(input)), "checkpoint": checkpoint}
    ran = Ran()
    job = _Watched(claimed, ran, stop_after, stop_reason)
    end = end_of(job, Task(fn))
    ran.log = job._take_lines()
    entry: Dict[str, Any] = json.loads(end.entry) if end.entry else {}
    if end.verb == "complete":
        ran.end = "succeeded"
        ran.result = entry["result"] if end.large is None else json.loads(end.large)
    elif end.verb == "fail" and entry["error"]["class"] != "cancelled":
        ran.end, ran.code, ran.message = entry["error"]["class"], entry["error"]["code"], entry["error"]["message"]
        ran.wait = entry.get("retry_after", 0.0)
    elif end.verb == "release" and not isinstance(job._stop, Shutdown):
        ran.end, ran.message, ran.wait = "released", entry.get("reason", ""), entry.get("wait_ms", 0) / 1000
    else:
        ran.end = "stopped"
    return ran
