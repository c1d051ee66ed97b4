"""``python -m tests.flows.killed_in_commit WHEN N ARGUMENTS``: the command, killed at its N-th commit of a
transaction: ``before`` Kafka hears of it, or ``after`` it is done and before Bytewax saves the epoch.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from typing import Any

from confluent_kafka import Producer

from connectors import _kafka_client
from flows.__main__ import main


class _Killed(Producer):
    when, count = "", 0
    commits = itertools.count(1)

    def commit_transaction(self, *arguments: Any) -> None:
        last = next(self.commits) == self.count
        if last and self.when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        super().commit_transaction(*arguments)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    _Killed.when, _Killed.count = sys.argv[1], int(sys.argv[2])
    vars(_kafka_client)["Producer"] = _Killed
    sys.argv[1:3] = []
    main()
