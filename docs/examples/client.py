"""A small typed client of the API, to start from: `python client.py http://127.0.0.1:8080 fwd_…`.

It sends an Idempotency-Key with every POST, so that a call may be repeated after a lost answer, and waits where the
server says how long. Needs Python 3.11 and httpx.
"""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Iterator
from typing import Any, TypedDict

import httpx


class Job(TypedDict):
    """The fields a caller needs most; docs/openapi.json has all."""

    id: int
    connection_id: int
    source_post_id: str
    status: str
    destination_url: str | None


class Refused(Exception):
    """What the server said: a stable code, and the action that helps."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(f"{problem['code']}: {problem['detail']} {problem['action']}")
        self.code: str = problem["code"]
        self.status: int = problem["status"]


class Forwarder:
    def __init__(self, base_url: str, token: str, *, tries: int = 4) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self._http = httpx.Client(base_url=base_url, headers=headers, timeout=30, trust_env=False)
        self._tries = tries

    def jobs(self, **wanted: str | int) -> Iterator[Job]:
        """Every job that fits, newest first, page by page. `wanted`: status, connection, error, q, from, to …"""
        cursor: dict[str, str] = {}
        while True:
            page = self._call("GET", "/api/jobs", params={**wanted, **cursor})
            yield from page["items"]
            if page["next_cursor"] is None:
                return
            cursor = {"cursor": page["next_cursor"]}

    def run(self, connection_id: int) -> list[dict[str, Any]]:
        """Look at the source now; the jobs this made. Empty too when the look takes longer than a call waits."""
        answer = self._call("POST", f"/api/connections/{connection_id}/run")
        made: list[dict[str, Any]] = answer.get("jobs_created", [])
        return made

    def retry(self, job_id: int) -> Job:
        job: Job = self._call("POST", f"/api/jobs/{job_id}/retry")["job"]
        return job

    def change(self, path: str, **values: Any) -> dict[str, Any]:
        """Change one thing as it is now; raises Refused `precondition_failed` when somebody else was faster."""
        seen = self._http.get(path)
        return self._call("PUT", path, json=values, headers={"If-Match": seen.headers.get("etag", "*")})

    def close(self) -> None:
        self._http.close()

    def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        headers = {**options.pop("headers", {})}
        if method == "POST":
            headers["Idempotency-Key"] = str(uuid.uuid4())
        for left in reversed(range(self._tries)):
            answer = self._http.request(method, path, headers=headers, **options)
            if answer.status_code not in (429, 503) or not left:
                break
            time.sleep(float(answer.headers.get("Retry-After", 1)))
        body: dict[str, Any] = answer.json()
        if answer.is_error:
            raise Refused(body)
        return body


if __name__ == "__main__":
    forwarder = Forwarder(sys.argv[1], sys.argv[2])
    for job in forwarder.jobs(status="running,queued"):
        sys.stdout.write(f"{job['id']} {job['status']} {job['source_post_id']}\n")
    forwarder.close()
