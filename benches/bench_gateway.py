"""What the gateway costs: the wait of a delta and of a first one, deltas a second, many streams, many gone.

``python -m benches.bench_gateway [wait] [most] [many] [aborts] [--seconds 10]``

A provider and clients (``benches.gateway_ends``) share one core, what stands between them has the other:
nothing (*direct*), the gateway with the shipped policy and everything on, nginx and LiteLLM's proxy where
they are installed; for the wait also the gateway with no rules, which holds nothing back: with rules a word
waits for the next one, here 20 ms later, because it could still become a match. Stamps are of one clock, so
a wait is from the provider's write to the client's read, in one run with the peers. *wait*: 100 streams of 50
deltas a second. *most*: 100 streams as fast as they go. *many*: 2,000 streams of a delta a second. *aborts*:
calls that are left after their first delta, with the gateway's memory and sockets before and after, and how
long the provider went on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import urlopen

from benches.gateway_ends import leave

_TICKS = os.sysconf("SC_CLK_TCK")
_MIDDLE, _ENDS = "0", "1"  # cores
_NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error;
events {{ worker_connections 8192; }}
http {{ access_log off; upstream p {{ server 127.0.0.1:{provider}; keepalive 256; }}
server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ proxy_pass http://p; proxy_http_version 1.1;
proxy_set_header Connection ""; proxy_buffering off; }} }} }}
"""
_LITELLM = """
model_list:
  - model_name: m
    litellm_params: {{model: openai/m, api_base: "http://127.0.0.1:{provider}/v1", api_key: k}}
"""


def free() -> int:
    """A port that nobody has."""
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        port: int = tried.getsockname()[1]
        return port


