"""Something outside that waiting does not mend: the job ends, and its message is all that a person needs."""

from __future__ import annotations

__all__ = ["Fault"]


class Fault(RuntimeError):
    """What is wrong, where, and what would be right."""
