"""The control API as a client sees it: what the demo, drills and tests ask of the simulated world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

_TIMEOUT_S = 120.0  # a long clip takes a while to make


class ControlFailed(Exception):
    """The simulated world refused; `str(error)` is its own reason."""


@dataclass(frozen=True, slots=True)
class ControlClient:
    """`url` ends in /__control."""

    url: str

    def call(self, method: str, path: str, **options: Any) -> Any:
        """The answer's JSON."""
        answer = httpx.request(method, self.url + path, trust_env=False, timeout=_TIMEOUT_S, **options)
        if answer.is_error:
            raise ControlFailed(f"{method} {path}: {answer.status_code} {_reason(answer)}")
        return answer.json() if answer.content else None

    def ensure_account(self, platform: str, username: str, **more: Any) -> dict[str, Any]:
        """`{id, credentials, …}` of an account of this name, made where there is none."""
        for known in self.call("GET", "/accounts", params={"platform": platform}):
            if known["username"] == username:
                return dict(known)
        return dict(self.call("POST", "/accounts", json={"platform": platform, "username": username, **more}))

    def add_post(self, platform: str, account: str, caption: str = "", **more: Any) -> dict[str, Any]:
        """`{id, url, sha256}`; `file=`, or `seconds= width= height=` of a clip to be made."""
        body = {"platform": platform, "account": account, "caption": caption, **more}
        return dict(self.call("POST", "/posts", json=body))

    def publications(self, platform: str | None = None, account: str | None = None) -> list[dict[str, Any]]:
        wanted = {"platform": platform, "account": account}
        return list(self.call("GET", "/publications", params={k: v for k, v in wanted.items() if v}))


def _reason(answer: httpx.Response) -> str:
    try:
        said = answer.json()
        return str(said.get("detail") or said.get("title") or answer.text)
    except ValueError:
        return answer.text
