"""The contract between the product and a platform: what a platform folder offers, and what it is given.

A platform is one folder under `platforms/` whose `__init__` holds one `SPEC`. It gets an account, a box that holds its
credentials, and an exit to the network; it knows nothing of jobs, rows or Dagster. Whatever a vendor library
throws leaves a platform as a `StepFailed` of `forwarder_core.errors`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from forwarder_core.domain.accounts import Account
from forwarder_core.domain.posts import SeenPost
from forwarder_core.egress import Exit

Secrets = Mapping[str, str]


class CredentialBox(Protocol):
    """The credentials of one account, decrypted on reading."""

    def read(self) -> Secrets: ...

    def change(self, renew: Callable[[Secrets], Secrets]) -> Secrets:
        """Run `renew` on the present secrets while holding their lock, store and return what it returns.

        However many processes ask at once, each sees the result of the one before: `renew` must first look
        whether the secret it wants to replace has been replaced already, and then return it unchanged.
        """
        ...


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the platform says these credentials belong to."""

    remote_id: str
    handle: str
    title: str


class Authenticator(Protocol):
    def identify(self) -> Identity:
        """One read-only call that proves the credentials and says whose they are."""
        ...


@runtime_checkable
class InteractiveAuthenticator(Authenticator, Protocol):
    """Of a way of signing in whose `AuthMethod.asks_code` is true."""

    def sign_in(self, ask_code: Callable[[], str]) -> Identity:
        """The login with a person at hand. `ask_code` blocks until the person has typed in the code the platform
        sent, and returns it, or "" to give up; what signing in won is in the credential box when this returns."""
        ...


@runtime_checkable
class ScopedAuthenticator(Authenticator, Protocol):
    """Of a platform whose credentials say what they are good for."""

    def missing_scopes(self, role: Role) -> tuple[str, ...]:
        """What they are known to lack for this role, in the platform's words. No call is made; where nothing is known,
        nothing is said."""
        ...


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing, as the platform ordered it (pinned posts may come first). `next` None = the end."""

    posts: tuple[SeenPost, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedFile:
    path: Path
    size_bytes: int
    sha256: str


class Source(Protocol):
    """Where posts come from. A failed or odd answer raises; it is never an empty page."""

    def list_posts(self, page: str | None = None) -> Page: ...

    def fetch(self, platform_post_id: str, into: Path, progress: Callable[[int, int | None], None]) -> FetchedFile:
        """Bring the video file to `into` (written beside it first, then renamed).

        `progress(done_bytes, total_bytes)`. Length is checked against what the platform announced.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is to be published, beside the file. `marker` lets us find our own post again."""

    title: str
    caption: str
    tags: tuple[str, ...] = ()
    privacy: str = "public"
    marker: str = ""
    source_url: str = ""  # of the post at its source, for the credit
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFile:
    """A file ready to be sent. `cover` is a JPEG of its first good frame."""

    path: Path
    size_bytes: int
    sha256: str
    duration_ms: int
    width: int
    height: int
    cover: Path | None = None


class SendHooks(Protocol):
    """How a destination tells the engine where it stands; each call returns only after the row is committed."""

    def sent(self, total_bytes: int) -> None:
        """So many bytes of the file are acknowledged by the destination."""
        ...

    def committing(self) -> None:
        """The next call is the irreversible one. Raises `Fenced` if this worker may no longer make it."""
        ...


@dataclass(frozen=True, slots=True)
class Published:
    """`names_post`: the address leads to this very post, however it is looked at; False: only to where it is shown,
    until `verify` has read its own."""

    remote_id: str
    url: str
    names_post: bool = True


class Trace(StrEnum):
    """What the destination says about a publication we are not sure of."""

    PUBLISHED = "published"
    RESUMABLE = "resumable"  # the session lives and is not finished: sending may go on in it
    NOT_FOUND = "not_found"  # no sign of it; proof only after the settle time
    UNKNOWN = "unknown"  # the destination would not say


@dataclass(frozen=True, slots=True)
class Reconciled:
    trace: Trace
    published: Published | None = None
    evidence: str = ""  # which signals agreed, in words, for the admin


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What we know of a publication when we look for it at its destination."""

    session: str | None
    marker: str
    caption: str
    duration_ms: int
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Visibility:
    """How the destination shows a post. `is_final`: it will not change by waiting a little longer. `url`: the post's
    own address, from a destination that did not tell it before."""

    is_live: bool
    is_final: bool
    privacy: str
    duration_ms: int | None
    detail: str
    url: str | None = None


