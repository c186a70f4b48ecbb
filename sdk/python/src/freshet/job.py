# SPDX-License-Identifier: Apache-2.0
"""One attempt at a job, as its handler sees it.

Nothing here waits for the network. Progress, checkpoints and log lines are noted, and the beat thread takes them along;
the newest progress wins, so a call in the innermost loop costs a few attribute writes. Each of these calls is also where
a handler learns that it must stop: it raises Cancelled, LeaseLost or Shutdown.

Threads: the handler's; those members that begin with `_` are the SDK's own and say who calls them.
"""

from __future__ import annotations

import json
import threading
from typing import Any, Callable, Dict, Iterable, Iterator, List, NoReturn, Optional, Sequence, Tuple, TypeVar

from .durations import Duration, seconds
from .errors import LeaseLost, Released, Stopped
from .wire import clip, dump

T = TypeVar("T")

ABSENT: Any = object()
LOG_LINES_WAITING_MAX = 1000
LOG_LINE_BYTES_MAX = 8 << 10
CHECKPOINT_BYTES_MAX = 64 << 10
COUNT_MAX = 1 << 53
LEVELS = ("debug", "info", "warning", "error")


class Progress:
    """How far the attempt is. Immutable; orders by (phase_index, done)."""

    __slots__ = ("phase", "phase_index", "phases", "done", "total", "unit", "message")

    def __init__(self, phase: str, phase_index: int, phases: int, done: int, total: Optional[int], unit: str,
                 message: str) -> None:
        self.phase = phase
        self.phase_index = phase_index
        self.phases = phases
        self.done = done
        self.total = total
        self.unit = unit
        self.message = message

    def as_json(self) -> Dict[str, Any]:
        fields: Dict[str, Any] = {"phase": clip(self.phase, 128), "phase_index": self.phase_index, "done": self.done}
        if self.phases:
            fields["phases"] = self.phases
        if self.total is not None:
            fields["total"] = self.total
        if self.unit:
            fields["unit"] = clip(self.unit, 32)
        if self.message:
            fields["message"] = clip(self.message, 1024)
        return fields


