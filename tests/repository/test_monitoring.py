"""The alerts that are committed for Prometheus: it reads them, and each fires when it should and only then."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)"
)


def promtool(*arguments: object) -> str:
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_promtool
def test_prometheus_reads_the_configuration_and_its_alerts() -> None:
    assert "1 rule files found" in promtool("check", "config", PROMETHEUS / "prometheus.yml")


@needs_promtool
def test_each_alert_fires_when_it_should_and_is_silent_otherwise() -> None:
    assert "SUCCESS" in promtool("test", "rules", Path(__file__).with_name("alerts_test.yml"))


def test_each_alert_is_tested_and_says_what_to_do() -> None:
    alerts = re.findall(r"- alert: (\w+)", text := (PROMETHEUS / "alerts.yml").read_text())
    tests = Path(__file__).with_name("alerts_test.yml").read_text()
    assert len(alerts) >= 10
    for alert in alerts:
        assert f"alertname: {alert}, exp_alerts: []" in tests
        assert f'alertname="{alert}"' in tests
    assert text.count("action:") == text.count("summary:") == len(alerts)
