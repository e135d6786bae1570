"""The fake's error answers, in the form Google gives them. The fact to know: the reason is what clients act on."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response


class Refused(Exception):
    """Raised anywhere in the fake, answered as Google would."""

    def __init__(self, status: int, reason: str, message: str, *, retry_after_s: object = None) -> None:
        super().__init__(message)
        self.status, self.reason, self.message, self.retry_after_s = status, reason, message, retry_after_s

    def response(self) -> Response:
        item = {"message": self.message, "domain": "youtube.api", "reason": self.reason}
        headers = {} if self.retry_after_s is None else {"retry-after": str(self.retry_after_s)}
        error = {"code": self.status, "message": self.message, "errors": [item]}
        return JSONResponse({"error": error}, self.status, headers=headers)


def refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)  # noqa: S101 - registered for this class only
    return error.response()
