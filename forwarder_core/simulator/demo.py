"""The demo: an installation whose far end is simulated. Its settings, its accounts and connections, its new posts.

What lives here: what the demo is made of, over services and the control API. What does not: starting and stopping
processes (embedded), what is printed (cli).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy.engine import make_url

from forwarder_core.connectors import registry
from forwarder_core.connectors.base import Role
from forwarder_core.domain.accounts import Account, Rights
from forwarder_core.domain.connections import Connection, ConnectionStatus
from forwarder_core.errors import Invalid
from forwarder_core.services import accounts, connections, handing_in, tunables
from forwarder_core.services.accounts import NewAccount
from forwarder_core.services.connections import NewConnection
from forwarder_core.services.context import Core
from forwarder_core.services.handing_in import Upload
from forwarder_core.settings import Settings
from forwarder_core.simulator import clips
from forwarder_core.simulator.client import ControlClient

CHECK_EVERY_MINUTES = 5 / 60
# Faster than a real installation, so that there is something to see.
_TUNABLES = {"detection.min_interval_s": 2.0, "verify.poll_s": 0.5}
_HANDLES = {"youtube": "id"}  # elsewhere the handle is the username
_SUBJECTS = ("Sunset over the harbour", "Street food at night", "First snow", "Morning run", "Market day", "Old town")
_TAGS = ("#travel", "#reels", "#city", "#food", "#winter", "#slow")


@dataclass(frozen=True, slots=True)
class Road:
    """A connection of the demo: which platforms, and how Instagram is reached."""

    source: str
    destination: str
    method: str = ""

    @classmethod
    def parse(cls, kind: str, method: str = "") -> Road:
        """From `instagram_to_youtube`. Raises Invalid for ends that do not exist."""
        source, _, destination = kind.partition("_to_")
        for platform, role in ((source, Role.SOURCE), (destination, Role.DESTINATION)):
            if platform not in registry.specs() or role not in registry.spec(platform).roles:
                able = ", ".join(p for p, spec in registry.specs().items() if role in spec.roles)
                raise Invalid(f"“{platform}” cannot be a {role} in “{kind}”.", action=f"As a {role} there is: {able}.")
        return cls(source, destination, method)

    @property
    def name(self) -> str:
        return "_".join(part for part in (self.source, "to", self.destination, self.method) if part)


# What a demo that stays shows: both directions, both ways into Instagram, and the two roads that need no platform.
ROADS = (
    Road("instagram", "youtube"),
    Road("instagram", "youtube", "graph_api"),
    Road("youtube", "instagram", "private"),
    Road("youtube", "instagram", "graph_api"),
    Road("library", "youtube"),
    Road("instagram", "archive"),
)


def settings_of(settings: Settings, *, gateway: str, control: str) -> Settings:
    """The settings of the demo beside a real installation: its own home, its own databases, everything through the
    simulator's gateway."""
    home = settings.home / "demo"
    database = settings.database_url
    if database is not None:
        url = make_url(database)
        database = url.set(database=f"{url.database}_demo").render_as_string(hide_password=False)
    return settings.model_copy(
        update={
            "home": home,
            "database_url": database,
            "outbound_proxy": gateway,
            "ca_bundle": home / "simulator" / "ca.pem",
            "simulator_url": control,
            "allow_private_networks": ("127.0.0.0/8",),
            "secret_keys_file": None,
        }
    )


def tune(core: Core) -> None:
    tunables.change(core, _TUNABLES)


def ensure_connection(core: Core, world: ControlClient, road: Road) -> Connection:
    """The demo's connection of this road, active."""
    source = _ensure_account(core, world, road, road.source, Role.SOURCE)
    destination = _ensure_account(core, world, road, road.destination, Role.DESTINATION)
    known = next(
        (c for c in connections.page(core, q=f"demo_{road.name}", limit=1_000) if c.name == f"demo_{road.name}"), None
    )
    if known is None:
        new = NewConnection(
            name=f"demo_{road.name}",
            source_account_id=source.id,
            destination_account_id=destination.id,
            schedule={"type": "continuous", "check_interval_minutes": CHECK_EVERY_MINUTES},
        )
        known = connections.create(core, new)
    return known if known.status is ConnectionStatus.ACTIVE else connections.start(core, known.id)


