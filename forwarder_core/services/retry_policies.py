"""The retry policy in force: what the connection says of a failure, over what the installation says.

The order of who wins is `domain.retry_rules`'; here it is read from where it is stored.
"""

from __future__ import annotations

from forwarder_core.db import connections
from forwarder_core.db.engine import Tx
from forwarder_core.domain.retries import RetryPolicy, allowed
from forwarder_core.domain.retry_rules import MOST_DELAYS, Layer, layer_of, policy_for
from forwarder_core.errors import Invalid, failure_classes
from forwarder_core.services import tunables
from forwarder_core.services.tunables import AS_LISTED, Tuned


def policy_of(tx: Tx, connection_id: int, code: str) -> RetryPolicy:
    """For a failure of this class on this connection."""
    connection = connections.get(tx, connection_id)
    usual = usual_layer(tunables.read(tx))
    try:
        own = layer_of(connection.retry_policy) if connection else Layer()
    except Invalid:  # stored before it was checked: the job must get a named state all the same
        own = Layer()
    return policy_for(code, (usual, own))


def retries_of(tx: Tx, connection_id: int, code: str) -> int:
    """Of how many retries a message about such a failure speaks: what the class may burn, or, where it burns none
    (the job died otherwise, or waits), what the connection's jobs have."""
    known, policy = failure_classes().get(code), policy_of(tx, connection_id, code)
    return (allowed(known, policy) if known else 0) or policy.max_retries


def usual_layer(tuned: Tuned) -> Layer:
    """What the installation says, in the words of a connection."""
    said = {
        "max_attempts": tuned.count("retry.max_retries"),
        "initial_delay_seconds": tuned.number("retry.initial_delay_s"),
        "backoff_multiplier": tuned.number("retry.multiplier"),
        "max_delay_seconds": tuned.number("retry.max_delay_s"),
        "retry_on_errors": tuned.words("retry.retry_on"),
        "no_retry_on_errors": tuned.words("retry.no_retry_on"),
        "per_class": tuned.mapping("retry.per_class"),
    }
    if tuned.word("retry.strategy") == AS_LISTED:
        return layer_of(said | {"delays_seconds": tuned.numbers("retry.delays_s")[:MOST_DELAYS]})
    return layer_of(said | {"backoff_strategy": tuned.word("retry.strategy")})
