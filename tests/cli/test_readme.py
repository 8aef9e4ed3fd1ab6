"""What the README says is what the commands do: its code runs, its settings exist, its commands and links are there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from connectors.demo.channels import RULES
from streams import cli

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
COMMANDS = sorted({
    line.split("#")[0].strip().removeprefix("./smokehouse ")
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("./smokehouse ")
})  # fmt: skip


def test_the_two_commands_come_first():
    first = README.split("```sh\n")[1].split("```")[0].splitlines()
    assert [line.split("#")[0].strip() for line in first] == ["./smokehouse up --demo", "./smokehouse test"]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_readme_is_understood(command):
    if command.startswith("test"):
        return  # the launcher's own
    words = command.split()
    _, bound, _ = cli.app.parse_args(words, print_error=False, exit_on_error=False)
    assert bound is not None


def test_every_setting_is_in_its_table():
    code = "\n".join((ROOT / "streams" / name).read_text() for name in ("settings.py", "brokers/kafka.py"))
    known = set(re.findall(r'"(SMOKEHOUSE_[A-Z_]+)"', code))
    said = set(re.findall(r"`(SMOKEHOUSE_[A-Z_]+)`", README))
    assert known - {"SMOKEHOUSE_BOOTSTRAP"} <= said
    assert said - known <= {"SMOKEHOUSE_SASL_PASSWORD_FILE", "SMOKEHOUSE_TEST_DATA"}


def test_every_link_leads_somewhere():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_connector_of_the_readme_sells_two_of_forty(shop):
    connector = next(code for code in PYTHON if "Producer" in code)
    assert "127.0.0.1:9092" in connector
    connector = connector.replace("127.0.0.1:9092", shop.settings.bootstrap)
    for topic in ("warehouse", "orders"):
        connector = connector.replace(f'produce("{topic}"', f'produce("{shop.settings.prefix}{topic}"')
    subprocess.run([sys.executable, "-c", connector], check=True, timeout=60)
    with (shop.settings.home / "worker.log").open("wb") as log:
        shop.start("worker", stdout=log, stderr=log)
        said = shop.run("tail", "reservations", "--from-beginning", "--json", "--limit", "1")
    assert json.loads(said.stdout)["value"]["status"] == "confirmed"

    def allocated():
        levels = shop.levels("JRK-TERI-50")
        return levels and [(at["allocated"], at["available"]) for at in levels["locations"]] == [(2, 38)]

    assert shop.wait_for(allocated)


def test_the_connector_of_the_readme_sells_beside_the_demo_too():
    sold = next(code for code in PYTHON if "Producer" in code)
    (channel,) = re.findall(r'"channel": "(.*?)"', sold)
    assert channel not in {name for name, *_ in RULES}, "the demo has rules for it: not from BERLIN, not without a date"


def test_the_recipe_for_forecasts_reads_what_the_export_writes(shop, tmp_path, monkeypatch, capsys):
    for location in ("W1", "W2"):
        shop.forecast("BJ-1", location, "2026-03-01.001", 0.3)
    monkeypatch.chdir(tmp_path)
    shop.run("export", "forecasts", "--format", "parquet", "--out", str(tmp_path / "forecasts.parquet"))
    exec(compile(next(code for code in PYTHON if "read_parquet" in code), "README.md", "exec"), {})
    assert "BJ-1|W1" in capsys.readouterr().out
