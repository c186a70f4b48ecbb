# SPDX-License-Identifier: Apache-2.0
"""Workers for freshet. See README.md for the five-minute start."""

from . import testing
from .client import Client
from .errors import Cancelled, Fatal, LeaseLost, RateLimited, Refused, Released, Retryable, Shutdown, Stopped, Unreachable
from .job import Job
from .wire import VERSION as __version__
from .worker import Worker

__all__ = [
    "Cancelled", "Client", "Fatal", "Job", "LeaseLost", "RateLimited", "Refused", "Released", "Retryable", "Shutdown", "Stopped", "Unreachable",
    "Worker", "__version__", "testing",
]
