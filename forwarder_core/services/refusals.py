"""Refusals of the door: what keeps a request from reaching any use case. Each has its HTTP status and a stable code.

They stand below the doors so that the list of all codes in docs/troubleshooting.md has them too.
"""

from __future__ import annotations

from forwarder_core.errors import Conflict, Forbidden, Invalid, NotSignedIn, RequestError


class ForeignHost(RequestError):
    code = "foreign_host"
    action = "Use the address the app was started with, or set FORWARDER_PUBLIC_URL to the one people use."


class ScopeMissing(Forbidden):
    code = "scope_missing"
    action = "Use a token with a wider scope; POST /api/api-tokens makes one."


class SecondFactorNeeded(NotSignedIn):
    """The password was right. `ticket` stands for it, sealed and for minutes only, while the code is asked for."""

    code = "second_factor_needed"
    action = "Give the code of the authenticator app as well, or a recovery code."

    def __init__(self, message: str, *, ticket: str) -> None:
        super().__init__(message)
        self.ticket = ticket


class CodeRefused(NotSignedIn):
    code = "code_refused"
    action = "Wait for the next code and enter that one; a code works once."


class MethodNotAllowed(RequestError):
    code = "method_not_allowed"
    status = 405
    action = "Look at /api/docs for what there is."


class TooLarge(RequestError):
    code = "too_large"
    status = 413
    action = "Send less at once."


class FileTooLarge(RequestError):
    """Of a form that brings a credential file: what is wrong with it is said like everything else about it."""

    code = "file_too_large"
    status = 422
    action = "Send the file as the platform's console gave it; credential files are a few KB."


class LengthRequired(RequestError):
    code = "length_required"
    status = 411
    action = "Send a Content-Length."


class HeadersTooLarge(RequestError):
    code = "headers_too_large"
    status = 431
    action = "Delete this site's cookies and sign in again."


class PreconditionFailed(RequestError):
    code = "precondition_failed"
    status = 412
    action = "Get it again, look at what changed, and send your change with the new ETag."


class KeyReused(Invalid):
    code = "idempotency_key_reused"
    action = "Use a new Idempotency-Key for another request; a key belongs to one request for a day."


class KeyInUse(Conflict):
    code = "idempotency_key_in_use"
    action = "The first request with this key is still under way: ask again in a moment with the same key."