class Job:
    """What a handler is given besides its input.

    `id`, `queue`, `tenant`, `attempt` (1 is the first), `generation`: which job this is. `input`: what was asked, as JSON
    read it. `fence`: grows with every hand-out of the job; put it into your own writes (`... WHERE fence < :fence`) and a
    worker that lost the job cannot overwrite what its successor wrote. `resumed`: the last checkpoint of an earlier
    attempt, or None. `deadline_at`: when the job must be over at the latest, RFC 3339, or None.
    """

    def __init__(self, claimed: Dict[str, Any], steps: Sequence[str] = (), wake: Callable[[bool], None] = lambda checkpoint: None,
                 worker: str = "") -> None:
        self.id: str = claimed["id"]
        self.fence: int = claimed["fence"]
        self.queue: str = claimed.get("queue", "")
        self.tenant: str = claimed.get("tenant", "")
        self.attempt: int = claimed.get("attempt", 1)
        self.generation: int = claimed.get("generation", 1)
        self.input: Any = claimed.get("input")
        self.resumed: Any = claimed.get("checkpoint")
        self.deadline_at: Optional[str] = claimed.get("deadline_at")
        self.worker = worker
        self.lease: float = claimed.get("lease_ms", 30_000) / 1000

        self._steps = tuple(steps)
        self._wake = wake
        self._lock = threading.Lock()
        self._stop: Optional[Stopped] = None
        self._worker_stops = False
        self._ended = False
        self._progress: Optional[Progress] = None
        self._progress_told: Optional[Progress] = None
        self._checkpoint: Any = ABSENT
        self._checkpoint_told: Any = ABSENT
        self._lines: List[Tuple[str, str]] = []
        self._sending_lines = threading.Lock()
        self._telling = threading.Condition()
        self._in_beat = self._silent = False  #: the beat thread tells news of it; the sender does from now on

    # ---- what a handler calls

    def progress(self, done: Optional[int] = None, total: Optional[int] = None, *, step: Optional[str] = None,
                 unit: Optional[str] = None, message: Optional[str] = None) -> None:
        """Notes how far the work is. What is left out stays as it was; a new `step` starts anew at 0.

        Within a step `done` never goes back: a lower figure is taken as the one before.
        """
        self.check()
        self._note(done, total, step, unit, message)

    def _note(self, done: Optional[int], total: Optional[int] = None, step: Optional[str] = None,
              unit: Optional[str] = None, message: Optional[str] = None) -> None:
        before = self._progress
        if before is None or (step is not None and step != before.phase):
            index = self._index_of(step or "", before)
            now = Progress(step or "", index, len(self._steps), _count(done or 0), None if total is None else _count(total),
                           unit or "", message or "")
        else:
            now = Progress(before.phase, before.phase_index, before.phases,
                           before.done if done is None else max(_count(done), before.done),
                           before.total if total is None else _count(total),
                           before.unit if unit is None else unit,
                           before.message if message is None else message)
        self._progress = now
        # One wake for all changes until the next beat takes the newest along.
        if before is self._progress_told:
            self._wake(False)

    def track(self, items: Iterable[T], *, step: Optional[str] = None, total: Optional[int] = None,
              unit: Optional[str] = None) -> Iterator[T]:
        """Goes through `items` and counts them. Stops, by raising, where the job is cancelled or lost."""
        if total is None:
            try:
                total = len(items)  # type: ignore[arg-type]
            except TypeError:
                pass
        done = 0
        self.progress(done, total, step=step, unit=unit)
        for item in items:
            yield item
            done += 1
            self._note(done)
            # Work that is done whole is worth its result, whoever wanted it stopped meanwhile.
            if total is None or done < total:
                self.check()

    def checkpoint(self, value: Any) -> None:
        """Keeps `value` (JSON) for the next attempt, should this one not come to its end; there it is `job.resumed`.

        It is sent within a tenth of a second, without waiting for it.
        """
        self.check()
        self._note_checkpoint(value)
        self._wake(True)

    def log(self, text: str, level: str = "info") -> None:
        """A line for the job's log (`freshet jobs logs`). Levels: debug, info, warning, error."""
        if level not in LEVELS:
            raise ValueError(f"{level!r} is no level. There are: {', '.join(LEVELS)}.")
        with self._lock:
            if len(self._lines) == LOG_LINES_WAITING_MAX:
                self._lines[-1] = ("warning", "lines were left out: they came faster than they could be sent")
                return
            self._lines.append((level, clip(text, LOG_LINE_BYTES_MAX)))
            first = len(self._lines) == 1
        if first:
            self._wake(False)

    def release(self, wait: Duration = 0, reason: Optional[str] = None, checkpoint: Any = ABSENT) -> NoReturn:
        """Hands the job back: due again after `wait`, not counted as a failure. Does not return.

        `reason` is shown while it waits. `checkpoint` replaces the last one.
        """
        if checkpoint is not ABSENT:
            self._note_checkpoint(checkpoint)
        raise Released(seconds(wait), reason)

    def check(self) -> None:
        """Raises Cancelled, LeaseLost or Shutdown if the handler is to end. The other calls do so by themselves."""
        if self._stop is not None:
            raise self._stop

    @property
    def stop_reason(self) -> Optional[str]:
        """cancelled, lost or shutdown once the handler is to end; None before."""
        return None if self._stop is None else self._stop.reason

    @property
    def stopping(self) -> bool:
        """The worker was told to end: finish soon, or `release()` with a checkpoint."""
        return self._worker_stops

    # ---- what the SDK's threads call

    def _index_of(self, step: str, before: Optional[Progress]) -> int:
        if step in self._steps:
            return self._steps.index(step)
        return 0 if before is None else before.phase_index + 1

    def _note_checkpoint(self, value: Any) -> None:
        # Copied through JSON: the handler may go on changing its value, and what is no JSON is told where it was said.
        text = dump(value)
        if len(text) > CHECKPOINT_BYTES_MAX:
            raise ValueError(f"The checkpoint has {len(text)} bytes, {CHECKPOINT_BYTES_MAX} are the most. "
                             "Keep what is large elsewhere and its name here.")
        self._checkpoint = json.loads(text)

    def _tell_stop(self, stop: Stopped) -> None:
        """Beat thread, or the worker when the grace is over. The first word stands, but lost is final."""
        if self._stop is None or isinstance(stop, LeaseLost):
            self._stop = stop

    def _news(self, with_progress: bool = True) -> "Optional[Tuple[Optional[Progress], Any]]":
        """Progress and checkpoint that the server has not been told; None without any."""
        progress, checkpoint = self._progress, self._checkpoint
        new_progress = progress if with_progress and progress is not self._progress_told else None
        new_checkpoint = checkpoint if checkpoint is not self._checkpoint_told else ABSENT
        return None if new_progress is None and new_checkpoint is ABSENT else (new_progress, new_checkpoint)

    def _told(self, news: "Tuple[Optional[Progress], Any]") -> None:
        if news[0] is not None:
            self._progress_told = news[0]
        if news[1] is not ABSENT:
            self._checkpoint_told = news[1]

    def _begin_telling(self) -> bool:
        """Beat thread, before it reads what it tells; False where the sender tells what is left. Ends with _end_telling()."""
        with self._telling:
            self._in_beat = not self._silent
            return self._in_beat

    def _end_telling(self) -> None:
        with self._telling:
            self._in_beat = False
            self._telling.notify_all()

    def _silence_beats(self) -> None:
        """Sender: an older message of the beat thread, on its own connection, could arrive behind the last one."""
        with self._telling:
            self._silent = True
            self._telling.wait_for(lambda: not self._in_beat)

    def _has_lines(self) -> bool:
        # In this order: whoever took them has the lock until they are sent.
        return bool(self._lines) or self._sending_lines.locked()

    def _take_lines(self) -> List[Tuple[str, str]]:
        with self._lock:
            lines, self._lines = self._lines, []
        return lines

    def _end_once(self) -> bool:
        """True for the first of handler and worker to say how the attempt ended."""
        with self._lock:
            first, self._ended = not self._ended, True
        return first


def _count(value: float) -> int:
    return min(max(int(value), 0), COUNT_MAX)
