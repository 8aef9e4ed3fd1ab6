"""Trained models on disk: `DAY.NNN.model` and its card `DAY.NNN.json`, the newest usable one is the champion.

Reads and writes the folder handed to it. A card stands for each training; a model file only for one that was taken.
Guarantees: a card is there only when its model is whole (both are renamed into place, the card last); a model file is
unpickled only after its hash has been compared with its card's, and only when the same versions of Python, numpy,
scikit-learn and of the model wrote it; one that cannot be used is told in a sentence and passed over. The hash finds
damage, not malice: whoever can write to this folder can run code here, so it is made for its owner alone.
Does not belong here: when to train, what is better.
"""

from __future__ import annotations

import os
import pickle
import platform
from collections.abc import Iterator, Mapping
from datetime import date
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from forecasting.boosted import MODEL
from forecasting.champion import Champion

FORMAT = "3"  # of the pickled classes: raise it when one of them changes
MODELS_MAX = 3
CARDS_MAX = 100
_UNREADABLE = (
    pickle.UnpicklingError, AttributeError, ImportError, EOFError, IndexError, KeyError, TypeError, ValueError
)  # fmt: skip


class Card(msgspec.Struct, kw_only=True):
    """What a training was: for people, and for the next start. Days are ISO dates."""

    name: str
    taken: bool
    verdict: str
    first_day: str
    last_day: str
    series: int
    series_owned: int
    segments: dict[str, int]  # series per segment at the end of the data
    known_ahead: list[str]
    backtest: dict[str, Any]
    versions: dict[str, str]
    cpu_seconds: float
    memory_mb: float
    seed: int
    sha256: str = ""


def versions() -> dict[str, str]:
    """What must be the same for a pickle to be read."""
    python = ".".join(platform.python_version_tuple()[:2])
    libraries = {name: version(name) for name in ("numpy", "scikit-learn")}
    return {"format": FORMAT, "model": MODEL, "python": python} | libraries


def cards(folder: Path, until: str = "9999") -> Iterator[Card]:
    """Readable cards of trainings that saw no day after `until`, the newest first."""
    for file in _card_files(folder):
        card = _card(file) if _day(file) <= until else None
        if card is not None:
            yield card


def next_name(folder: Path, last_day: str) -> str:
    numbers = [_number(file) for file in _card_files(folder) if _day(file) == last_day]
    return f"{last_day}.{max(numbers, default=0) + 1:03d}"


def champion_in(folder: Path, last_day: int) -> tuple[Champion | None, list[str]]:
    """The newest usable model that has seen no day after `last_day`, and why newer ones are not used.

    A folder may hold models of other days than ours: of a replay, or of a log that was thrown away.
    """
    notes: list[str] = []
    for card in cards(folder, date.fromordinal(last_day).isoformat()):
        if not card.taken:
            continue
        found = _read(folder / f"{card.name}.model", card)
        if isinstance(found, Champion):
            return found, notes
        notes.append(f"model {card.name} is not used: {found}")
    return None, notes


def keep(folder: Path, card: Card, champion: Champion | None) -> Card:
    """Write the model (if it was taken), then the card; forget the oldest."""
    if champion is not None:
        data = pickle.dumps(champion)
        card = msgspec.structs.replace(card, sha256=sha256(data).hexdigest())
        _write(folder / f"{card.name}.model", data)
    _write(folder / f"{card.name}.json", msgspec.json.format(msgspec.json.encode(card), indent=2))
    by_age = sorted(folder.glob("*.model"), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in by_age[MODELS_MAX:]:
        file.unlink(missing_ok=True)
    for file in _card_files(folder)[CARDS_MAX:]:
        if not file.with_suffix(".model").exists():
            file.unlink(missing_ok=True)
    return card


def open_folder(home: Path, prefix: str) -> Path:
    """`home/models`, made for its owner alone; topics with a prefix have a folder of their own in it."""
    folder = home / "models" / prefix if prefix else home / "models"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def _read(file: Path, card: Card) -> Champion | str:
    """The champion, or why not."""
    if differing := _differing(card.versions):
        return f"written by {differing}"
    try:
        data = file.read_bytes()
    except OSError as error:
        return f"{error.strerror}: {file}"
    if sha256(data).hexdigest() != card.sha256:
        return f"{file} is not what its card describes (the hash differs)"
    try:
        found = pickle.loads(data)
    except _UNREADABLE as error:
        return f"{file} cannot be read: {error}"
    return found if isinstance(found, Champion) else f"{file} holds no model"


def _differing(found: Mapping[str, str]) -> str:
    differing = [(name, own) for name, own in versions().items() if found.get(name) != own]
    return ", ".join(f"{name} {found.get(name, '?')} (here {own})" for name, own in differing)


def _card(file: Path) -> Card | None:
    try:
        card = msgspec.json.decode(file.read_bytes(), type=Card)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return card if card.name == file.stem else None


def _card_files(folder: Path) -> list[Path]:
    """The newest first: by day, then by number."""
    return sorted(folder.glob("????-??-??.*.json"), key=lambda file: (_day(file), _number(file)), reverse=True)


def _day(file: Path) -> str:
    return file.name[:10]


def _number(file: Path) -> int:
    number = file.stem[11:]
    return int(number) if number.isdigit() else 0


def _write(file: Path, data: bytes) -> None:
    part = file.with_name(file.name + ".part")
    with part.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    part.replace(file)
