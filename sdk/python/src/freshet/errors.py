# SPDX-License-Identifier: Apache-2.0
"""How a handler says that its attempt failed, and how it is told to stop.

Any exception is tried again as the queue's retry policy says; its class is the code that the console groups by, or give
`Retryable` one of your own. `Fatal` is not tried again: it would not help.
`RateLimited` waits at least as long as the source asked for and spends a budget of its own.

What stops a handler from outside derives from BaseException, as KeyboardInterrupt does: an `except Exception` around a
flaky call must not swallow the news that the job was cancelled or now belongs to another worker.
"""

from __future__ import annotations

from typing import Optional

from .durations import Duration, seconds


class Fatal(Exception):
    """The job fails for good. `code` is what the console groups errors by."""

    def __init__(self, message: str, code: str = "fatal") -> None:
        super().__init__(message)
        self.code = code


class Retryable(Exception):
    """A plain error with a code of one's own: it is tried again."""

    def __init__(self, message: str, code: str = "error") -> None:
        super().__init__(message)
        self.code = code


class RateLimited(Exception):
    """The source wants to be left alone for a while; the next attempt waits at least `retry_after`."""

    def __init__(self, message: str, retry_after: Optional[Duration] = None, code: str = "rate_limited") -> None:
        super().__init__(message)
        self.code = code
        self.retry_after = None if retry_after is None else seconds(retry_after)


class Stopped(BaseException):
    """The handler is to end; raised by the job's own methods and by its `track`. `reason`: cancelled, lost, shutdown."""

    reason = "stopped"


class Cancelled(Stopped):
    """Somebody cancelled the job. Let it through: that confirms the cancel."""

    reason = "cancelled"


class LeaseLost(Stopped):
    """The job was given to another worker, or ended. Whatever this handler still does is not accepted."""

    reason = "lost"


class Shutdown(Stopped):
    """The worker ends and the time to finish is used up. Let it through: the job goes back with its last checkpoint."""

    reason = "shutdown"


class Released(BaseException):
    """Raised by Job.release(): the job goes back to its queue."""

    def __init__(self, wait: float, reason: Optional[str]) -> None:
        super().__init__(reason or "released")
        self.wait = wait
        self.reason = reason


class Unreachable(Exception):
    """The server did not answer. Workers go on asking by themselves; a client's caller may try again."""


class Refused(Exception):
    """The server answered, and said no."""

    def __init__(self, status: int, code: str, message: str, retry_after: Optional[float] = None) -> None:
        super().__init__(f"{message} ({status} {code})")
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after
