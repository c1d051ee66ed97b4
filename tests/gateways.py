"""A gateway that runs: its flow on one thread, its server on another, at a free port of this machine."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from bytewax.testing import run_main

from connectors._exchange import Bounds
from connectors._hub import Hub
from connectors._upstream import Upstream
from connectors.gateway import Gateway, GatewayConfig, GatewaySink, GatewaySource
from flows.inflight import inflight
from flows.judgement import Judgement
from operators.directory import Limits
from operators.slots import slot_key, slot_of

__all__ = ["Running", "running"]


@dataclass(frozen=True)
class Running:
    """A gateway that runs."""

    url: str
    """``http://127.0.0.1:PORT``, without a path."""
    port: int
    hub: Hub
    gateway: Gateway


@contextmanager
def running(
    upstream: str, judgement: Judgement, *, key: str = "upstream-key", slots: int = 1,
    bounds: Bounds | None = None, limits: Limits | None = None,
    upstreams: Mapping[str, dict[str, Any]] | None = None, **config: Any,
) -> Iterator[Running]:  # fmt: skip
    """A gateway before the provider at `upstream`, until the end of the block.

    `upstreams`: by name, what differs from what all have.
    """
    hub = Hub(judgement.names, judgement.reasons, lambda name: slot_of(name, slots), slots)
    native = {
        "openai": Upstream("openai", "openai-chat", f"{upstream}/v1", key),
        "anthropic": Upstream("anthropic", "anthropic-messages", upstream, key, auth="x-api-key"),
        "gemini": Upstream("gemini", "gemini-generate", upstream, key, auth="x-goog-api-key"),
    }
    for name, changed in (upstreams or {}).items():
        native[name] = replace(native.get(name, native["openai"]), name=name, **changed)
    gateway = Gateway(GatewayConfig(native, port=0, bounds=bounds or Bounds(), **config), hub)
    source = GatewaySource(gateway, hub, [slot_key(slot) for slot in range(slots)])
    flow = inflight(source, GatewaySink(hub), judgement, limits or Limits(), name="gateway")
    failed: list[BaseException] = []

    def run() -> None:
        try:
            run_main(flow)
        except BaseException as error:  # told to who waits for the end
            failed.append(error)

    thread = threading.Thread(target=run, name="gateway-flow")
    thread.start()
    try:
        yield Running(f"http://127.0.0.1:{gateway.port}", gateway.port, hub, gateway)
    finally:
        gateway.close()
        thread.join(timeout=20)
        assert not thread.is_alive(), "the gateway did not end"
    if failed:
        raise failed[0]