def _ensure_account(core: Core, world: ControlClient, road: Road, platform: str, role: Role) -> Account:
    username = f"demo_{road.name}_{'from' if role is Role.SOURCE else 'to'}"
    methods = registry.spec(platform).auth_methods
    method = next((m for m in methods if m.name == road.method), methods[0])
    if _has_a_world(platform):
        made = world.ensure_account(platform, username)
        handle = str(made[_HANDLES.get(platform, "username")])
        credentials = _credentials(made, [f.name for f in method.fields])
    else:
        handle, credentials = username, {"folder": str(_folder(core, platform, username))}
    for known in accounts.page(core, platform=platform, limit=1_000):
        if known.handle == handle:
            return known
    new = NewAccount(
        platform=platform,
        alias=f"{registry.spec(platform).title} {'source' if role is Role.SOURCE else 'destination'} ({road.name})",
        handle=handle,
        auth_method=method.name,
        credentials=credentials,
        rights=Rights.OWN,
        rights_note="made by the demo",
    )
    return accounts.create(core, new)


def _has_a_world(platform: str) -> bool:
    """A platform that is reached under no hostname is on this machine, and real: nothing of it is simulated."""
    return bool(registry.spec(platform).hosts)


def _folder(core: Core, platform: str, name: str) -> Path:
    folder = core.settings.home.absolute() / platform / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _credentials(made: dict[str, Any], wanted: list[str]) -> dict[str, str]:
    return {name: str(value) for name, value in made["credentials"].items() if name in wanted}


def post_reel(world: ControlClient, road: Road, *, number: int, video: Path | None = None) -> dict[str, Any]:
    """A new reel on the demo's source account: the given file, or a clip made for it."""
    caption, length_s = _words(number)
    account = f"demo_{road.name}_from"
    if video is not None:
        return world.add_post(road.source, account, caption, file=str(video))
    # One in three lies on its side, where the source takes such: a Short stands.
    lies = number % 3 == 0 and road.source != "youtube"
    size = {"width": 1280, "height": 720} if lies else {"width": 720, "height": 1280}
    return world.add_post(road.source, account, caption, seconds=length_s, **size)


def new_post(
    core: Core, world: ControlClient, connection: Connection, road: Road, *, number: int, video: Path | None = None
) -> dict[str, Any]:
    """A new post at the source of the demo's connection, whether that is a simulated account or a folder: `{id, url}`.

    Raises Invalid or ControlFailed for a file the source does not take.
    """
    if _has_a_world(road.source):
        return post_reel(world, road, number=number, video=video)
    with TemporaryDirectory(prefix="demo-") as folder:
        caption, length_s = _words(number)
        clip = clips.Clip(seed=number % 1_000_000, seconds=length_s, width=720, height=1280)
        path = video or clips.make(clip, Path(folder) / f"clip-{number}.mp4")
        with path.open("rb") as content:
            name = f"clip-{number}{path.suffix}"
            upload = Upload(name=name, content=content, size_bytes=path.stat().st_size)
            sheet = f'file,caption\n{name},"{caption}"\n'.encode()
            (made,) = handing_in.hand_in(core, connection.source_account_id, [upload], sheet, who="demo")
    return {"id": made.id, "url": f"{road.source}:{made.name}"}


def _words(number: int) -> tuple[str, int]:
    """The caption and the seconds of the post of this number."""
    draw = Random(number)
    caption = f"{draw.choice(_SUBJECTS)} {' '.join(draw.sample(_TAGS, 2))}"
    return caption, draw.choice((5, 6, 8))
