"""What is committed for other machines: compose file, image, locks, packages, launcher. Read as text: no Docker."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text()
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def service(name: str) -> str:
    """The lines of one service of the compose file."""
    found = re.search(rf"^  {name}:\n((?:    .*\n|\n)+)", COMPOSE, re.MULTILINE)
    assert found, f"no service {name}"
    return found[1]


def test_compose_runs_kafka_topics_two_workers_the_api_and_the_forecaster() -> None:
    assert re.findall(r"^  ([a-z]+):$", COMPOSE.partition("services:")[2].partition("\nvolumes:")[0], re.MULTILINE) == [
        "kafka",
        "topics",
        "worker",
        "api",
        "forecast",
    ]
    assert "image: apache/kafka:4." in service("kafka")
    assert "replicas: 2" in service("worker")
    for name, command in [("topics", "topics, apply"), ("worker", "worker"), ("api", "api"), ("forecast", "forecast")]:
        assert f"command: [{command}]" in service(name)


def test_compose_asks_its_workers_where_they_listen() -> None:
    assert "SMOKEHOUSE_WORKER: 0.0.0.0:8001 " in service("worker")
    assert "SMOKEHOUSE_WORKERS: worker:8001 " in COMPOSE.partition("services:")[0]


def test_compose_publishes_ports_on_this_machine_only() -> None:
    ports = re.findall(r'^      - "(\S+:\d+)"', COMPOSE, re.MULTILINE)
    assert sorted(ports) == ["127.0.0.1:8000:8000", "127.0.0.1:9092:9092"]


def test_compose_sets_only_settings_that_exist() -> None:
    known = set(re.findall(r'"(SMOKEHOUSE_[A-Z_]+)"', (ROOT / "streams" / "settings.py").read_text()))
    assert set(re.findall(r"^ +(SMOKEHOUSE_[A-Z_]+):", COMPOSE, re.MULTILINE)) <= known


def test_the_image_runs_without_root_from_the_lock_with_hashes() -> None:
    assert DOCKERFILE.index("useradd") < DOCKERFILE.index("USER smokehouse") < DOCKERFILE.index("ENTRYPOINT")
    installs = [line for line in DOCKERFILE.splitlines() if "pip install" in line]
    assert all("--require-hashes" in line or "--no-deps" in line for line in installs)


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-test.lock", "deploy/bootstrap.lock"])
def test_a_lock_has_a_hash_for_every_package_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    requirements = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE | re.IGNORECASE)
    assert [r.split()[0] for r in requirements if r.strip() and "--hash=sha256:" not in r] == []


def test_the_test_lock_is_a_superset_of_the_runtime_lock() -> None:
    def pins(name: str) -> set[str]:
        return set(re.findall(r"^([a-z0-9][^\s;]+==[^\s;]+)", (ROOT / name).read_text(), re.MULTILINE | re.IGNORECASE))

    assert pins("requirements.lock") - pins("requirements-test.lock") == set()


def test_every_direct_dependency_is_pinned_in_the_lock() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    for dependency in PROJECT["project"]["dependencies"]:
        pin = dependency.partition(";")[0]  # the lock writes markers in its own way
        assert f"\n{pin} " in f"\n{lock}", dependency


def test_every_folder_of_code_is_a_listed_package() -> None:
    listed = set(PROJECT["tool"]["setuptools"]["packages"])
    tops = {name.partition(".")[0] for name in listed}
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for top in tops
        for path in (ROOT / top).rglob("*.py")
        if "__pycache__" not in path.parts
    }
    assert found - listed == set()


def test_the_launcher_starts_with_a_python_that_is_too_old_and_says_so() -> None:
    source = (ROOT / "smokehouse").read_text()
    compile(source, "smokehouse", "exec", dont_inherit=True)
    old = f"import sys\nsys.version_info = (3, 8, 0)\nimport shutil\nshutil.which = lambda name: None\n{source}"
    run = subprocess.run(
        [sys.executable, "-c", old.replace("__file__", repr(str(ROOT / "smokehouse")))],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert run.returncode == 1
    assert "needs Python 3.11 or newer; this is 3.8" in run.stderr


def test_the_launcher_and_the_ci_entry_are_executable() -> None:
    for name in ("smokehouse", ".ci/run", "deploy/lock.sh"):
        assert (ROOT / name).stat().st_mode & 0o111, name
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith("exec ./smokehouse test")
