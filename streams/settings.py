"""Settings of every process: read once from the environment, overridden by flags, passed down.

Reads the environment; writes nothing. Guarantees: a value that cannot be used is named together with the variable
that holds it. Does not belong here: limits and policies that rules depend on (those are records of the logs).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

LOOPBACK = "127.0.0.1"
PARTITIONS_DEFAULT = 4  # one machine; a cluster takes 12 or more
CHECKPOINT_SECONDS = 1.0
CHECKPOINT_RECORDS = 10_000
HOSTS_MAX = 64  # that one setting may name
SASL_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
SESSION_SECONDS_KAFKA = 10.0
SESSION_SECONDS_EMBEDDED = 6.0  # the embedded broker lets a member join only after half of it


class SettingError(ValueError):
    """A setting cannot be used. The message names the variable and what it may hold."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a process needs to know before it opens anything."""

    home: Path
    bootstrap: str
    api: str
    demo: bool
    prefix: str = ""
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = ""
    sasl_username: str = ""
    sasl_password: str = ""  # never printed: __repr__ hides it
    ssl_ca: str = ""
    ssl_certificate: str = ""
    ssl_key: str = ""
    embedded: bool = True
    session_seconds: float = 0.0  # 0: by the kind of broker
    instance_id: str = ""  # static membership: one unique stable name per replica
    worker: str = f"{LOOPBACK}:0"  # where a worker answers questions about itself; port 0: any that is free
    workers: str = ""  # where to ask workers; "": those that left their address in the run folder
    forecast: str = ""  # where a forecaster answers questions about itself; "": nowhere

    def __repr__(self) -> str:
        return f"Settings(home={self.home}, bootstrap={self.bootstrap}, api={self.api}, prefix={self.prefix!r})"

    @property
    def session_ms(self) -> int:
        """Group session timeout in milliseconds."""
        seconds = self.session_seconds or (SESSION_SECONDS_EMBEDDED if self.embedded else SESSION_SECONDS_KAFKA)
        return int(seconds * 1000)

    @property
    def run_dir(self) -> Path:
        """Where running processes leave their address (`worker-PID.json`), so that `status` finds them; those of a
        topic prefix in a folder of their own: they know nothing of the logs of others."""
        return self.home / "run" / self.prefix

    def with_(self, **changes: object) -> Settings:
        return replace(self, **changes)  # type: ignore[arg-type]


def from_environment(env: Mapping[str, str] | None = None) -> Settings:
    """Settings from `SMOKEHOUSE_*` variables; `SettingError` names the one that cannot be used."""
    env = os.environ if env is None else env
    return Settings(
        home=Path(env.get("SMOKEHOUSE_HOME") or ".smokehouse").absolute(),
        bootstrap=_hosts(env, "SMOKEHOUSE_BOOTSTRAP", f"{LOOPBACK}:9092"),
        api=_hosts(env, "SMOKEHOUSE_API", f"{LOOPBACK}:8000", most=1),
        demo=_flag(env, "SMOKEHOUSE_DEMO", default=False),
        prefix=_prefix(env),
        security_protocol=_one_of(
            env, "SMOKEHOUSE_SECURITY_PROTOCOL", ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
        ),
        sasl_mechanism=_one_of(env, "SMOKEHOUSE_SASL_MECHANISM", ("", *SASL_MECHANISMS)),
        sasl_username=env.get("SMOKEHOUSE_SASL_USERNAME", ""),
        sasl_password=_secret(env, "SMOKEHOUSE_SASL_PASSWORD"),
        ssl_ca=_file(env, "SMOKEHOUSE_SSL_CA"),
        ssl_certificate=_file(env, "SMOKEHOUSE_SSL_CERTIFICATE"),
        ssl_key=_file(env, "SMOKEHOUSE_SSL_KEY"),
        embedded=_flag(env, "SMOKEHOUSE_EMBEDDED", default=True),
        session_seconds=_seconds(env, "SMOKEHOUSE_SESSION_SECONDS"),
        instance_id=env.get("SMOKEHOUSE_INSTANCE_ID", ""),
        worker=_hosts(env, "SMOKEHOUSE_WORKER", f"{LOOPBACK}:0", most=1),
        workers=_hosts(env, "SMOKEHOUSE_WORKERS", ""),
        forecast=_hosts(env, "SMOKEHOUSE_FORECAST", "", most=1),
    )


