"""What a failure of the storage is to the engine: every exception of the storage client ends here.

What lives here: the reading of what the client says, and the table from that to a class. What does not: retries, which
the engine decides. The fact to know: the client tells its failures as text alone, with the address of the object in it;
what leaves here names neither bucket nor key, only the store's own code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from obstore.exceptions import AlreadyExistsError, BaseError

from forwarder_core.egress import Exit
from forwarder_core.errors import (
    AuthInvalid,
    ContractChanged,
    LocalFailed,
    NetworkFailed,
    PlatformTransient,
    ProxyFailed,
    RateLimited,
    StepFailed,
)

_STATUS = re.compile(r"non-2xx status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,60})</Code>")
_NO_ANSWER = ("HTTP error", "error sending request", "error decoding response body", "request or response body error")
_KEY = "Correct the key under Accounts → the account → Update token."
_AUTH = {
    "InvalidAccessKeyId": ("The storage does not know the access key.", _KEY),
    "SignatureDoesNotMatch": ("The storage refuses the secret access key.", _KEY),
    "ExpiredToken": ("The storage says the access key has ended.", _KEY),
    "NoSuchBucket": ("The bucket is not there.", "Make the bucket, or name another one under Update token."),
    "PermanentRedirect": ("The bucket lies in another region.", "Correct region and endpoint under Update token."),
    "AuthorizationHeaderMalformed": ("The region is not the bucket's.", "Correct the region under Update token."),
    "AccessDenied": (
        "The access key may not do this in the bucket.",
        "Give it the right to list, read and write objects there.",
    ),
}
_CLOCK = ("RequestTimeTooSkewed", "RequestExpired")
_SLOW = ("SlowDown", "TooManyRequests", "RequestLimitExceeded")


@contextmanager
def translated(exit_: Exit) -> Iterator[None]:
    """What the client throws inside leaves as our own class, but for what is there already: that is the caller's."""
    try:
        yield
    except AlreadyExistsError:
        raise
    except BaseError as e:
        raise failure_of(str(e), exit_) from None  # its text holds the object's address
    except OSError as e:
        if e.errno is None:  # the client's own “not found”, and “timed out”, borrow Python's
            raise failure_of(str(e), exit_) from None
        raise LocalFailed(f"The file to be archived could not be read: {e.strerror}.") from e


def failure_of(said: str, exit_: Exit) -> StepFailed:
    """`said`: all the client told."""
    found, code = _STATUS.search(said), _CODE.search(said)
    name = code[1] if code else ""
    status = int(found[1]) if found else 0
    raw = f"HTTP {status} {name}".strip()
    if name in _CLOCK:
        return LocalFailed("This server's clock differs from the storage's.", action="Set the server's clock.", raw=raw)
    if name in _AUTH or status in (301, 307, 401, 403):
        words, action = _AUTH.get(name, _AUTH["PermanentRedirect" if status in (301, 307) else "AccessDenied"])
        return AuthInvalid(words, action=action, raw=raw)
    if status == 429 or name in _SLOW:
        return RateLimited("The storage asks to slow down.", raw=raw)
    if status == 407 or "proxy authorization" in said.lower():
        return ProxyFailed("The proxy refused the login (HTTP 407).", raw=raw)
    if status >= 500 or name == "NoSuchUpload":  # an upload in parts whose end was not heard of
        return PlatformTransient(f"The storage answered HTTP {status}.", raw=raw)
    if status:
        return ContractChanged(f"The storage refused the request (HTTP {status} {name}).".replace(" )", ")"), raw=raw)
    return _without_an_answer(said, exit_)


def _without_an_answer(said: str, exit_: Exit) -> StepFailed:
    kind = "could not be reached" if "Connect" in said else "did not answer whole"
    if exit_.proxy and "Connect" in said:
        return ProxyFailed(f"Proxy {exit_.called} could not be used for the storage.")
    if any(words in said for words in _NO_ANSWER):
        return NetworkFailed(f"The storage {kind}.")
    return PlatformTransient("The storage answered in a form not known here.")
