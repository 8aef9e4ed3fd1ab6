"""A worker and the API tell Prometheus the same as `/status` tells people, and all that the alerts ask for."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.feed import Feed
from api.metrics import of_view
from forecasting.health import of_forecaster
from forecasting.pulse import Pulse
from streams.addresses import worker_addresses
from streams.metrics import exposition
from streams.settings import from_environment

ALERTS = Path(__file__).parents[2] / "deploy" / "prometheus" / "alerts.yml"


def samples(text):
    """(name, labels) -> value."""
    found = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    assert len(found) == len({(one.name, *sorted(one.labels.items())) for one in found})
    return {(one.name, frozenset(one.labels.items())): one.value for one in found}


@pytest.fixture
def worker_text(street):
    [address] = worker_addresses(street.settings)
    with urllib.request.urlopen(f"{address.url}/metrics", timeout=10) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return answer.read().decode()


def named(found, name):
    return {labels: value for (known, labels), value in found.items() if known == name}


def test_the_view_and_what_it_counts(street):
    def told():
        found = samples(street.get("/metrics").text)
        return found if named(found, "smokehouse_view_ready") == {frozenset(): 1} else None

    found = street.wait(told)
    status = street.answer("/status")
    decided = {dict(labels)["status"]: n for labels, n in named(found, "smokehouse_decisions_total").items()}
    assert decided["confirmed"] == status["counters"]["confirmed"] > 0
    assert decided.get("rejected", 0) == status["counters"]["rejected"]
    assert named(found, "smokehouse_skus") == {frozenset(): status["counters"]["skus"]}
    assert named(found, "smokehouse_workers") == {
        frozenset({("answers", "true")}): 1, frozenset({("answers", "false")}): 0,
    }  # fmt: skip
    assert named(found, "smokehouse_unserved_partitions") == {frozenset(): 0}
    assert len(named(found, "smokehouse_view_lag_records")) == len(status["as_of"])
    newest = named(found, "smokehouse_newest_record_seconds")[frozenset({("topic", "stock-levels")})]
    assert 0 <= time.time() - newest < 600


def test_a_view_that_has_not_caught_up_says_so_and_counts_nothing_yet():
    found = samples(exposition(of_view(Feed(from_environment({})))).decode())
    mine = {name: value for (name, _), value in found.items() if name.startswith("smokehouse_")}
    assert mine == {"smokehouse_view_ready": 0, "smokehouse_unreadable_records_total": 0}


def test_a_worker_tells_each_partition(street, worker_text):
    found = samples(worker_text)
    ready = {tuple(sorted(labels)) for labels, value in named(found, "smokehouse_partition_state").items() if value}
    [worker] = street.answer("/status")["workers"]
    assert len(ready) == len(worker["partitions"]) > 0
    assert {dict(labels)["state"] for labels in ready} == {"ready"}
    offsets = named(found, "smokehouse_partition_offset")
    committed = named(found, "smokehouse_partition_committed_offset")
    assert committed.keys() == offsets.keys()
    assert all(offsets[where] >= value for where, value in committed.items())
    assert len(named(found, "smokehouse_partition_lag_records")) == len(offsets)
    assert named(found, "smokehouse_records_read_total")[frozenset()] > 0


def test_no_alert_asks_for_what_nobody_tells(street, worker_text):
    pulse = Pulse()
    pulse.unread = 0
    forecaster_text = exposition(of_forecaster(pulse)).decode()
    texts = worker_text, street.get("/metrics").text, forecaster_text
    told = {name for text in texts for name, _ in samples(text)}
    asked = set(re.findall(r"\b(?:smokehouse|process)_[a-z_]+", re.sub(r"job=\S+|#.*", "", ALERTS.read_text())))
    assert len(asked) > 8
    assert asked <= told


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")
def test_prometheus_itself_finds_nothing_wrong_with_it(street, worker_text):
    for text in (worker_text, street.get("/metrics").text):
        command = ["promtool", "check", "metrics"]
        checked = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60)
        assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
