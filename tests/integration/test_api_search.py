"""Finding jobs, posts and log lines: beginnings of words, one id exactly, both orders; and why a post went or not."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from forwarder_core.db import events
from forwarder_core.errors import MediaRejected
from forwarder_core.services import failing
from forwarder_core.services.context import Core
from tests import factories
from tests.unit.admin_app.doorway import api_client

pytestmark = [pytest.mark.slow, pytest.mark.anyio]


FAILED = {"error_code": "media_rejected", "error_message": "No.", "error_action": "None."}


async def found(client: httpx.AsyncClient, **wanted: str | int) -> list[int]:
    answer = await client.get("/api/jobs", params=wanted)
    assert answer.status_code == 200, answer.text
    return [job["id"] for job in answer.json()["items"]]


async def test_words_are_found_by_their_beginnings_and_ids_exactly(core: Core) -> None:
    connection = factories.add_connection(core)
    captions = {"C2x-1": "Exploring ancient temples 🏛️ #travel", "C2x-2": "A my-video of Tempelhof", "777": "ÜBER all"}
    jobs = {}
    for platform_id, caption in captions.items():
        post = factories.add_post(core, connection.source_account_id, platform_id, caption=caption)
        jobs[platform_id] = factories.add_job(core, connection, post)
    async with api_client(core) as client:
        assert await found(client, q="TEMP") == [jobs["C2x-2"], jobs["C2x-1"]]
        assert await found(client, q="ancient trav") == [jobs["C2x-1"]]
        assert await found(client, q="emples") == [], "not the middle of a word"
        assert await found(client, q="über") == await found(client, q="777") == [jobs["777"]]
        assert await found(client, q="C2x-2") == await found(client, q="my-video") == [jobs["C2x-2"]]
        assert await found(client, q=f"{jobs['C2x-1']}") == [jobs["C2x-1"]]
        for odd in ("'; DROP TABLE jobs; --", "a & | !", "\\", ":*", "%"):
            await found(client, q=odd)
        assert await found(client, sort="created_at") == sorted(jobs.values())
        first = (await client.get("/api/jobs", params={"sort": "id", "limit": 2})).json()
        rest = (await client.get("/api/jobs", params={"sort": "id", "cursor": first["next_cursor"]})).json()
        assert [job["id"] for job in first["items"] + rest["items"]] == sorted(jobs.values())
        assert (await client.get("/api/jobs", params={"sort": "; drop"})).status_code == 422


async def test_why_a_post_went_or_not_is_said_for_every_connection(core: Core) -> None:
    one = factories.add_connection(core)
    account = one.source_account_id
    with core.begin() as tx:
        source = factories.accounts.get(tx, account)
    assert source is not None
    two = factories.add_connection(core, source)
    post = factories.add_post(core, account, "C2x-1")
    job_id = factories.add_job(core, one, post)
    failing.fail(core, factories.claimed(core, job_id), MediaRejected("It has no picture."))
    async with api_client(core) as client:
        post_id = (await client.get(f"/api/jobs/{job_id}")).json()["links"]["why"]
        told = (await client.get(post_id)).json()
        assert told["source_post_id"] == "C2x-1"
        by_id = {reason["connection_id"]: reason for reason in told["connections"]}
        assert by_id[two.id]["decision"] is None and "not decided" in by_id[two.id]["because"]
        assert by_id[one.id]["job"]["id"] == job_id and "It has no picture." in by_id[one.id]["because"]
        assert (await client.get("/api/posts/999999/why")).status_code == 404


async def test_pages_hold_what_was_asked_by_any_filters_together(core: Core) -> None:
    """Several statuses of several connections, words beyond those that are looked through first, and no gap between."""
    account = factories.add_account(core)
    lanes = [factories.add_connection(core, account) for _ in range(3)]
    made: list[tuple[int, int, str, str]] = []
    for n in range(30):
        lane, status, word = lanes[n % 3], ("dead", "success", "captcha")[n % 5 % 3], ("Sunset", "Rain")[n % 2]
        post = factories.add_post(core, account.id, f"P{n}", caption=f"{word} {n}")
        values = FAILED if status == "dead" else {}
        made.append((factories.add_job(core, lane, post, status=status, **values), lane.id, status, word))
    factories.add_job(core, factories.add_connection(core), status="dead")
    asked: list[dict[str, str | int]] = [
        {"account": account.id},
        {"account": account.id, "status": "dead,captcha"},
        {"account": account.id, "status": "dead", "q": "sun"},
        {"connection": lanes[1].id, "status": "success,captcha", "q": "rain"},
        {"account": account.id, "connection": lanes[2].id, "error": "media_rejected"},
        {"connection": lanes[0].id, "from": "2000-01-01", "to": "2100-01-01"},
    ]
    async with api_client(core) as client:
        for wanted in asked:
            words = str(wanted.get("status", "")).split(",")
            ids = [
                id_
                for id_, lane, status, word in made
                if wanted.get("connection") in (None, lane)
                and (status in words or words == [""])
                and word.lower().startswith(str(wanted.get("q", "")))
                and ("error" not in wanted or status == "dead")
            ]
            assert ids and await found(client, **wanted) == ids[::-1], wanted
            assert await found(client, **wanted, sort="id") == ids, wanted
            assert await paged(client, **wanted) == ids[::-1], wanted
        assert await found(client, account=factories.add_account(core).id) == []
        assert await found(client, to="2000-01-01") == await found(client, **{"from": "2100-01-01"}) == []


async def test_words_are_found_beyond_the_newest_jobs(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forwarder_core.db.job_search._FIRST", 2)
    monkeypatch.setattr("forwarder_core.db.job_search._MOST", 2)
    connection = factories.add_connection(core)
    captions = ["Sunset"] * 3 + ["Rain"] * 4 + ["Sunset"]
    ids = [
        factories.add_job(core, connection, factories.add_post(core, connection.source_account_id, f"S{n}", caption=c))
        for n, c in enumerate(captions)
    ]
    async with api_client(core) as client:
        assert await found(client, q="sunset") == [ids[7], *ids[2::-1]]
        assert await paged(client, q="sunset") == [ids[7], *ids[2::-1]]
        assert await found(client, q="sunset", sort="id") == [*ids[:3], ids[7]]


async def test_jobs_and_log_lines_of_an_hour_and_of_an_account_are_found(core: Core) -> None:
    connection = factories.add_connection(core)
    now = core.clock.now()
    ids = []
    for hours, status in ((30, "success"), (2, "dead"), (1, "cancelled"), (0, "queued")):
        at = now - timedelta(hours=hours)
        ended = None if status == "queued" else at + timedelta(minutes=1)
        ids.append(factories.add_job(core, connection, status=status, created_at=at, completed_at=ended))
        with core.begin() as tx:
            events.log(tx, [{"at": at, "level": "info", "text": status, "job_id": ids[-1], "account_id": None}])
    long_ago, lately = now - timedelta(hours=48), now - timedelta(hours=3)
    async with api_client(core) as client:
        assert await found(client, ended_from=lately.isoformat()) == ids[2:0:-1]
        assert await found(client, ended_from=long_ago.isoformat(), ended_before=lately.isoformat()) == ids[:1]
        hour = (now - timedelta(hours=2) + timedelta(minutes=1)).hour  # of the installation's zone, which is UTC
        assert await found(client, ended_hour=hour) == ids[1:2]
        assert (await client.get("/api/jobs", params={"ended_hour": 24})).status_code == 422
        of_account = {"account": connection.destination_account_id}
        lines = (await client.get("/api/logs", params=of_account)).json()["items"]
        assert [line["job_id"] for line in lines] == ids[::-1]
        lines = (await client.get("/api/logs", params={**of_account, "hour": (now - timedelta(hours=2)).hour})).json()
        assert [line["text"] for line in lines["items"]] == ["dead"]
        assert (await client.get("/api/logs", params={"account": 2**40})).json()["items"] == []
        shown = (await client.get(f"/api/connections/{connection.id}")).json()
        assert (shown["success_count"], shown["failure_count"], shown["success_rate_7_days"]) == (1, 1, 50.0)


async def test_words_of_the_log_are_found_beyond_its_newest_lines(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forwarder_core.db.events._FIRST", 4)
    lane, now = factories.add_connection(core), core.clock.now()
    texts = [" ".join(["upload"] + ["slow"] * (n % 7 == 0) + ["early"] * (n < 5)) for n in range(30)]
    with core.begin() as tx:
        for n, text in enumerate(texts):
            account, connection = (lane.source_account_id, None) if n % 2 else (None, lane.id)
            line = {"at": now, "level": "info", "text": text, "account_id": account, "connection_id": connection}
            events.log(tx, [line])
    async with api_client(core) as client:
        for q in ("up", "slow", "up slow", "early upl", "slow early", "never", "!"):
            words = q.split()
            expected = [text for text in texts if all(any(t.startswith(w) for t in text.split()) for w in words)]
            for whose in (dict[str, int](), {"account": lane.source_account_id}):
                for sort, ordered in (("id", expected), ("-id", expected[::-1])):
                    asked = {"q": q, "sort": sort, "limit": 6, **whose}
                    told = (await client.get("/api/logs", params=asked)).json()["items"]
                    assert [line["text"] for line in told] == ordered[:6], asked


async def paged(client: httpx.AsyncClient, **wanted: str | int) -> list[int]:
    """The same, two at a time."""
    ids: list[int] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await client.get("/api/jobs", params={**wanted, "limit": 2, **cursor})).json()
        ids += [job["id"] for job in page["items"]]
        if page["next_cursor"] is None:
            return ids
        cursor = {"cursor": page["next_cursor"]}
