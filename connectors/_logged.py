"""A callback of Bytewax logs before it lets an exception go: a cluster of processes loses the message."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

__all__ = ["logged"]

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def logged(callback: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """The same callback; what it raises, but for the end of a source, is in the log of its module."""
    log = logging.getLogger(callback.__module__)

    @wraps(callback)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            return callback(*args, **kwargs)
        except StopIteration:
            raise
        except Exception:
            log.exception("%s failed", callback.__qualname__)
            raise

    return run
