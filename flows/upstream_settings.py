"""``[upstreams.NAME]``: one provider, in place of what ``flows.endpoints`` knows about it.

In variables: ``MIDSTREAM_UPSTREAMS__GROQ__API_KEY``, ``MIDSTREAM_UPSTREAMS__OWN__BASE_URL``. What may be a
secret, a proxy's address with its password and the value of a header too, is never printed.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

__all__ = ["UpstreamSettings", "Upstreams"]

_Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
_Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]


class UpstreamSettings(BaseModel):
    """What can be set about a provider; empty and None leave what is known about it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: str = ""
    """With the path that all of its paths begin with: ``https://api.groq.com/openai/v1``."""
    api: str = ""
    """What it speaks, a name of ``connectors.decoders``; Chat Completions if nothing is known."""
    api_key: SecretStr | None = None
    auth: Literal["bearer", "x-api-key", "x-goog-api-key", "api-key", "none"] | None = None
    """The header that carries the key."""
    api_version: str = ""
    """Azure's, with addresses that want one."""
    headers: dict[str, SecretStr] = {}
    """Sent with every call."""
    proxy: SecretStr | None = None
    http2: bool = False
    ca_file: str = ""
    """PEM of the authorities that may vouch for it; the system's if empty."""
    connect: _Seconds = 10.0
    write: _Seconds = 30.0
    pool: _Seconds = 10.0
    """Waiting for a free connection."""
    first_byte: _Seconds = 300.0
    between_bytes: _Seconds = 120.0
    total: _Seconds = 3600.0
    retries: Annotated[int, Field(ge=0, le=10)] | None = None
    """Before the first byte; ``ask`` has 2, the gateway none, whose clients have their own."""
    max_connections: Annotated[int, Field(ge=1, le=65_536)] = 1000


Upstreams = dict[_Name, UpstreamSettings]
"""By name of the provider."""
