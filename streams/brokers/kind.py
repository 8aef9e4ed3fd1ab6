"""Which kind of broker answers at the bootstrap address, and whether it answers at all.

Reads cluster metadata; writes nothing. Guarantees: bounded by the seconds given; a refused password, a certificate that
is not trusted and a broker that is not there are told apart. Does not belong here: topics, groups.
"""

from __future__ import annotations

import time

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource

from streams.brokers.embedded import CLUSTER_ID
from streams.brokers.process import BrokerError, BrokerKind
from streams.settings import Settings, client_config

REQUEST_SECONDS = 5.0
_EMBEDDED_CLUSTER_IDS = (CLUSTER_ID, "tansu_cluster")  # ours, and the program's own default


class BrokerUnreachable(BrokerError):
    """No answer in time. The message holds the last reason that the client library gave."""


class BrokerRefused(BrokerError):
    """The broker answered and does not let us in: user, password or certificate. Trying again does not help."""


def broker_kind(settings: Settings, seconds: float = 10.0) -> BrokerKind:
    """The kind of the broker at `settings.bootstrap`: "embedded" or "kafka" (Apache Kafka, or anything durable).

    Told by the cluster id; one unknown to us is asked for its broker settings: Apache Kafka has hundreds, or
    refuses to show them, the embedded one answers with none. `BrokerUnreachable`, `BrokerRefused`.
    """
    admin = wait_for_broker(settings, seconds)
    metadata = admin.list_topics(timeout=REQUEST_SECONDS)
    if metadata.cluster_id in _EMBEDDED_CLUSTER_IDS:
        return "embedded"
    broker = ConfigResource(ConfigResource.Type.BROKER, str(min(metadata.brokers)))
    try:
        entries = admin.describe_configs([broker], request_timeout=REQUEST_SECONDS)[broker].result(REQUEST_SECONDS + 1)
    except KafkaException:
        return "kafka"  # not authorised to read them: the embedded broker has no such rules
    return "kafka" if entries else "embedded"


def wait_for_broker(settings: Settings, seconds: float) -> AdminClient:
    """Return an admin client once the broker answers; `BrokerRefused` at once, `BrokerUnreachable` after `seconds`.

    librdkafka reports a wrong password to requests as a mere time-out; the reason comes by its error callback.
    """
    errors: list[KafkaError] = []
    admin = AdminClient(
        client_config(settings) | {"error_cb": errors.append, "log_level": 0, "reconnect.backoff.max.ms": 500}
    )
    deadline = time.monotonic() + seconds
    while True:
        left = deadline - time.monotonic()
        try:
            if admin.list_topics(timeout=max(0.1, min(1.0, left))).brokers:
                return admin
        except KafkaException as error:
            errors.append(error.args[0])
        admin.poll(0)  # serves the error callback
        for error in errors:
            _raise_if_refused(settings, error)
        if time.monotonic() > deadline:
            reasons = [e.str() for e in errors if e.code() not in (KafkaError._ALL_BROKERS_DOWN,)]
            reason = next((r for r in reversed(reasons) if "timed out" not in r.lower()), "no answer")
            raise BrokerUnreachable(
                f"no broker answers at {settings.bootstrap} after {seconds:.0f} s ({reason}). Start one "
                "(`smokehouse up`), or set SMOKEHOUSE_BOOTSTRAP; with TLS or SASL check SMOKEHOUSE_SECURITY_PROTOCOL."
            )
        del errors[:-20]
        time.sleep(0.05)


def _raise_if_refused(settings: Settings, error: KafkaError) -> None:
    if error.code() in (KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED):
        raise BrokerRefused(
            f"the broker at {settings.bootstrap} refuses user {settings.sasl_username!r}: {error.str()}. Check "
            "SMOKEHOUSE_SASL_USERNAME, SMOKEHOUSE_SASL_PASSWORD (or _FILE) and SMOKEHOUSE_SASL_MECHANISM."
        )
    if error.code() == KafkaError._SSL:
        raise BrokerRefused(
            f"no TLS with the broker at {settings.bootstrap}: {error.str()}. Check SMOKEHOUSE_SSL_CA (the authority "
            "that signed the broker's certificate), SMOKEHOUSE_SSL_CERTIFICATE and SMOKEHOUSE_SSL_KEY."
        )
