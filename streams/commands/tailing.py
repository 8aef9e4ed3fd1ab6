"""`smokehouse tail`: a topic as it grows, a line per record on stdout, flushed at once.

Reads any topic of the catalogue, without a group; writes nothing. Guarantees: every record from where it starts on, in
the order of its partition; a closed pipe or Ctrl-C ends it quietly; a broker that is away is told, and waited for,
`AWAY_SECONDS` at most. Exit codes: 0 limit reached or Ctrl-C, 2 unusable arguments, 3 the topic cannot be read (any
more). Does not belong here: what a line says (`lines`).
"""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Annotated

from cyclopts import Parameter

from streams.commands.lines import Item, as_json, as_text, items, speaks_of
from streams.commands.options import between
from streams.commands.output import fail, say
from streams.commands.session import CANNOT_READ, EXIT_ARGUMENTS, connected
from streams.reader import Follower, ReadError, ReadStalled, follow
from streams.topics import CATALOGUE, Topic

POLL_SECONDS = 0.2  # how late a closed pipe is noticed while nothing comes
ASK_SECONDS = 5.0  # without a record: is the broker still there?
AWAY_SECONDS = 60.0
_flag = Parameter(negative="")


def tail(
    topic: str,
    /,
    *,
    from_beginning: Annotated[bool, _flag] = False,
    limit: Annotated[int, between(1)] | None = None,
    key: str = "",
    json: Annotated[bool, _flag] = False,
) -> None:
    """Show a topic's records as they come, until Ctrl-C; the items of a packed record one by one.

    Parameters
    ----------
    topic
        A topic of the catalogue (smokehouse topics list), without the prefix.
    from_beginning
        Start at the first record, not at the end.
    limit
        Stop after so many lines.
    key
        Only what has this key, or speaks of this order or SKU.
    json
        One JSON object a line: topic, partition, offset, index (of a packed item, else 0), time (the broker's), key,
        value, headers if any; of a changelog also version. A value that is no JSON stands as text.
    """
    entry = _topic(topic)
    settings = connected()
    shape = as_json if json else as_text
    try:
        follower = follow(settings, [entry.name], "beginning" if from_beginning else "end")
        try:
            say(f"following {entry.name} from the {'beginning' if from_beginning else 'end'}; Ctrl-C ends it")
            for count, item in enumerate(_matching(follower, entry, key, settings.embedded), 1):
                sys.stdout.buffer.write(shape(item) + b"\n")
                sys.stdout.buffer.flush()
                if count == limit:
                    return
        finally:
            follower.close()
    except ReadError as error:
        fail(str(error), CANNOT_READ)
    except KeyboardInterrupt:
        return


def _matching(follower: Follower, topic: Topic, key: str, forgets: bool) -> Iterator[Item]:
    patience = Patience(follower, forgets)
    while True:
        found = follower.poll(POLL_SECONDS)
        for message in found:
            for item in items(topic, message):
                if not key or speaks_of(key, item):
                    yield item
        if _reader_is_gone():
            raise BrokenPipeError
        patience.look(heard=bool(found))


class Patience:
    """Of somebody who waits for records: nobody may have anything to say, or the broker may be away. One that
    `forgets` has another log when it is back."""

    def __init__(self, follower: Follower, forgets: bool) -> None:
        self._follower, self._forgets = follower, forgets
        self._asked = self._heard = time.monotonic()
        self._away = False

    def look(self, *, heard: bool) -> None:
        """After each poll; `ReadStalled` once the broker is away for too long, or was and has forgotten its log."""
        now = time.monotonic()
        if not heard and now - self._asked < ASK_SECONDS:
            return
        self._asked = now
        if not heard and not self._follower.is_answered():
            if now - self._heard > AWAY_SECONDS:
                raise ReadStalled(f"the broker has not answered for {AWAY_SECONDS:.0f} s")
            if not self._away:
                say(f"the broker does not answer; waiting for it, {AWAY_SECONDS:.0f} s at most")
            self._away = True
            return
        if self._away and self._forgets:
            raise ReadStalled("the broker was away; its log may be another one now")
        if self._away:
            say("the broker answers again")
        self._heard, self._away = now, False


def _reader_is_gone() -> bool:
    """Whether nobody reads our output any more: a write would tell, but there may be nothing to write for hours."""
    poller = select.poll()
    poller.register(sys.stdout.fileno(), 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poller.poll(0))


def _topic(name: str) -> Topic:
    by_name = {entry.name: entry for entry in CATALOGUE}
    if name in by_name:
        return by_name[name]
    near = get_close_matches(name, by_name, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    fail(f"no topic {name!r}.{hint} There are: {', '.join(by_name)}", EXIT_ARGUMENTS)
