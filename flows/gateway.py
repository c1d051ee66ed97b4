"""The gateway: calls to providers, each answer judged while it streams, and what may leave sent on.

::

    clients ── requests ──> gateway ── what may leave ──> providers
    clients <─ what may leave ── gateway <── answers ── providers
                          │  ▲
            deltas of one │  │ what was decided
             poll: packet ▼  │
         directory gate features ... policy release     (the stages of flows.inflight)
                          ├────── records, a live view   (if somebody wants them)
                        audit                            (if it is wanted)

Run it with ``midstream run gateway`` or ``python -m bytewax.run flows.gateway``.
"""

from __future__ import annotations

import sys

from bytewax.dataflow import Dataflow

from connectors._exchange import Bounds
from connectors._hub import Hub
from connectors._realtime_exchange import RealtimeBounds
from connectors._tally import Tally
from connectors.gateway import Gateway, GatewayConfig, GatewaySink, GatewaySource
from flows import ends, policies, signals
from flows.access import access, connection_limits, tls
from flows.endpoints import upstream
from flows.inflight import inflight
from flows.recovery import under_bytewax
from flows.settings import Settings, load, secret
from flows.start import compiling, patience, warm
from operators.slots import slot_key, slot_of

__all__ = ["flow"]

_NATIVE = "openai", "anthropic", "gemini"
"""Providers whose paths need no name before them."""


def flow(settings: Settings | None = None, tally: Tally | None = None) -> Dataflow:
    """The job as it is set: what Bytewax runs."""
    settings = settings or under_bytewax(load(), "gateway")
    tally = tally or Tally()
    if not ends.to_kafka(settings, "gateway"):  # whose topics have as many partitions as there are slots
        settings = settings.model_copy(update={"slots": settings.gateway.slots})
    signals.starting()
    with patience(), compiling() as compiler:
        judgement = policies.read(settings.policy, secret(settings.mask_key), fail_open=settings.fail_open)
        warm(judgement, compiler)
        policies.check(judgement, settings.policy)
    signals.handle()
    slots, names, reasons = settings.slots, judgement.names, judgement.reasons
    sys.setswitchinterval(0.0005)  # the loop and the worker take turns, and 5 ms is a long turn
    hub = Hub(names, reasons, lambda name: slot_of(name, slots), slots)
    gateway = Gateway(_config(settings), hub)
    print(f"listening on http://{settings.gateway.host}:{gateway.port}", file=sys.stderr)
    source = GatewaySource(gateway, hub, [slot_key(slot) for slot in range(slots)], batch=settings.batch)
    return inflight(
        source, GatewaySink(hub), judgement, settings.limits.of_a_stream(),
        ends.record(settings, "gateway"), secret(settings.audit.key), "gateway",
        ends.beside(settings, "gateway", names, reasons, tally),
    )  # fmt: skip


def _config(settings: Settings) -> GatewayConfig:
    said = settings.gateway
    upstreams = {name: upstream(name, settings) for name in dict.fromkeys([*_NATIVE, *settings.upstreams])}
    return GatewayConfig(
        upstreams, said.host, said.port,
        Bounds(said.body_bytes, settings.limits.event_bytes, said.body_seconds, said.judging_seconds),
        RealtimeBounds(said.sessions, said.session_idle, said.session_seconds),
        access=access(said, upstreams), connections=connection_limits(said), tls=tls(said),
    )  # fmt: skip