class Destination(Protocol):
    """Where posts go. The engine drives `open → send → verify`, and `reconcile` whenever the outcome is unclear."""

    def open(self, draft: Draft, media: MediaFile) -> str:
        """Start a session at the destination and return its reference: a bearer secret, stored encrypted."""
        ...

    def send(self, session: str, draft: Draft, media: MediaFile, hooks: SendHooks) -> Published:
        """Send the file from where the session stands, then make the one irreversible call, once.

        Before that call `hooks.committing()` runs. If its answer is lost: `OutcomeUnknown`.
        """
        ...

    def reconcile(self, evidence: Evidence) -> Reconciled: ...

    def verify(self, remote_id: str) -> Visibility: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialField:
    """One field of the account form. `is_secret` fields are never shown back. `unless`: fields that, all given, make a
    required one needless. `is_folder`: a place on this server; the platform that asks for one is told FORWARDER_HOME
    when it reads the form. `choices`: the values there are, each with its words; "" = none of them."""

    name: str
    label: str
    help: str = ""
    is_secret: bool = True
    is_required: bool = True
    is_file: bool = False
    is_folder: bool = False
    unless: tuple[str, ...] = ()
    choices: tuple[tuple[str, str], ...] = ()

    def is_missing_in(self, given: Mapping[str, str]) -> bool:
        is_spared = bool(self.unless) and all(given.get(name) for name in self.unless)
        return self.is_required and not given.get(self.name) and not is_spared


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthMethod:
    """`asks_code`: the platform may send a code while signing in; the authenticator is interactive then.

    `web_sign_in`: the module of the folder that signs in on the platform's own page (`WebSignIn`), where there is one;
    `provider` is that page's name in our addresses (`/api/oauth/<provider>/start`), `callback` where it sends back to.
    """

    name: str
    label: str
    fields: tuple[CredentialField, ...]
    asks_code: bool = False
    web_sign_in: str = ""
    provider: str = ""
    callback: str = ""


class Role(StrEnum):
    SOURCE = "source"
    DESTINATION = "destination"
    AUTHENTICATOR = "auth"


SourceFactory = Callable[[Account, CredentialBox, Exit], Source]
DestinationFactory = Callable[[Account, CredentialBox, Exit], Destination]
AuthenticatorFactory = Callable[[Account, CredentialBox, Exit], Authenticator]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorSpec:
    """A platform as the rest of the product sees it. Factories are named `module:attribute` inside the folder, so
    that listing the platforms loads no vendor library."""

    platform: str
    title: str
    handle_label: str  # how the form names the account's handle
    auth_methods: tuple[AuthMethod, ...]
    roles: Mapping[Role, str]
    quotas: str = ""  # `module:function` from an account's secrets to its `SharedQuota`s; "" = there are none
    intake: str = ""  # `module:attribute` of its `intakes.Intake`; "" = no files can be handed in
    hosts: tuple[str, ...] = ()  # hostnames the platform is reached under, for the proxy check and the simulator


# ---- what the simulator gives a platform's fake -----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldAccount:
    platform: str
    id: str
    username: str
    password: str
    secrets: Mapping[str, str] = field(default_factory=dict)
    challenge: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldPost:
    """A post of the simulated world, whether a person posted it or it was uploaded through the fake."""

    platform: str
    account_id: str
    id: str
    url: str
    title: str
    caption: str
    path: Path
    sha256: str
    size_bytes: int
    duration_ms: int
    width: int
    height: int
    privacy: str
    published_at: datetime
    tags: tuple[str, ...] = ()
    uploaded: bool = False  # through the fake's API, i.e. a publication


@dataclass(frozen=True, slots=True)
class WorldFault:
    """A fault armed for this request that only the fake itself can act out (the others act before it is asked)."""

    name: str
    value: Mapping[str, Any] = field(default_factory=dict)


class World(Protocol):
    """The simulated world: accounts, posts, durable notes and the world's clock. State survives restarts."""

    def now(self) -> datetime: ...

    def account(self, platform: str, key: str) -> WorldAccount | None:
        """By id or by username."""
        ...

    def accounts(self, platform: str) -> Sequence[WorldAccount]: ...

    def update_account(self, platform: str, account_id: str, **fields: Any) -> WorldAccount: ...

    def posts(self, platform: str, account_id: str) -> Sequence[WorldPost]:
        """Newest first."""
        ...

    def post(self, platform: str, post_id: str) -> WorldPost | None: ...

    def delete_post(self, platform: str, post_id: str) -> None: ...

    def new_id(self, platform: str) -> str:
        """A fresh post id in the platform's own form (19 digits for Instagram, 11 characters for YouTube)."""
        ...

    def upload_dir(self) -> Path:
        """A folder for half-received uploads; `publish` moves files out of it."""
        ...

    def publish(
        self,
        platform: str,
        account_id: str,
        file: Path,
        *,
        caption: str,
        title: str = "",
        privacy: str = "public",
        tags: Sequence[str] = (),
        post_id: str | None = None,
    ) -> WorldPost:
        """Store, hash and probe an uploaded file and make a post of it, uploaded=True."""
        ...

    def notes(self, platform: str) -> MutableMapping[str, Any]:
        """The fake's own durable state (sessions, tokens, half uploads): JSON values by key, written through."""
        ...

    def take_fault(self, platform: str, route: str, account: str | None, *names: str) -> WorldFault | None:
        """The first armed fault of one of `names` matching this place, its count reduced by one."""
        ...

    def saw(self, platform: str, account: str | None) -> None:
        """Tell the request log whose account the request at hand was about."""
        ...
