"""A call that is not admitted: why, in words for the caller, and when to come back."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["Refusal"]


class Refusal(Exception):
    """A call that is not served.

    :arg kind: One of ``_api_errors.KINDS``.

    :arg message: For the caller; no part of a key is in it.

    :arg status: In place of the API's own for this kind, if not 0.

    :arg retry_after: Seconds until it is worth asking again, 0 where it never is.

    :arg headers: That the answer must carry.

    """

    def __init__(
        self, *, kind: str, message: str, status: int = 0,
        retry_after: float = 0.0, headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.kind, self.status = kind, status
        self.message, self.retry_after = message, retry_after
        self.headers = list(headers)
