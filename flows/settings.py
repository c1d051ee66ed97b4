"""Everything that can be set, and the only place that reads the environment.

Strategy. Defaults, then ``midstream.toml`` (or the file that ``MIDSTREAM_CONFIG`` names), then variables
``MIDSTREAM_SECTION__KEY``, then what a command line says; later ones win, key by key. A wrong value is
refused before anything runs, with its key, where it came from and what would be right. Values are
never part of that message, nor is a secret ever printed.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from flows.gateway_settings import GatewaySettings
from flows.kafka_settings import KafkaSettings
from flows.upstream_settings import Upstreams
from operators.directory import Limits

__all__ = ["Settings", "load", "secret"]

_PREFIX, _DELIMITER = "MIDSTREAM_", "__"
_KiB, _MiB = 1 << 10, 1 << 20


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LimitSettings(_Section):
    """``[limits]``: what one stream may take before it is ended with an error."""

    delta_bytes: Annotated[int, Field(ge=1)] = 64 * _KiB
    stream_bytes: Annotated[int, Field(ge=1, le=32 * _MiB)] = 16 * _MiB
    stream_lanes: Annotated[int, Field(ge=1)] = 1024
    idle: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)] = 600.0
    """Seconds."""
    event_bytes: Annotated[int, Field(ge=_KiB, le=1 << 30)] = _MiB
    """One event of a wire format, its framing included."""

    undecodable: Literal["pass", "end"] = "pass"
    """U+FFFD in a text, put there by a decoder (no UTF-8, half a surrogate pair) or by the provider; no rule
    is stopped by it. The text goes on, or its stream ends with an error."""

    def of_a_stream(self) -> Limits:
        """Those that the directory holds, in its units."""
        passes = self.undecodable == "pass"
        return Limits(
            self.delta_bytes, self.stream_bytes, self.stream_lanes, int(self.idle * 1e9), undecodable=passes
        )


def _paths(given: object) -> object:
    if not isinstance(given, str):
        return given
    return json.loads(given) if given.startswith("[") else given.split(os.pathsep)


class ReplaySettings(_Section):
    """``[replay]``: recordings to play in place of the simulator."""

    paths: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_paths)] = ()
    """In a variable: separated as in ``PATH``, or a JSON list."""
    api: str = "auto"
    speed: Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)] = 1.0
    chunk: Annotated[int, Field(ge=0)] = 0


class SimulateSettings(_Section):
    """``[simulate]``: the embedded source."""

    seed: int = 7
    streams: Annotated[int, Field(ge=1)] = 40
    rate: Annotated[float, Field(ge=1e-3, le=1e6, allow_inf_nan=False)] = 4.0
    """Streams that begin in a second."""
    speed: Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)] = 2.0
    """Times as fast as models speak; 0 as fast as possible."""


class ControlSettings(_Section):
    """``[control]``: what is said to a job while it runs."""

    path: str = ""
    """A file of JSON lines that is followed (``flows.orders``); none if empty."""


class InputSettings(_Section):
    """``[input]``: where streams come from."""

    source: Literal["auto", "simulate", "replay", "ndjson", "kafka"] = "auto"
    """``auto``: what the job is for; recordings where ``replay.paths`` names some."""


class OutputSettings(_Section):
    """``[output]``: where records go."""

    sink: Literal["auto", "stdout", "kafka"] = "auto"
    """``auto``: what the job is for."""
    format: Literal["auto", "json", "view"] = "auto"
    """``auto``: a live view on a terminal, JSON lines elsewhere."""
    ledger: bool = False
    """JSON lines: what holding back cost, by stream and rule, when a stream ends."""


Key = Annotated[SecretStr, Field(min_length=16)]
"""A secret that signs or hashes; a short one could be tried."""


class AuditSettings(_Section):
    """``[audit]``: the record of what was decided, for those who must prove it later."""

    path: str = ""
    """A file that lines are added to. If empty, none is kept, or the topic of a job that writes to Kafka."""
    key: Key | None = None
    """Signs the chain: without it, who can write the file can also forge it."""


class Settings(BaseSettings):
    """All settings of a process. Frozen; make one with :func:`load`."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_nested_delimiter=_DELIMITER,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
    )

    policy: Annotated[str, Field(min_length=1)] = "default"
    """A policy file, or the name of the shipped one."""
    mask_key: Key | None = None
    """Of masks that are hashes: one value has one hash as long as the key stays."""
    fail_open: bool = False
    """Let text leave unvetted where a stage could not process it, in place of ending its stream."""
    slots: Annotated[int, Field(ge=1, le=64)] = 8
    """Shards of the state: fixed for the life of a deployment; 4-8 a worker."""
    batch: Annotated[int, Field(ge=1, le=65_536)] = 1024
    """Deltas in a packet at most."""
    limits: LimitSettings = LimitSettings()
    replay: ReplaySettings = ReplaySettings()
    simulate: SimulateSettings = SimulateSettings()
    control: ControlSettings = ControlSettings()
    input: InputSettings = InputSettings()
    kafka: KafkaSettings = KafkaSettings()
    output: OutputSettings = OutputSettings()
    audit: AuditSettings = AuditSettings()
    gateway: GatewaySettings = GatewaySettings()
    upstreams: Upstreams = {}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, environment, file; first wins."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, InitSettingsSource(settings_cls, _file()[1])


