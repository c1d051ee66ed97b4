"""``[gateway]``: what can be set about the server that clients call, checked before anything runs."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from flows.access_settings import AccessSettings

__all__ = ["GatewaySettings"]

_MiB = 1 << 20
_Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


class GatewaySettings(AccessSettings):
    """Where it listens, and what a caller may take."""

    port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    """0: any that is free; it is printed."""
    slots: Annotated[int, Field(ge=1, le=64)] = 1
    """In place of ``slots``, unless records go to Kafka: an answer waits for the packets of all slots that
    were filled with its own."""
    body_bytes: Annotated[int, Field(ge=1, le=256 * _MiB)] = 32 * _MiB
    """Of a request, and of an answer that is no stream."""
    body_seconds: _Seconds = 30.0
    """In which a request's body must be there."""
    judging_seconds: _Seconds = 30.0
    """In which what waits must be judged; then its answer is ended with an error."""
    sessions: Annotated[int, Field(ge=1, le=65_536)] = 256
    """Of Realtime, at a time."""
    session_idle: _Seconds = 900.0
    """Seconds in which neither side of a session says anything."""
    session_seconds: _Seconds = 3600.0
    """Of one session."""
