"""The launcher: what it refuses to do."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
READ = ("smokehouse", "requirements.lock", "requirements-test.lock", "pyproject.toml", "deploy/bootstrap.lock")


def test_an_environment_of_another_checkout_is_not_emptied(tmp_path: Path) -> None:
    other, here = tmp_path / "other" / ".venv", tmp_path / "here"
    (other / "bin").mkdir(parents=True)
    (other / "bin" / "smokehouse").write_text(f"#!{other}/bin/python\n")
    for name in READ:
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, here / name)
    (here / ".venv").symlink_to(other)
    ended = subprocess.run(
        [sys.executable, here / "smokehouse", "status"], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode != 0
    assert f"{here}/.venv is a link to {other}" in ended.stderr
    assert "Remove the link" in ended.stderr
    assert (other / "bin" / "smokehouse").exists()
