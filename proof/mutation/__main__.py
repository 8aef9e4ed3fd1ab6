"""`python -m proof.mutation`: makes an environment and a copy of the tree, runs the session, says what came of it.

Reads the checkout; writes only below `--folder` and, with `--page`, `docs/mutation.md`. Exit code 1 if fewer than 95 %
are killed or a survivor is not listed; 2 if the tests cannot be run unchanged.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from proof.mutation import accepted as accepting
from proof.mutation import report, session

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "mutation.md"
COPIED = ("tables", "tests", "streams", "proof", "pyproject.toml")


def main(arguments: list[str]) -> int:
    asked = _parser().parse_args(arguments)
    folder = asked.folder.resolve()
    tree, written, kept = folder / "tree", folder / "results.jsonl", folder / "all.jsonl"
    before = kept.read_text().splitlines() if asked.again and kept.exists() else []
    listed = accepting.accepted(accepting.LIST.read_text())
    names = [x.mutant for x in accepting.judge(accepting.results(before), listed).unlisted]
    if before and not names:
        print("all that survived the last time is listed", file=sys.stderr)
    elif asked.again and not before:
        print(f"there is no run to follow in {folder}", file=sys.stderr)
        return 2
    else:
        copy_tree(tree, fresh=not asked.again)
        plan = folder / "plan.json"
        plan.write_text(json.dumps({
            "modules": [f"tables.{x.removeprefix('tables.')}" for x in asked.modules], "mutants": names,
            "sample": asked.sample, "seed": asked.seed, "jobs": asked.jobs, "slowest": 1.0 if asked.quick else 0,
            "results": str(written),
        }))  # fmt: skip
        paths = os.pathsep.join(filter(None, [installed(folder / "packages"), os.environ.get("PYTHONPATH")]))
        command = [sys.executable, "-P", session.__file__, str(plan)]
        environment = {**os.environ, "PYTHONPATH": paths}
        if subprocess.run(command, cwd=tree, env=environment, stdout=sys.stderr, check=False).returncode:
            return 2
        kept.write_text("\n".join([*before, *written.read_text().splitlines()]) + "\n")
    verdict = accepting.judge(accepting.results(kept.read_text().splitlines()), listed)
    if asked.page:
        report.write_page(PAGE, verdict, listed)
    print(json.dumps(report.as_json(verdict), indent=2) if asked.json else "\n".join(report.lines(verdict)))
    return 0 if verdict.passed else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m proof.mutation", description=__doc__.partition("\n")[0])
    parser.add_argument("modules", nargs="*", help="of tables/: ledger, orders, ...; all if none is named")
    parser.add_argument("--sample", type=int, default=0, help="so many mutants, drawn by --seed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--again", action="store_true", help="only what survived the last run here and is not listed")
    parser.add_argument("--quick", action="store_true", help="leave slow tests out: survivors are candidates only")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="mutants at a time")
    parser.add_argument("--json", action="store_true", help="the figures and what is not listed, as JSON")
    parser.add_argument("--page", action="store_true", help="write the figures into docs/mutation.md")
    parser.add_argument("--folder", type=Path, default=ROOT / ".smokehouse" / "mutation")
    return parser


def copy_tree(tree: Path, *, fresh: bool) -> None:
    """The checkout's files, with their times: what did not change keeps its mutants, unless `fresh`."""
    for old in (tree / "mutants" if fresh else tree / "mutants" / "tests", *(tree / name for name in COPIED)):
        if old.is_dir():
            shutil.rmtree(old)
    tree.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / name, tree / name)


def installed(folder: Path) -> str:
    """Where mutmut is, beside this environment and in its versions; empty if this environment has it already."""
    if importlib.util.find_spec("mutmut"):
        return ""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    mark, wanted = folder / "installed", "\n".join(extras["mutation"])
    if not (mark.exists() and mark.read_text() == wanted):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        here = folder / "here"  # what this environment has is not to be had in another version
        here.write_text("".join(f"{x.name}=={x.version}\n" for x in importlib.metadata.distributions()))
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--target", str(folder), "-c", str(here), *wanted.split()], stdout=sys.stderr, check=True)
        mark.write_text(wanted)
    return str(folder)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
