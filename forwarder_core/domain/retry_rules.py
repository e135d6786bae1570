"""What is said about retries, by the installation and by a connection, and the one policy that follows for a failure.

Each says it in the words of the functional specification (4.10.1): `max_attempts` counts retries, `per_class` holds
the same words again for single classes of failure. What is closest to the failure wins, word by word: the
connection's word for the class, the connection's, the installation's for the class, the installation's. How long to
wait is one word: whoever says anything about it says all of it, and what is left unsaid of a formula comes from below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from forwarder_core.domain.retries import RetryPolicy, Strategy
from forwarder_core.errors import FieldError, Invalid, Retry, failure_classes

# The specification's names of failures (4.10.1, 4.10.2) for ours.
ERROR_WORDS = {
    "network_timeout": "network_error",
    "api_temporary_error": "platform_transient",
    "rate_limit_exceeded": "rate_limited",
    "api_rate_limit": "rate_limited",
    "quota_exceeded": "quota_exhausted",
    "video_too_large": "media_rejected",
    "copyright_violation": "policy_rejected",
    "challenge_required": "captcha_detected",
    "login_required": "token_expired",
}
MOST_RETRIES = 20
MOST_WAIT_S = 86_400.0
MOST_DELAYS = 20  # waits named one by one
_RETRIED = (Retry.BACKOFF, Retry.ONCE, Retry.NEVER)  # all others wait for a person, an answer, or as they are told


@dataclass(frozen=True, slots=True)
class Layer:
    """What one of the two says. `rule`: fields of a RetryPolicy; the others by the code of a failure."""

    rule: Mapping[str, Any] = field(default_factory=dict)
    per_class: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    is_retried: Mapping[str, bool] = field(default_factory=dict)


def code_of(word: str) -> str | None:
    """A failure's code by our name of it or the specification's; None where it is neither."""
    code = ERROR_WORDS.get(word, word)
    return code if code in failure_classes() else None


def policy_for(code: str, layers: Sequence[Layer]) -> RetryPolicy:
    """The policy for failures of class `code`. `layers`: from the most general to the most special."""
    policy = RetryPolicy()
    for layer in layers:
        own = layer.per_class.get(code, {})
        policy = _over(policy, layer.rule)
        policy = replace(_over(policy, own), is_named=policy.is_named or "max_retries" in own)
        if code in layer.is_retried:
            yes, nothing = frozenset({code}), frozenset[str]()
            on, off = (yes, nothing) if layer.is_retried[code] else (nothing, yes)
            policy = replace(policy, retry_on=on, no_retry_on=off)
    return policy


def _over(policy: RetryPolicy, said: Mapping[str, Any]) -> RetryPolicy:
    waits = said.keys() - {"max_retries", "delays_s"}
    delays: dict[str, Any] = {"delays_s": ()} if waits else {}
    return replace(policy, **(delays | dict(said)))


# ---- reading ----------------------------------------------------------------------------------------------------


def layer_of(said: Mapping[str, Any]) -> Layer:
    """A `retry_policy` as it is written. Raises Invalid naming every field that makes no sense."""
    problems: list[FieldError] = []
    rule = _rule(said, "", problems, also={"retry_on_errors", "no_retry_on_errors", "per_class"})
    lists = {name: _codes(said.get(name, ()), name, problems) for name in ("retry_on_errors", "no_retry_on_errors")}
    wanted, unwanted = lists["retry_on_errors"], lists["no_retry_on_errors"]
    for code in sorted(wanted & unwanted):
        problems.append(FieldError("no_retry_on_errors", f"{code} stands in retry_on_errors too"))
    per_class = _per_class(said.get("per_class", {}), problems)
    if problems:
        raise Invalid("The retry policy cannot be read.", *problems)
    return Layer(rule, per_class, dict.fromkeys(wanted, True) | dict.fromkeys(unwanted, False))


def _per_class(said: Any, problems: list[FieldError]) -> dict[str, Mapping[str, Any]]:
    if not isinstance(said, Mapping):
        problems.append(FieldError("per_class", "must be an object: the name of an error, and its policy"))
        return {}
    found: dict[str, Mapping[str, Any]] = {}
    for word, rule in said.items():
        place, code = f"per_class.{word}", code_of(str(word))
        if code is None:
            problems.append(FieldError(place, _UNKNOWN))
        elif failure_classes()[code].retry not in _RETRIED:
            problems.append(FieldError(place, "is never retried after a wait of ours: it waits as it is told to"))
        elif code in found:
            problems.append(FieldError(place, f"is said twice ({code})"))
        elif not isinstance(rule, Mapping):
            problems.append(FieldError(place, "must be an object"))
        else:
            found[code] = _rule(rule, f"{place}.", problems)
    return found


def _rule(said: Mapping[str, Any], place: str, problems: list[FieldError], also: Iterable[str] = ()) -> dict[str, Any]:
    known = {*_WORDS, *also}
    problems += [
        FieldError(f"{place}{name}", f"is not known; one of {', '.join(sorted(known))}")
        for name in sorted(map(str, said.keys() - known))
    ]
    rule: dict[str, Any] = {}
    for name, (target, read) in _WORDS.items():
        if name in said:
            try:
                rule[target] = read(said[name])
            except ValueError as e:
                problems.append(FieldError(f"{place}{name}", str(e)))
    return rule


def _codes(said: Any, name: str, problems: list[FieldError]) -> frozenset[str]:
    if isinstance(said, (str, Mapping)) or not isinstance(said, Iterable):
        problems.append(FieldError(name, "must be a list of names of errors"))
        return frozenset()
    codes = set()
    for number, word in enumerate(said):
        code = code_of(word) if isinstance(word, str) else None
        if code is None:
            problems.append(FieldError(f"{name}.{number}", f"“{word}” {_UNKNOWN}"))
        else:
            codes.add(code)
    return frozenset(codes)


def _between(value: Any, least: float, most: float, unit: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
        raise ValueError(f"must be a number from {least:g} to {most:,g}{unit}")
    return float(value)


def _count(value: Any) -> int:
    number = _between(value, 0, MOST_RETRIES, "")
    if not number.is_integer():
        raise ValueError(f"must be a whole number from 0 to {MOST_RETRIES}")
    return int(number)


def _seconds(value: Any) -> float:
    return _between(value, 0, MOST_WAIT_S, " s")


def _multiplier(value: Any) -> float:
    return _between(value, 1, 100, "")


def _delays(value: Any) -> tuple[float, ...]:
    if not isinstance(value, (list, tuple)) or not 0 < len(value) <= MOST_DELAYS:
        raise ValueError(f"must be a list of 1 to {MOST_DELAYS} waits in seconds")
    return tuple(_seconds(part) for part in value)


def _strategy(value: Any) -> Strategy:
    if value not in list(Strategy):
        raise ValueError(f"must be one of {', '.join(Strategy)}")
    return Strategy(value)


_UNKNOWN = "is not the name of an error; docs/troubleshooting.md lists them"
_WORDS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "max_attempts": ("max_retries", _count),
    "delays_seconds": ("delays_s", _delays),
    "backoff_strategy": ("strategy", _strategy),
    "backoff_multiplier": ("multiplier", _multiplier),
    "initial_delay_seconds": ("initial_delay_s", _seconds),
    "max_delay_seconds": ("max_delay_s", _seconds),
}
