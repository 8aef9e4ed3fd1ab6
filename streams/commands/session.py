"""What every command begins with: settings that are usable, and a broker that answers.

Reads the environment and the broker's metadata. Guarantees: a wrong setting or a missing broker ends the command with
a sentence that says what to do. Does not belong here: what the commands do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from streams.brokers.kind import broker_kind
from streams.brokers.process import BrokerError
from streams.commands.output import fail
from streams.reader import ReadError
from streams.settings import SettingError, Settings, from_environment

BROKER_SECONDS = 10.0
EXIT_ARGUMENTS = 2
CANNOT_READ = 3  # exit code of a command that gets no answer, or half of one, from the broker


def read_settings() -> Settings:
    """Settings of the environment; the command ends if one cannot be used."""
    try:
        return from_environment()
    except SettingError as error:
        fail(str(error), EXIT_ARGUMENTS)


def connected(seconds: float = BROKER_SECONDS) -> Settings:
    """Settings, with the kind of broker found out by asking it; the command ends if none answers."""
    settings = read_settings()
    try:
        return settings.with_(embedded=broker_kind(settings, seconds) == "embedded")
    except BrokerError as error:
        fail(str(error))


@contextmanager
def reading() -> Iterator[None]:
    """A broker that cannot be read on ends the command with its reason."""
    try:
        yield
    except ReadError as error:
        fail(str(error), CANNOT_READ)
