# SPDX-License-Identifier: Apache-2.0
"""Lengths of time as people write them: "30s", "500ms", "10m", "2h", "1d", a number of seconds, or a timedelta."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Union

Duration = Union[str, int, float, timedelta]

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(value: Duration) -> float:
    """The length in seconds. ValueError says what may be written instead."""
    if isinstance(value, timedelta):
        length = value.total_seconds()
    elif isinstance(value, bool):
        raise ValueError(_help(value))
    elif isinstance(value, (int, float)):
        length = float(value)
    else:
        text = str(value).strip()
        parts = _PART.findall(text)
        if not parts or "".join(number + unit for number, unit in parts) != text:
            raise ValueError(_help(value))
        length = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if not 0 <= length < float("inf"):
        raise ValueError(_help(value))
    return length


def _help(value: object) -> str:
    return f'{value!r} is no length of time. Write "30s", "500ms", "10m", "2h", "1d" or a number of seconds.'
