"""What may be said to a running job (``control.path``): a pattern, as a policy's ``[[patterns]]`` says it.

``{"name": "dip", "signal": "surprisal", "values": [4, 2, 4], "within": 0.1, "description": "a dip"}``
"""

from __future__ import annotations

from collections.abc import Callable

import orjson
from pydantic import ValidationError

from flows.entries import PatternEntry
from flows.judgement import Judgement
from operators.packet import Action, Shape

__all__ = ["reader"]


def reader(judgement: Judgement) -> Callable[[bytes], Shape]:
    """What makes a shape of an order to a job that runs under `judgement`."""
    taken = frozenset(judgement.names)

    def read(line: bytes) -> Shape:
        """The shape that a line orders.

        :raises ValueError: If it is none, or one that this job cannot look for.
        """
        try:
            entry = PatternEntry.model_validate(orjson.loads(line))
        except orjson.JSONDecodeError as error:
            msg = f"not JSON: {error.msg}"
            raise ValueError(msg) from error
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            msg = f"{'.'.join(map(str, first['loc'])) or 'the order'}: {first['msg']}"
            raise ValueError(msg) from error
        if entry.file:
            msg = f"pattern {entry.name!r}: must say its values; a file is for the policy"
            raise ValueError(msg)
        if entry.name in taken:
            msg = f"pattern {entry.name!r}: the policy knows something of that name; take another"
            raise ValueError(msg)
        if entry.signal == "injection" and not judgement.scores:
            msg = f"pattern {entry.name!r}: nothing measures injection under this policy; it must name it too"
            raise ValueError(msg)
        shape = judgement.shape(entry)
        if shape.action in {Action.REDACT, Action.WOULD_REDACT}:
            msg = f"pattern {entry.name!r}: cannot redact: only a rule knows what to cover"
            raise ValueError(msg)
        return shape

    return read
