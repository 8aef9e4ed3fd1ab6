"""`smokehouse topics apply|upgrade|list`: make topics and open the logs, let newer rules hold, show what there is.

Does not belong here: how topics are made (`streams.logs`).
"""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from streams import logs
from streams.commands.options import Partitions, between
from streams.commands.output import fail, put_json, put_table, say
from streams.commands.session import connected
from streams.topics import CATALOGUE
from tables.log import LOGIC_VERSION
from tables.records import Limits

topics_app = App(name="topics", help="The topics: create what is missing and open the logs, or list them.")
Json = Annotated[bool, Parameter(name="--json", negative="")]
REPLICATION_MAX = 32_767  # what the protocol can say
UNDECIDED_SECONDS_MAX = 400 * 86_400  # as `Limits`


@topics_app.command(name="apply")
def apply_topics(
    *,
    partitions: Partitions | None = None,
    replication: Annotated[int, between(1, REPLICATION_MAX)] = 1,
    undecided_seconds: Annotated[int, between(1, UNDECIDED_SECONDS_MAX)] | None = None,
    json_output: Json = False,
) -> None:
    """Create missing topics and open the logs; what exists is checked and left as it is.

    Parameters
    ----------
    partitions
        Of every topic; fixed for the life of a log. Default: as there are, else 4; take 12 or more on a cluster.
    replication
        Copies of each topic the broker keeps; 3 on a cluster: two have what is acknowledged, and one may be away.
    undecided_seconds
        An order without an answer for so long is decided `expired`. Default 600. Only when the logs are opened.
    """
    settings = connected()
    limits = Limits() if undecided_seconds is None else Limits(undecided_seconds=undecided_seconds)
    try:
        done = logs.apply(settings, partitions or 0, replication, limits)
    except logs.TopicsWrong as error:
        fail(str(error))
    if json_output:
        put_json({"created": done.created, "opened": done.opened, "partitions": done.partitions})
    else:
        say(f"{len(done.created)} topics created, {len(done.opened)} log partitions opened, "
            f"{done.partitions} partitions each")  # fmt: skip
    if replication > 1 and len(done.created) < len(CATALOGUE):
        say("topics that were there keep their copies: --replication is for new ones (kafka-reassign-partitions)")
    if undecided_seconds is not None and not done.opened:
        say("the logs were open: --undecided-seconds is for new ones")


@topics_app.command(name="upgrade")
def upgrade_topics(*, json_output: Json = False) -> None:
    """Let the newest rules that this version knows hold from here on; older workers halt there: replace all first.

    New logs have them from the start. What was decided by older rules stays as it is.
    """
    try:
        told = logs.upgrade(connected())
    except logs.TopicsWrong as error:
        fail(str(error))
    if json_output:
        put_json({"rules": LOGIC_VERSION, "partitions": told})
    else:
        say(f"rules {LOGIC_VERSION} hold from here on in {told} partitions")


@topics_app.command(name="list")
def list_topics(*, json_output: Json = False) -> None:
    """The catalogue: name, key, what it holds, who writes, and the partitions the broker has."""
    there = logs.partition_counts(connected())
    rows = [(t.name, t.key, t.holds, t.writer, t.cleanup, there.get(t.name, 0)) for t in CATALOGUE]
    if json_output:
        names = ("name", "key", "holds", "writer", "cleanup", "partitions")
        put_json([dict(zip(names, row, strict=True)) for row in rows])
    else:
        put_table("", ("topic", "key", "holds", "written by", "cleanup", "partitions"), rows)