def client_config(settings: Settings) -> dict[str, object]:
    """The librdkafka settings that every client of the broker shares: address and security."""
    config: dict[str, object] = {"bootstrap.servers": settings.bootstrap, "client.id": "smokehouse"}
    if settings.security_protocol != "PLAINTEXT":
        config["security.protocol"] = settings.security_protocol
    for key, value in (
        ("sasl.mechanism", settings.sasl_mechanism),
        ("sasl.username", settings.sasl_username),
        ("sasl.password", settings.sasl_password),
        ("ssl.ca.location", settings.ssl_ca),
        ("ssl.certificate.location", settings.ssl_certificate),
        ("ssl.key.location", settings.ssl_key),
    ):
        if value:
            config[key] = value
    return config


def split_address(address: str) -> tuple[str, int]:
    """`host:port` -> (host, port), an IPv6 address without its brackets."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def joined(host: str, port: int) -> str:
    """(host, port) -> `host:port`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def asked_at(address: str) -> str:
    """`host:port` to ask a process of this machine that listens on `address`: on all addresses is on loopback, too."""
    host, port = split_address(address)
    return joined({"": LOOPBACK, "0.0.0.0": LOOPBACK, "::": "::1"}.get(host, host), port)


def _hosts(env: Mapping[str, str], name: str, default: str, *, most: int = HOSTS_MAX) -> str:
    value = env.get(name, "")
    if not value:
        return default
    parts = value.split(",")
    for part in parts:
        host, _, port = part.rpartition(":")
        bare = ":" in host and not (host.startswith("[") and host.endswith("]"))  # which colon is the port's?
        if len(parts) > most or not host or bare or not port.isdigit() or not 0 < int(port) < 65536:
            several = ", several with commas" if most > 1 else ""
            raise SettingError(f"{name}={value!r}: give host:port{several}, for example {LOOPBACK}:9092 or [::1]:9092")
    return value


def _flag(env: Mapping[str, str], name: str, *, default: bool) -> bool:
    value = env.get(name, "").strip().lower()
    if not value:
        return default
    if value in ("1", "true", "yes", "on"):
        return True
    if value in ("0", "false", "no", "off"):
        return False
    raise SettingError(f"{name}={value!r}: give 1 or 0")


def _one_of(env: Mapping[str, str], name: str, allowed: tuple[str, ...]) -> str:
    value = (env.get(name) or allowed[0]).upper()
    if value not in allowed:
        raise SettingError(f"{name}={value!r}: give one of {', '.join(x for x in allowed if x)}")
    return value


def _prefix(env: Mapping[str, str]) -> str:
    value = env.get("SMOKEHOUSE_PREFIX", "")
    if not re.fullmatch(r"[A-Za-z0-9._-]{0,100}", value):
        raise SettingError(f"SMOKEHOUSE_PREFIX={value!r}: give up to 100 letters, digits, dots, dashes or underscores")
    return value


def _file(env: Mapping[str, str], name: str) -> str:
    """The path of a file that can be read; "" if none is named."""
    value = env.get(name, "")
    if value and not os.access(value, os.R_OK):
        raise SettingError(f"{name}={value!r}: there is no such file, or it may not be read")
    return value


def _seconds(env: Mapping[str, str], name: str) -> float:
    value = env.get(name) or "0"
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 1800:
        raise SettingError(f"{name}={value!r}: give seconds between 0 and 1800")
    return seconds


def _secret(env: Mapping[str, str], name: str) -> str:
    """A secret from `NAME`, or from the file that `NAME_FILE` names (so that it need not stand in the environment)."""
    file = env.get(f"{name}_FILE")
    if not file:
        return env.get(name, "")
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SettingError(f"{name}_FILE={file!r}: {why}") from error


def producer_config(settings: Settings) -> dict[str, object]:
    """Every producer of ours: idempotent, all replicas, Kafka's own partitioner (librdkafka's default is another)."""
    return client_config(settings) | {
        "enable.idempotence": True,
        "acks": "all",
        "partitioner": "murmur2_random",
        "delivery.timeout.ms": 20_000,
        "compression.type": "none",
    }
