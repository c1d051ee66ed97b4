"""The part of ``[gateway]`` that says who may call.

Strategy. What would leave a gateway open to everybody is refused when the process starts, with what to do
about it; an address that others can reach needs keys, or a word that they are not wanted.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

__all__ = ["AccessSettings"]

_ORIGIN = re.compile(r"https?://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?")
_NAME = re.compile(r"[a-z0-9._-]+")
_Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


def _origin(said: str) -> str:
    if not _ORIGIN.fullmatch(said):
        msg = "an origin as browsers send it, in lower case: https://chat.example.com"
        raise ValueError(msg)
    return said


def _name(said: str) -> str:
    if not _NAME.fullmatch(said):
        msg = "a host's name in lower case, without a port: gateway.example.com"
        raise ValueError(msg)
    return said


class AccessSettings(BaseModel):
    """Who may call."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    """Loopback: who listens elsewhere says so, and sets keys."""
    keys: str = ""
    """A file of callers' keys (``midstream keys new``), read again when it changes; every caller needs one.
    If empty, callers on this machine need none and others are refused."""
    open: bool = False
    """Without keys, serve whoever can reach the address."""
    hosts: tuple[Annotated[str, AfterValidator(_name)], ...] = ()
    """Names that callers know the gateway by, beside `host` and those of this machine. Only looked at where
    there are no keys: a web page can give any other name the address of this machine."""
    origins: tuple[Annotated[str, AfterValidator(_origin)], ...] = ()
    """Web pages that may call; none if empty."""
    tls_cert: str = ""
    """PEM: the certificate and those between it and an authority. Plain HTTP if empty."""
    tls_key: str = ""
    """PEM: its private key."""
    head_seconds: _Seconds = 10.0
    """In which the head of a request must be there."""
    stalled_seconds: _Seconds = 60.0
    """In which a caller reads something of what is ready for it."""
    head_bytes: Annotated[int, Field(ge=1024, le=1 << 20)] = 64 << 10
    headers: Annotated[int, Field(ge=8, le=10_000)] = 128
    connections: Annotated[int, Field(ge=1, le=1 << 20)] = 8192
    """All together."""
    connections_each: Annotated[int, Field(ge=1, le=1 << 20)] = 4096
    """From one address."""

    @model_validator(mode="after")
    def _together(self) -> Self:
        if bool(self.tls_cert) != bool(self.tls_key):
            msg = "tls_cert and tls_key belong together: a certificate and its private key"
            raise ValueError(msg)
        if self.keys and self.open:
            msg = "open is for a gateway without keys: with keys every caller needs one"
            raise ValueError(msg)
        if not (self.keys or self.open or _only_here(self.host)):
            msg = (
                "host: others can reach this address, so callers need keys: set keys (midstream keys new "
                "makes one), or open = true to serve whoever comes"
            )
            raise ValueError(msg)
        return self


def _only_here(host: str) -> bool:
    """Whether nobody else can reach an address; of a name but ``localhost`` nobody knows."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
