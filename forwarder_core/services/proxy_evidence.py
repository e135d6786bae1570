"""Evidence: was it the proxy, the network, or neither? Our own probe's word on an attempt that failed on its way out.

Asked when an attempt or a look at a source fails, before the failure is written down. The fact to know: client
libraries say the same of a refused proxy, a refused target and a certificate of somebody's own; so a failure of the
network is the proxy's only where our probe says so at that moment, and what other jobs met in the same hour is told
beside it.
"""

from __future__ import annotations

from datetime import timedelta

from forwarder_core.db import proxies as rows
from forwarder_core.domain.jobs import Lease
from forwarder_core.domain.proxies import Blame, Proxy, Verdict
from forwarder_core.egress import Exit
from forwarder_core.errors import ForwarderError, NetworkFailed, OutcomeUnknown, ProxyFailed, StepFailed
from forwarder_core.services import proxy_health
from forwarder_core.services.context import Core
from forwarder_core.services.proxy_health import Checked

_HOUR = timedelta(hours=1)
Compared = dict[tuple[bool, bool], tuple[int, int]]


def judged(core: Core, lease: Lease, error: StepFailed) -> StepFailed:
    """The error with the evidence in its message, a failure of the network as ProxyFailed where that is proved.

    A lost answer stays one: what became of the post is a question of its own. Any other error is given back as it is.
    """
    if type(error) not in (NetworkFailed, ProxyFailed, OutcomeUnknown):
        return error
    with core.begin() as tx:
        used = rows.last_used(tx, lease.job_id)
        proxy = None if used is None else rows.get(tx, used)
        if proxy is None:
            return error
        others = rows.compared(tx, lease.job_id, proxy.id, core.clock.now() - _HOUR)
    return _with_probe(core, proxy, error, said_of(others))


def of_look(core: Core, exit_: Exit, error: StepFailed) -> StepFailed:
    """The same for a look at a source that went this way: the next one can go another."""
    if type(error) not in (NetworkFailed, ProxyFailed) or exit_.proxy is None or exit_.proxy.id is None:
        return error
    with core.begin() as tx:
        proxy = rows.get(tx, exit_.proxy.id)
    return error if proxy is None else _with_probe(core, proxy, error, [])


def _with_probe(core: Core, proxy: Proxy, error: StepFailed, others: list[str]) -> StepFailed:
    try:
        found = proxy_health.look(core, proxy.id)
    except ForwarderError:  # removed meanwhile, or its name leads into a private network today
        return error
    message = " ".join((error.message, said_by(found, proxy), *others))
    is_proved = found.verdict is Verdict.FAILED and any(test.blame is Blame.PROXY for test in found.tests)
    kind = ProxyFailed if is_proved and type(error) is NetworkFailed else type(error)
    action = error.action if kind is type(error) else None
    return kind(message, retry_after_s=error.retry_after_s, raw=error.raw, action=action)


def said_by(found: Checked, proxy: Proxy) -> str:
    """What the probe saw, as one sentence."""
    if found.verdict is Verdict.PASSED:
        return f"A probe through proxy {proxy.alias} at the same time was fine ({found.average_ms} ms)."
    return f"A probe through proxy {proxy.alias} at the same time failed: {found.error}."


def said_of(others: Compared) -> list[str]:
    """What other jobs met within the hour, where there were any."""
    told = ((False, True, "same account, other proxy"), (True, False, "same proxy, other accounts"))
    counted = [(words, others[same, ours]) for same, ours, words in told if (same, ours) in others]
    return [f"Same hour, {words}: {fine} of {n} fine." for words, (fine, n) in counted]
