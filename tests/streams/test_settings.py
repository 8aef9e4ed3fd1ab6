"""Settings: each variable reaches its field, a wrong value names its variable, a secret is never shown."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from streams import settings as module
from streams.settings import (
    SettingError,
    Settings,
    asked_at,
    client_config,
    from_environment,
    joined,
    producer_config,
    split_address,
)

HERE = str(Path(__file__))  # a file that can be read

# variable -> (a value, the field, what the field then holds)
HOLDS = {
    "SMOKEHOUSE_HOME": ("/srv/jerky", "home", Path("/srv/jerky")),
    "SMOKEHOUSE_BOOTSTRAP": ("a:9092,b:9093", "bootstrap", "a:9092,b:9093"),
    "SMOKEHOUSE_API": ("127.0.0.1:8080", "api", "127.0.0.1:8080"),
    "SMOKEHOUSE_DEMO": ("1", "demo", True),
    "SMOKEHOUSE_PREFIX": ("blue-", "prefix", "blue-"),
    "SMOKEHOUSE_SECURITY_PROTOCOL": ("sasl_ssl", "security_protocol", "SASL_SSL"),
    "SMOKEHOUSE_SASL_MECHANISM": ("SCRAM-SHA-512", "sasl_mechanism", "SCRAM-SHA-512"),
    "SMOKEHOUSE_SASL_USERNAME": ("smoker", "sasl_username", "smoker"),
    "SMOKEHOUSE_SASL_PASSWORD": ("hickory", "sasl_password", "hickory"),
    "SMOKEHOUSE_SSL_CA": (HERE, "ssl_ca", HERE),
    "SMOKEHOUSE_SSL_CERTIFICATE": (HERE, "ssl_certificate", HERE),
    "SMOKEHOUSE_SSL_KEY": (HERE, "ssl_key", HERE),
    "SMOKEHOUSE_EMBEDDED": ("0", "embedded", False),
    "SMOKEHOUSE_SESSION_SECONDS": ("12.5", "session_seconds", 12.5),
    "SMOKEHOUSE_INSTANCE_ID": ("worker-0", "instance_id", "worker-0"),
    "SMOKEHOUSE_WORKER": ("0.0.0.0:8001", "worker", "0.0.0.0:8001"),
    "SMOKEHOUSE_WORKERS": ("a:8001,b:8001", "workers", "a:8001,b:8001"),
    "SMOKEHOUSE_FORECAST": ("0.0.0.0:8002", "forecast", "0.0.0.0:8002"),
}

WRONG = [
    ("SMOKEHOUSE_PREFIX", "no good "),
    ("SMOKEHOUSE_BOOTSTRAP", "nowhere"),
    ("SMOKEHOUSE_BOOTSTRAP", "a:9092,b"),
    ("SMOKEHOUSE_BOOTSTRAP", "a:0"),
    ("SMOKEHOUSE_BOOTSTRAP", "a:65536"),
    ("SMOKEHOUSE_API", ":8000"),
    ("SMOKEHOUSE_API", "::1:8000"),
    ("SMOKEHOUSE_API", "127.0.0.1:http"),
    ("SMOKEHOUSE_API", "127.0.0.1:8000,127.0.0.1:8001"),
    ("SMOKEHOUSE_WORKER", "127.0.0.1:0"),
    ("SMOKEHOUSE_WORKER", "a:8001,b:8001"),
    ("SMOKEHOUSE_WORKERS", "worker"),
    ("SMOKEHOUSE_WORKERS", ",".join(["worker:8001"] * 65)),
    ("SMOKEHOUSE_DEMO", "perhaps"),
    ("SMOKEHOUSE_EMBEDDED", "2"),
    ("SMOKEHOUSE_SECURITY_PROTOCOL", "TLS"),
    ("SMOKEHOUSE_SESSION_SECONDS", "soon"),
    ("SMOKEHOUSE_SESSION_SECONDS", "-1"),
    ("SMOKEHOUSE_SESSION_SECONDS", "nan"),
    ("SMOKEHOUSE_SESSION_SECONDS", "1801"),
]


@pytest.mark.parametrize("variable", HOLDS)
def test_a_variable_reaches_its_field_and_no_other(variable: str) -> None:
    value, field, expected = HOLDS[variable]
    given, default = from_environment({variable: value}), from_environment({})
    assert getattr(given, field) == expected
    assert given.with_(**{field: getattr(default, field)}) == default


def test_every_variable_that_is_read_is_in_the_table_above() -> None:
    read = set(re.findall(r'"(SMOKEHOUSE_\w+)"', Path(module.__file__).read_text(encoding="utf-8")))
    assert read == set(HOLDS)


@pytest.mark.parametrize(("variable", "value"), WRONG, ids="=".join)
def test_a_wrong_value_is_refused_with_the_name_of_its_variable(variable: str, value: str) -> None:
    with pytest.raises(SettingError, match=f"^{variable}={value!r}: give "):
        from_environment({variable: value})


def test_without_any_variable_everything_is_on_loopback() -> None:
    default = from_environment({})
    assert (default.bootstrap, default.api) == ("127.0.0.1:9092", "127.0.0.1:8000")
    assert default.home.is_absolute()
    assert not default.demo


@pytest.mark.parametrize("text", ["1", "true", "YES", " on "])
def test_a_flag_is_on_by_any_of_its_words(text: str) -> None:
    assert from_environment({"SMOKEHOUSE_DEMO": text}).demo


def test_a_password_is_never_shown() -> None:
    settings = from_environment({"SMOKEHOUSE_SASL_PASSWORD": "hickory"})
    assert "hickory" not in f"{settings!r} {settings} {settings.with_(demo=True)!r}"


def test_a_password_is_read_from_the_file_that_is_named(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("hickory\n", encoding="utf-8")
    env = {"SMOKEHOUSE_SASL_PASSWORD_FILE": str(file), "SMOKEHOUSE_SASL_PASSWORD": "the file wins"}
    assert from_environment(env).sasl_password == "hickory"


def test_a_secret_file_that_is_not_there_is_named_with_its_variable(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"^SMOKEHOUSE_SASL_PASSWORD_FILE=.*No such file"):
        from_environment({"SMOKEHOUSE_SASL_PASSWORD_FILE": str(tmp_path / "none")})


def test_a_secret_file_that_is_no_text_is_named_with_its_variable(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingError, match=r"^SMOKEHOUSE_SASL_PASSWORD_FILE="):
        from_environment({"SMOKEHOUSE_SASL_PASSWORD_FILE": str(tmp_path / "secret")})


@pytest.mark.parametrize(
    "env",
    [
        {"SMOKEHOUSE_SECURITY_PROTOCOL": "SSL", "SMOKEHOUSE_SSL_CA": "/nowhere/ca.pem"},
        {"SMOKEHOUSE_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "SMOKEHOUSE_SASL_MECHANISM": "FOO"},
    ],
    ids=["SMOKEHOUSE_SSL_CA", "SMOKEHOUSE_SASL_MECHANISM"],
)
def test_a_security_setting_that_no_client_takes_is_named_by_the_command(env: dict[str, str], tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "streams.cli", "status"], env=os.environ | env | {"SMOKEHOUSE_HOME": str(tmp_path)},
        cwd=Path(module.__file__).parents[1], text=True, capture_output=True, timeout=30, check=False,
    )  # fmt: skip
    assert "Traceback" not in told.stderr
    assert next(reversed(env)) in told.stderr


@pytest.mark.parametrize(("embedded", "seconds", "ms"), [(True, 0, 6_000), (False, 0, 10_000), (False, 30, 30_000)])
def test_the_session_follows_the_kind_of_broker_unless_it_is_set(embedded: bool, seconds: float, ms: int) -> None:
    assert from_environment({}).with_(embedded=embedded, session_seconds=seconds).session_ms == ms


def test_security_reaches_every_client() -> None:
    env = {name: value for name, (value, _, _) in HOLDS.items() if "SASL" in name or "SSL" in name or "SECUR" in name}
    config = client_config(from_environment(env))
    assert config["security.protocol"] == "SASL_SSL"
    assert (config["sasl.mechanism"], config["sasl.username"], config["sasl.password"]) == (
        "SCRAM-SHA-512", "smoker", "hickory",
    )  # fmt: skip
    assert (config["ssl.ca.location"], config["ssl.key.location"]) == (HERE, HERE)
    assert config.items() <= producer_config(from_environment(env)).items()


def test_without_security_no_client_is_told_of_any() -> None:
    assert set(client_config(from_environment({}))) == {"bootstrap.servers", "client.id"}


def test_a_producer_loses_and_doubles_nothing_and_routes_as_java_does() -> None:
    config = producer_config(Settings(home=Path("/"), bootstrap="a:1", api="a:2", demo=False))
    assert (config["acks"], config["enable.idempotence"], config["partitioner"]) == ("all", True, "murmur2_random")


def test_an_address_is_split_at_its_last_colon() -> None:
    assert split_address("::1:9092") == ("::1", 9092)


def test_an_ipv6_address_stands_in_brackets_before_its_port_and_nowhere_else() -> None:
    settings = from_environment({"SMOKEHOUSE_API": "[::1]:8000"})
    assert split_address(settings.api) == ("::1", 8000)
    assert joined("::1", 8000) == settings.api
    assert joined("localhost", 8000) == "localhost:8000"


@pytest.mark.parametrize(("listening", "asked"), [
    ("0.0.0.0:8000", "127.0.0.1:8000"), ("[::]:8000", "[::1]:8000"), (":8000", "127.0.0.1:8000"),
    ("127.0.0.2:8000", "127.0.0.2:8000"), ("board.example:80", "board.example:80"),
])  # fmt: skip
def test_who_listens_on_all_addresses_is_asked_on_loopback(listening: str, asked: str) -> None:
    assert asked_at(listening) == asked
