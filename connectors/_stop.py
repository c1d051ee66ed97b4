"""The process is asked to end: one event that every source looks at.

Set by the signal handler (``flows``) or by a sink whose reader went away. A source that sees it says
end-of-file, which lets Bytewax write a last snapshot: the next run goes on exactly there.
"""

from __future__ import annotations

import threading

__all__ = ["STOP"]

STOP = threading.Event()
