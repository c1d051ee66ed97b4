"""A real Apache Kafka for tests and benches: one process, broker and controller, on loopback.

Only a real broker filters aborted records, fences zombies, refuses a wrong password and must recover when it
is killed, and the exact lane is made of that. It is started from Kafka's jars (`tests.kafka_runtime`), so no
container engine is needed, and it is ours alone, so that a test may kill or freeze it. Of its three listeners
one is for clients, with the security asked for; one for itself (transaction markers go through it) and one
for its controller, both plain and on loopback only.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

from tests import kafka_runtime
from tests.clusters import PATIENCE_S, KafkaCluster, Options
from tests.kafka_runtime import Runtime
from tests.kafka_security import Access, Security, access

_STARTED = "Kafka Server started"  # unfenced, and its listeners open

# One node, so one replica of everything; a group's first member does not wait for others. A killed broker is
# let in again only when its session has ended, by default 9 s after it came up.
_ALONE = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "INTERNAL",
    "auto.create.topics.enable": "false",
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "200",
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.num.partitions": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
}


class Broker(KafkaCluster):
    """A running broker with its data, log and keys in one folder. `start` makes one."""

    def __init__(self, folder: Path, runtime: Runtime, heap: str, entry: Access, port: int) -> None:
        self._folder = folder
        self._runtime = runtime
        self._heap = heap
        self._access = entry
        self._bootstrap = f"127.0.0.1:{port}"
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(
        cls,
        folder: Path,
        *,
        security: Security = "plaintext",
        heap: str = "512m",
        properties: Mapping[str, str] | None = None,
    ) -> Broker:
        """Make a broker in `folder` and wait until it serves clients: two JVMs, 3 s on two idle cores.

        `properties` are server properties over ours. Raises `tests.kafka_runtime.NoRuntimeError` without
        jars or JVM, and RuntimeError with the end of its log when it does not come up.
        """
        folder.mkdir(parents=True, exist_ok=True)
        entry = access(security, folder)
        port, internal, controller = _free_ports(3)
        broker = cls(folder, kafka_runtime.runtime(), heap, entry, port)
        said = _ALONE | {
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": f"CLIENT://127.0.0.1:{port},INTERNAL://127.0.0.1:{internal},"
            f"CONTROLLER://127.0.0.1:{controller}",
            "listener.security.protocol.map": f"CLIENT:{entry.protocol},INTERNAL:PLAINTEXT,"
            "CONTROLLER:PLAINTEXT",
            "log.dirs": str(folder / "data"),
        }
        said |= {f"listener.name.client.{name}": value for name, value in entry.server.items()}
        lines = [f"{name}={value}\n" for name, value in (said | dict(properties or {})).items()]
        broker._properties.write_text("".join(lines))
        broker._format()
        broker.restart()
        return broker

    @property
    def bootstrap(self) -> str:
        return self._bootstrap

    @property
    def client(self) -> Options:
        """Options of a client that is let in: servers, and what its security asks for."""
        return super().client | self._access.client

    @property
    def pid(self) -> int:
        assert self._process is not None, "the broker is not running"
        return self._process.pid

    @property
    def log(self) -> Path:
        """Warnings and errors of all its lives."""
        return self._folder / "broker.log"

    def stop(self) -> None:
        """Let it end in order; its data stay."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, as a crash does; its data stay as they are."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Start it on its data and port, after stopping it if it runs. Clients find it by themselves."""
        self.stop()
        written = self.log.stat().st_size if self.log.exists() else 0
        logging = "-Dorg.slf4j.simpleLogger."
        options = [
            f"-Xmx{self._heap}",
            f"{logging}defaultLogLevel=warn",
            f"{logging}log.kafka.server.KafkaRaftServer=info",
            f"{logging}showDateTime=true",
        ]
        command = self._runtime.command("kafka.Kafka", str(self._properties), options=options)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self._wait(self._process, written)
        except BaseException:
            self.kill()
            raise

    def freeze(self) -> None:
        """Stop it from running, connections open: what a pause of the network looks like to clients."""
        os.kill(self.pid, signal.SIGSTOP)
        _, status = os.waitpid(self.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), f"the broker has ended; see {self.log}"

    def thaw(self) -> None:
        """Let it run on after `freeze`."""
        os.kill(self.pid, signal.SIGCONT)

    def revive(self) -> None:
        """Make it serve again, whatever a test did to it."""
        if self._process is None or self._process.poll() is not None:
            self.restart()
        else:
            self.thaw()

    @property
    def _properties(self) -> Path:
        return self._folder / "server.properties"

    def _wait(self, process: subprocess.Popen[bytes], since: int) -> None:
        """Return when it serves clients. `since`: where in the log this life of it begins."""
        before = time.monotonic() + 2 * PATIENCE_S
        while _STARTED not in self._said(since):
            if process.poll() is not None or time.monotonic() > before:
                end = "\n".join(self._said(since).splitlines()[-20:])
                problem = f"Kafka did not come up; the end of {self.log}:\n{end}"
                raise RuntimeError(problem)
            time.sleep(0.02)

    def _said(self, since: int) -> str:
        return self.log.read_bytes()[since:].decode(errors="replace")

    def _format(self) -> None:
        name = uuid.uuid4().hex[:22]
        arguments = ("format", "-t", name, "-c", str(self._properties), *self._access.format)
        quick = ("-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
        command = self._runtime.command("kafka.tools.StorageTool", *arguments, options=quick)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            end = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
            problem = f"Kafka could not format {self._folder / 'data'}:\n{end}"
            raise RuntimeError(problem)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        process.send_signal(signal.SIGCONT)  # a frozen process would never see the other
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, below those that the system gives to outgoing connections: one of these
    could take the port of a broker that is down for a moment.
    """
    free: list[int] = []
    for port in random.SystemRandom().sample(range(20_000, 32_000), 200):
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
            free.append(port)
        if len(free) == count:
            return free
    problem = f"no {count} free ports between 20000 and 32000 on 127.0.0.1"
    raise RuntimeError(problem)