def on_core(core: str, *command: str, **variables: str) -> subprocess.Popen[str]:
    """A process that has one core."""
    return subprocess.Popen(
        ["taskset", "-c", core, *command], env=os.environ | variables, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip


def end(*arguments: str) -> list[str]:
    """The command of one end."""
    return [sys.executable, "-m", "benches.gateway_ends", *arguments]


def ready(port: int, path: str, seconds: float = 180.0) -> None:
    """Wait until somebody answers."""
    until = time.monotonic() + seconds
    while True:
        try:
            with urlopen(f"http://127.0.0.1:{port}{path}", timeout=2):
                return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


def cpu(pid: int) -> float:
    """Seconds of CPU that a process and those it has waited for took."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def held(pid: int) -> tuple[float, int]:
    """MiB of memory, and open files of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    mib = int(status.partition("VmRSS:")[2].split()[0]) / 1024
    return mib, len(os.listdir(f"/proc/{pid}/fd"))


@contextmanager
def provider() -> Iterator[int]:
    """The port of a provider that runs."""
    process = on_core(_ENDS, *end("provider"))
    assert process.stdout
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


@contextmanager
def between(name: str, upstream: int, folder: Path) -> Iterator[tuple[int, int]]:
    """The port that clients call, and the process behind it (0: none)."""
    if name == "direct":
        yield upstream, 0
        return
    port = free()
    path = "/healthz"
    if name in ("gateway", "no rules"):
        folder.joinpath("empty.toml").touch()
        policy = "default" if name == "gateway" else str(folder / "empty.toml")
        process = on_core(
            _MIDDLE, sys.executable, "-m", "flows", "run", "gateway",
            MIDSTREAM_POLICY=policy, MIDSTREAM_GATEWAY__PORT=str(port),
            MIDSTREAM_UPSTREAMS__OPENAI__API_KEY="k",
            MIDSTREAM_UPSTREAMS__OPENAI__BASE_URL=f"http://127.0.0.1:{upstream}/v1",
            MIDSTREAM_UPSTREAMS__OPENAI__MAX_CONNECTIONS="10000",
        )  # fmt: skip
    elif name == "nginx":
        folder.joinpath("nginx.conf").write_text(_NGINX.format(folder=folder, provider=upstream, port=port))
        process = on_core(_MIDDLE, "nginx", "-c", str(folder / "nginx.conf"))
        path = ""
    else:
        folder.joinpath("litellm.yaml").write_text(_LITELLM.format(provider=upstream))
        process = on_core(
            _MIDDLE, name, "--config", str(folder / "litellm.yaml"), "--port", str(port), "--num_workers", "1"
        )
        path = "/health/liveliness"
    try:
        if path:
            ready(port, path)
        else:
            time.sleep(1.0)
        yield port, process.pid
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def load(port: int, streams: int, deltas: int, gap: float, ramp: float) -> dict[str, float]:
    """What clients saw."""
    asked = end(
        "clients", "--port", str(port), "--streams", str(streams), "--deltas", str(deltas),
        "--gap", str(gap), "--ramp", str(ramp),
    )  # fmt: skip
    done = subprocess.run(["taskset", "-c", _ENDS, *asked], capture_output=True, text=True, check=True)
    said: dict[str, float] = json.loads(done.stdout)
    return said


def table(what: str, names: list[str], streams: int, deltas: int, gap: float, ramp: float) -> None:
    """One load through all that stand between."""
    print(f"\n{what}: {streams} streams of {deltas} deltas, one every {gap * 1000:g} ms")
    print(f"{'':10} {'deltas/s':>9} {'p50 ms':>8} {'p99 ms':>8} {'first p50':>9} {'first p99':>9}"
          f" {'us CPU':>7} {'failed':>6}")  # fmt: skip
    with provider() as upstream, TemporaryDirectory() as folder:
        load(upstream, 1, deltas, 0.0, 0.0)  # it makes its scripts
        for name in names:
            with between(name, upstream, Path(folder)) as (port, pid):
                load(port, 20, 50, 0.0, 0.0)
                before = cpu(pid) if pid else 0.0
                seen = load(port, streams, deltas, gap, ramp)
                spent = (cpu(pid) - before if pid else 0.0) / max(seen["deltas"], 1) * 1e6
                print(f"{Path(name).name:10} {seen['deltas'] / seen['seconds']:9,.0f} {seen['p50']:8.2f}"
                      f" {seen['p99']:8.2f} {seen['first_p50']:9.2f} {seen['first_p99']:9.2f}"
                      f" {spent:7.1f} {seen['failed']:6.0f}")  # fmt: skip


def aborts(count: int) -> None:
    """Calls that are left after their first delta."""
    print(f"\naborts: {count:,} calls, left after their first delta")
    with (
        provider() as upstream,
        TemporaryDirectory() as folder,
        between("gateway", upstream, Path(folder)) as (port, pid),
    ):
        asyncio.run(leave(port, upstream, 500))
        first = held(pid)
        waits = asyncio.run(leave(port, upstream, count))
        time.sleep(2)
        last = held(pid)
    p50, p99 = waits[len(waits) // 2], waits[int(len(waits) * 0.99)]
    print(f"the provider went on for p50 {p50:.1f}, p99 {p99:.1f} ms, at most {waits[-1]:.1f}")
    print(f"memory {first[0]:.1f} -> {last[0]:.1f} MiB, open files {first[1]} -> {last[1]}")


def main() -> None:
    """The tables that the command line names, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", choices=["wait", "most", "many", "aborts", []])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--litellm", default=shutil.which("litellm") or "")
    said = parser.parse_args()
    wanted = said.tables or ["wait", "most", "many", "aborts"]
    names = ["direct", "gateway", *(["nginx"] if shutil.which("nginx") else [])]
    if "wait" in wanted:
        all_of = [*names, "no rules", *([said.litellm] if said.litellm else [])]
        table("wait", all_of, 100, int(50 * said.seconds), 0.02, 1.0)
    if "most" in wanted:
        table("most", names, 100, int(200 * said.seconds), 0.0, 0.0)
    if "many" in wanted:
        table("many", names, 2000, int(2 * max(said.seconds, 5)), 1.0, 10.0)
    if "aborts" in wanted:
        aborts(10_000)


if __name__ == "__main__":
    main()
