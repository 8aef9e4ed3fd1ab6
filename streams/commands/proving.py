"""`smokehouse prove models`: searches every run of the protocol's models, and says what was found.

Reads nothing; writes its report on stdout. Exits with 0 only if every verdict is the expected one. Does not belong
here: the models (`proof.models`), the simulator beside them (`simulating`).
"""

from __future__ import annotations

import sys
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from proof.models.catalogue import BY_NAME, VARIANTS, Variant
from proof.models.verdicts import Verdict, judge, product
from streams.commands.output import fail, put_json, put_table, say, talk
from streams.commands.session import EXIT_ARGUMENTS
from streams.commands.simulating import simulate

prove_app = App(name="prove", help="Prove what the design claims, without a broker.")
prove_app.command(simulate)
_flag = Parameter(negative="")


@prove_app.command
def models(
    *,
    full: Annotated[bool, _flag] = False,
    only: str = "",
    explain: str = "",
    json: Annotated[bool, _flag] = False,
) -> None:
    """Search the models of the protocol: the product's must be safe, those without one of its rules must not.

    Parameters
    ----------
    full
        Every state of every variant: over 40 million, gigabytes of memory. Default: large ones are cut, and said so.
    only
        Names of variants, with commas between them. Default: all.
    explain
        Name of one variant: what goes wrong, step by step.
    json
        {product, NAME: verdict, ..., details: {NAME: {states, full, seconds, ...}}} as JSON on stdout.
    """
    chosen = _chosen(explain or only)
    verdicts = _search(chosen, full)
    if json:
        details = {v.variant.name: _as_json(v, with_steps=bool(explain)) for v in verdicts}
        verdict_of = {v.variant.name: v.found for v in verdicts}
        put_json({"product": product(verdicts)} | verdict_of | {"details": details})
    elif explain:
        _explain(verdicts[0])
    else:
        _show(verdicts)
    sys.exit(0 if all(v.as_expected for v in verdicts) else 1)


def _chosen(names: str) -> list[Variant]:
    asked = {name.strip() for name in names.split(",") if name.strip()}
    unknown = sorted(asked - set(BY_NAME))
    if unknown:
        fail(f"no variant is called {', '.join(unknown)}: there are {', '.join(BY_NAME)}", EXIT_ARGUMENTS)
    return [variant for variant in VARIANTS if not asked or variant.name in asked]


def _search(chosen: list[Variant], full: bool) -> list[Verdict]:
    verdicts: list[Verdict] = []
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(),
        console=talk, transient=True, disable=not talk.is_terminal,
    ) as bar:  # fmt: skip
        task = bar.add_task("", total=None)
        for n, variant in enumerate(chosen, 1):
            title = f"{variant.name} ({n} of {len(chosen)})"
            bar.update(task, description=title)
            verdicts.append(judge(variant, full=full, told=lambda states, title=title: bar.update(
                task, description=f"{title}: {states:,} states")))  # fmt: skip
    return verdicts


def _as_json(verdict: Verdict, *, with_steps: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "verdict": verdict.found, "states": verdict.states, "full": verdict.full, "seconds": verdict.seconds,
        "expected": verdict.variant.expected, "product": verdict.variant.product,
    }  # fmt: skip
    if verdict.why:
        shown |= {"why": verdict.why, "steps": len(verdict.steps)}
    return shown | ({"trace": list(verdict.steps)} if with_steps else {})


def _seen(verdict: Verdict) -> str:
    """How much of the space was seen."""
    return "up to the error" if verdict.why else "all" if verdict.full else "cut"


def _show(verdicts: list[Verdict]) -> None:
    columns = ("name", "variant", "expected", "found", "states", "seen", "steps", "seconds", "what goes wrong")
    put_table("", columns, [
        (v.variant.name, v.variant.says, v.variant.expected, v.found if v.as_expected else f"{v.found} (!)",
         f"{v.states:,}", _seen(v), len(v.steps) or "", f"{v.seconds:.1f}", v.why)
        for v in verdicts
    ])  # fmt: skip
    states, seconds = sum(v.states for v in verdicts), sum(v.seconds for v in verdicts)
    say(f"the product: {product(verdicts)}; {states:,} states in {seconds:.0f} s")
    surprises = [v.variant.name for v in verdicts if not v.as_expected]
    if surprises:
        say(f"not as expected: {', '.join(surprises)} (smokehouse prove models --explain {surprises[0]})")


def _explain(verdict: Verdict) -> None:
    print(f"{verdict.variant.name}: {verdict.variant.says}")
    for number, step in enumerate(verdict.steps, 1):
        print(f"{number:3}. {step}")
    if verdict.why:
        print(f"     {verdict.why}")
    else:
        print(f"     nothing goes wrong in {verdict.states:,} states ({_seen(verdict)})")