def secret(key: SecretStr | None) -> bytes:
    """The bytes of a key, none where there is none."""
    return key.get_secret_value().encode() if key else b""


def load(flags: Mapping[str, Any] | None = None) -> Settings:
    """The settings of this process; `flags` is nested like the settings, absent keys unset.

    :raises ValueError: If anything is wrong; every fault has a line.
    """
    given = dict(flags or {})
    path, file = _file()
    unknown = sorted(set(file) - set(Settings.model_fields))
    if unknown:
        msg = (
            f"settings: {unknown[0]} (from {path}): no such key; there are {', '.join(Settings.model_fields)}"
        )
        raise ValueError(msg)
    try:
        return Settings(**given)
    except ValidationError as error:
        lines = []
        for fault in error.errors(include_input=False, include_url=False):
            place, wrong = fault["loc"], fault["msg"]
            if fault["type"] == "extra_forbidden":
                wrong = f"no such key; there are {', '.join(_keys(place[0]))}"
            key = ".".join(map(str, place))
            lines.append(f"settings: {key} (from {_origin(place, given, file, path)}): {wrong}")
        raise ValueError("\n".join(lines)) from None
    except SettingsError as error:
        section = str(error).split('"')[1]  # as in: error parsing value for field "limits" from source ...
        name = f"{_PREFIX}{section.upper()}"
        msg = f"settings: {section} (from {name}): not a JSON object; or set its keys: {name}{_DELIMITER}KEY"
        raise ValueError(msg) from None


def _keys(section: int | str) -> list[str]:
    kind = Settings.model_fields[str(section)].annotation
    kind = get_args(kind)[-1] if get_args(kind) else kind  # of a table by name
    return list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else []


def _file() -> tuple[str, dict[str, Any]]:
    """The settings file and what it says; a file that is named must exist."""
    named = os.environ.get(f"{_PREFIX}CONFIG")
    path = Path(named or "midstream.toml")
    if not named and not path.is_file():
        return str(path), {}
    try:
        return str(path), tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        msg = f"settings: {path}: {error}"
        raise ValueError(msg) from error


def _origin(place: tuple[Any, ...], flags: Mapping[str, Any], file: Mapping[str, Any], path: str) -> str:
    """Which source set the value at `place`: the one that wins."""
    if _holds(flags, place):
        return "the command line"
    keys = [str(key).upper() for key in place if isinstance(key, str)]
    for depth in range(len(keys), 0, -1):
        name = _PREFIX + _DELIMITER.join(keys[:depth])
        if name in {known.upper() for known in os.environ}:
            return name
    whole = _PREFIX + _DELIMITER.join([*keys, ""])  # of what is wrong with a section as a whole
    parts = sorted(known.upper() for known in os.environ if known.upper().startswith(whole))
    if parts:
        return ", ".join(parts)
    return path if _holds(file, place) else "the defaults"


def _holds(values: Mapping[str, Any], place: tuple[Any, ...]) -> bool:
    for key in place:
        if not isinstance(values, Mapping):
            return True
        if key not in values:
            return False
        values = values[key]
    return True
