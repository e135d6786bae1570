"""Whole jobs through proxies that others wrote: every client library, with and without a login, and nowhere else.

The installation's own way out leads to the simulator too, so a call that took it would show.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.domain.proxies import Assignment, Blame, Health, Proxy, ProxyType
from forwarder_core.egress import Exit, ProxyAddress, download
from forwarder_core.errors import ProxyFailed
from forwarder_core.platforms.instagram import client as instagram
from forwarder_core.platforms.instagram.source import InstagramSource
from forwarder_core.services import accounts, exits, proxies, proxy_health, steps, tunables
from forwarder_core.services.carrying import Carrier
from forwarder_core.services.context import Core
from forwarder_core.services.proxies import NewProxy
from forwarder_core.simulator.testing import Simulator
from tests import factories
from tests.integration.other_proxies import behind_gateway, foreign_socks, own_socks, proxy_py

pytestmark = pytest.mark.slow
WHO = "admin"
LOGINS = [None, ("ann", "p@ss:w/rd")]
STEPS = (steps.fetch_post, steps.transform_video, steps.publish_video, steps.verify_publication)


@pytest.fixture
def core(database_url: str, tmp_path: Path, simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Core]:
    pace = instagram.Pace(between_calls_s=0, configure_s=0)
    monkeypatch.setattr(InstagramSource.__init__, "__kwdefaults__", {"pace": pace})
    simulator.disarm()
    simulator.reset()
    settings = {**factories.through(simulator), "allow_private_networks": ("127.0.0.0/8",)}
    with factories.make_core(database_url, ManualClock(datetime.now(UTC)), tmp_path, **settings) as core:
        tunables.change(core, {"verify.poll_s": 0.05})
        proxy_health.change_targets(core, ["https://www.instagram.com/"], f"{simulator.control_url}/ip", who=WHO)
        yield core


def add(core: Core, kind: ProxyType, port: int, login: tuple[str, str] | None) -> Proxy:
    username, password = login or (None, None)
    return proxies.create(
        core,
        NewProxy(
            alias=f"{kind} {port}",
            type=kind,
            host="127.0.0.1",
            port=port,
            username=username,
            password=password,
            assignment=Assignment.PER_CONNECTION,
        ),
        who=WHO,
    )


@contextmanager
def another(kind: ProxyType, home: Path, behind: int, login: tuple[str, str] | None) -> Iterator[int]:
    """The port of a proxy of another make, in front of the simulator's at port `behind`."""
    made = own_socks(behind_gateway(behind), login) if kind is ProxyType.SOCKS5 else proxy_py(home, behind, login)
    with made as port:
        yield port


def calls(simulator: Simulator) -> list[dict[str, Any]]:
    """Without the checks' own, which come before."""
    return [request for request in simulator.requests() if request["path"] != "/ip"]


@pytest.mark.parametrize("kind", [ProxyType.HTTP, ProxyType.SOCKS5])
@pytest.mark.parametrize("login", LOGINS, ids=["open", "login"])
def test_a_whole_job_and_its_way_back_come_out_of_a_proxy_of_another_make(
    core: Core, simulator: Simulator, tmp_path: Path, kind: ProxyType, login: tuple[str, str] | None
) -> None:
    behind = simulator.open_proxy()
    with another(kind, tmp_path, behind["port"], login) as port:
        proxy = add(core, kind, port, login)
        assert proxy_health.check(core, proxy.id).proxy.health is Health.HEALTHY
        source, person = factories.simulated_account(core, simulator, "instagram")
        channel, channel_id = factories.simulated_account(core, simulator, "youtube")
        reel = simulator.add_post("instagram", person, "Sunset", seconds=3, width=144, height=256)
        connection = factories.add_connection(core, source, channel, proxy_id=proxy.id)
        job = factories.add_job(core, connection, factories.add_post(core, source.id, reel["id"]))
        carrier = Carrier(core, job, factories.dispatch(core, job).dispatch_no, "run")
        assert carrier.claim()
        for step in STEPS:
            step(carrier)
        carrier.let_go()
        with core.begin() as tx:
            exit_ = exits.exit_of(core, tx, channel, job_id=job)
        (made,) = simulator.publications("youtube", channel_id)
        back = exits.source(core, channel, exit_).fetch(made["id"], tmp_path / "back.mp4", lambda done, total: None)
        assert accounts.test(core, source.id)  # the library's other session

    assert (exit_.label, back.sha256) == (proxy.address, made["sha256"])
    seen = calls(simulator)
    assert {request["exit_ip"] for request in seen} == {behind["exit_ip"]}
    hosts = {str(request["host"]).partition(".")[2] for request in seen}
    assert hosts >= {"instagram.com", "googleapis.com", "youtube.com"}, "instagrapi, httplib2 and yt-dlp"
    paths = {str(request["path"]) for request in seen}
    assert {"/token", "/videoplayback"} <= paths and any(path.endswith(".mp4") for path in paths), "refresh, downloads"


@pytest.mark.parametrize("kind", [ProxyType.HTTP, ProxyType.SOCKS5])
def test_a_proxy_of_another_make_that_refuses_the_login_is_told_as_just_that(
    core: Core, simulator: Simulator, tmp_path: Path, kind: ProxyType
) -> None:
    behind = simulator.open_proxy()
    with another(kind, tmp_path, behind["port"], ("ann", "right")) as port:
        proxy = add(core, kind, port, ("ann", "wrong"))
        (test,) = proxy_health.check(core, proxy.id).tests
        assert (test.blame, test.code) == (Blame.PROXY, "login")
        channel, _ = factories.simulated_account(core, simulator, "youtube", proxy_id=proxy.id)
        person, _ = factories.simulated_account(core, simulator, "instagram", proxy_id=proxy.id)
        for account in (channel, person):
            with pytest.raises(ProxyFailed):
                accounts.test(core, account.id)

    assert simulator.requests() == []


@pytest.mark.parametrize("login", LOGINS, ids=["open", "login"])
def test_the_clients_speak_socks_as_another_author_understood_it(
    simulator: Simulator, tmp_path: Path, login: tuple[str, str] | None
) -> None:
    asked = f"{simulator.control_url}/ip"
    with foreign_socks("127.0.0.77", login) as port:
        exit_ = Exit(proxy=ProxyAddress("socks5h", "127.0.0.1", port, *(login or ())), ca_bundle=simulator.ca_path)
        library = instagram.build(exit_, {})
        here = {"Host": asked.split("/")[2]}  # the library's own names Instagram
        said = [session.get(asked, headers=here).text for session in (library.private, library.public)]
        with exit_.http() as client:
            said.append(client.get(asked).text)
        assert exit_.proxy and all("127.0.0.77" in one for one in said), said
        proxy = ProxyAddress("socks5h", "127.0.0.1", port, "ann", "wrong")
        wrong = Exit(proxy=proxy, ca_bundle=simulator.ca_path, allowed_networks=("127.0.0.0/8",))
        if login:
            with pytest.raises(ProxyFailed):
                download(wrong, asked, tmp_path / "f", max_bytes=1_000, progress=lambda done, total: None)
