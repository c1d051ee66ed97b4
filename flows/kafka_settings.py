"""``[kafka]``: what can be set about the durable lane, checked before anything runs.

Strategy. Security has keys of its own, so that secrets are secrets and what belongs together is checked
together; whatever else librdkafka can do goes through ``options``, but for what a guarantee rests on. Of TLS
and SASL only a few options are let through, which are known to weaken nothing: one that is forgotten in that
list is refused, not obeyed.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import NoDecode

__all__ = ["KafkaSettings"]

_DIGITS = 18  # of an offset: Kafka counts with 64 bits


def _start(said: str) -> str:
    """``kafka.start``, if it is one."""
    if said in {"earliest", "latest", "committed"} or (said.isdecimal() and len(said) <= _DIGITS):
        return said
    try:
        datetime.fromisoformat(said)
    except ValueError:
        msg = "earliest, latest, committed, a time (ISO 8601) or an offset"
        raise ValueError(msg) from None
    return said


def _copies(said: int) -> int:
    """``kafka.replication``, if a topic can have so many."""
    if not said:
        msg = "-1 (the broker's default) or from 1"
        raise ValueError(msg)
    return said


def _ours(said: str) -> str:
    """``kafka.run``, which nobody sets."""
    if said:
        msg = "not for setting: a numbering is named by the folder of run -r, or at random"
        raise ValueError(msg)
    return said


_RESERVED = frozenset(
    [
        "bootstrap.servers",
        "metadata.broker.list",
        "group.id",
        "enable.auto.commit",
        "auto.commit.enable",
        "enable.auto.offset.store",
        "auto.offset.reset",
        "isolation.level",
        "enable.partition.eof",
        "allow.auto.create.topics",
        "enable.idempotence",
        "acks",
        "request.required.acks",
        "transactional.id",
        "transaction.timeout.ms",
        "delivery.timeout.ms",
        "message.timeout.ms",
        "retries",
        "message.send.max.retries",
        "max.in.flight",
        "max.in.flight.requests.per.connection",
        "queuing.strategy",
        "batch.size",
        "message.max.bytes",
        "delivery.report.only.error",
        "security.protocol",
        "logger",
    ]
)
"""Options of librdkafka that a guarantee rests on, or that have a key of their own."""
_CLOSED = (
    "ssl.", "sasl.", "https.", "enable.ssl.", "enable.sasl.", "plugin.", "test.mock.", "topic.", "default.",
)  # fmt: skip
"""How options begin that are refused unless they are named here: a check of who is there, foreign code, a
cluster that is only played, another way to say the options of a topic (``topic.acks`` is ``acks``).
"""
_OPEN = frozenset(
    [
        "ssl.keystore.location",
        "ssl.keystore.password",
        "ssl.certificate.pem",
        "ssl.key.pem",
        "ssl.crl.location",
        "sasl.oauthbearer.config",
        "topic.metadata.refresh.interval.ms",
        "topic.metadata.refresh.fast.interval.ms",
        "topic.metadata.refresh.sparse",
        "topic.metadata.propagation.max.ms",
    ]
)


def _allowed(options: dict[str, SecretStr]) -> dict[str, SecretStr]:
    for option in sorted(options):
        name = option.strip().lower()
        closed = name.startswith(_CLOSED) and name not in _OPEN
        if name in _RESERVED or closed or "_" in name:  # functions and objects have names with a "_"
            msg = f"{option} is not for setting here: it has a key of its own, or a guarantee rests on it"
            raise ValueError(msg)
    return options


def _texts(given: object) -> object:
    try:
        return json.loads(given) if isinstance(given, str) else given
    except (ValueError, RecursionError):
        msg = 'in a variable a JSON object of texts, as in {"client.rack": "a"}'
        raise ValueError(msg) from None


class KafkaSettings(BaseModel):
    """``[kafka]``: the durable lane."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bootstrap_servers: str = ""
    """``host:port,...``; no Kafka if empty."""
    prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,200}$")] = "midstream"
    """Of topics, the consumer group and transactional ids."""
    deltas: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,249}$")] = ""
    """Topic of the deltas, if it has another prefix: a second job under another policy reads the same log."""
    lane: Literal["fast", "exact"] = "fast"
    """``fast``: at once, at least once. ``exact``: a transaction an epoch, exactly once."""
    cell: Annotated[int, Field(ge=0, le=63)] = 0
    cells: Annotated[int, Field(ge=1, le=64)] = 1
    """This process has the slots ``k`` with ``k % cells == cell``."""
    start: Annotated[str, AfterValidator(_start)] = "earliest"
    """Where a slot is read from that has no state: ``earliest latest committed``, a time (ISO 8601), an
    offset."""
    until: Literal["forever", "end"] = "forever"
    """``end``: stop where the topic ended when the job began."""
    skew: Annotated[float, Field(ge=0, le=1e6)] = 300.0
    """Seconds that a record may say it is from the future."""
    samples: bool = False
    """Send measurements too."""
    create: bool = True
    """Make topics that are missing."""
    replication: Annotated[int, Field(ge=-1, le=100), AfterValidator(_copies)] = -1
    """Copies of a topic that is made; -1: the broker's default."""
    metrics: Annotated[float, Field(ge=0, le=1e6)] = 10.0
    """Seconds between two records of sums; 0: none."""
    timeout: Annotated[float, Field(gt=0, le=1e4)] = 10.0
    """Seconds that a broker may take to answer while the job starts."""
    delivery_timeout: Annotated[float, Field(ge=1, le=1e5)] = 120.0
    """Seconds that a record may take to be delivered, broker restarts included."""
    transaction_timeout: Annotated[float, Field(ge=1, le=900)] = 60.0
    """Seconds of a transaction: more than an epoch takes."""
    security: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = "plaintext"
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = "SCRAM-SHA-512"
    username: str = ""
    password: SecretStr | None = None
    token: Annotated[str, Field(pattern=r"^([\w.]+:\w+)?$")] = ""
    """``module:function`` that gives an OAUTHBEARER token: called with ``sasl.oauthbearer.config``, returns
    the token and the time (s) at which it is over."""
    ca: str = ""
    """File of the certificates that a broker is believed by; the system's if empty."""
    certificate: str = ""
    private_key: str = ""
    private_key_password: SecretStr | None = None
    options: Annotated[dict[str, SecretStr], NoDecode, BeforeValidator(_texts), AfterValidator(_allowed)] = {}
    """More options of librdkafka; not shown, because some are secrets."""
    run: Annotated[str, AfterValidator(_ours)] = ""
    """The names of the slots' numberings, which the folder of ``run -r`` keeps; random if empty. Not for
    setting: two jobs of one name would be taken for one that repeats itself."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.cell >= self.cells:
            msg = f"cell {self.cell} of {self.cells}: cells are counted from 0"
            raise ValueError(msg)
        sasl, tls = self.security.startswith("sasl"), self.security.endswith("ssl")
        if not sasl and (self.username or self.password or self.token):
            msg = f"security = {self.security} tells nobody who we are: username, password, token need sasl"
            raise ValueError(msg)
        if not tls and (self.ca or self.certificate or self.private_key or self.private_key_password):
            msg = f"security = {self.security} is without TLS: ca, certificate and private_key need ssl"
            raise ValueError(msg)
        if sasl and self.mechanism == "OAUTHBEARER" and not self.token:
            msg = "OAUTHBEARER needs token, the function that gives one"
            raise ValueError(msg)
        if sasl and self.mechanism != "OAUTHBEARER" and not (self.username and self.password):
            msg = f"{self.mechanism} needs username and password"
            raise ValueError(msg)
        return self
