"""The instagrapi client as this product needs it: one way out, a limit on every wait, no hidden second tries.

What lives here: building that client from an exit and stored settings, and the few steps of the library whose own
behaviour would hurt (each override says what). What does not: when to sign in, and where settings are kept
(`session`).
The fact to know: left alone the library waits for ever, reads proxies and CAs from the environment, sleeps 60 s and
repeats a request, asks for codes on standard input, and stores a certificate path among the settings of a session.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

import httpx
import instagrapi
import requests
from curl_cffi import CurlOpt
from instagrapi.exceptions import ClientError, ClientIncompleteReadError, ClientRequestTimeout

from forwarder_core.egress import Exit, network_failure
from forwarder_core.errors import AuthExpired, ChallengeRequired, ContractChanged
from forwarder_core.platforms.instagram.errors import failure, refusal
from forwarder_core.platforms.instagram.patience import Impatient, Rest

_CONFIGURE = "media/configure_to_clips/"

# Of a machine or of one client object, not of the account: restored from storage they would outlive their reason.
_NOT_OF_THE_ACCOUNT = {
    "tls_verify",
    "proxy",
    "private_transport",
    "public_transport",
    "public_transport_impersonate",
    "request_timeout",
    "public_request_retries_count",
    "public_request_retries_timeout",
    "session_retry_total",
    "session_retry_backoff_factor",
    "session_retry_statuses",
}
_OF_THE_LOGIN = {"authorization_data", "cookies", "ig_u_rur", "ig_www_claim", "last_login"}

# The library logs whole answers, sessions included, at debug level and bodies at error level.
_SILENT = logging.Logger("instagrapi.silent", level=logging.CRITICAL + 1)


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the client rests, in seconds: between two calls, a random addition from-to, and around each configure
    step, while Instagram converts the file (the library gives up after 50 of them)."""

    between_calls_s: float = 1.0
    random_s: tuple[float, float] | None = None
    configure_s: float = 10.0


POLITE = Pace()

# What devices have signed with their keys, by the key's digest: the value, and until when it is good (Unix seconds).
_signed: OrderedDict[str, tuple[str, int]] = OrderedDict()
_MOST_SIGNED = 1_000


class Commit(Protocol):
    """Who is told of the one irreversible call of an upload, the configure step, right before and right after it."""

    def before(self) -> None: ...

    def after(self, answer: Mapping[str, Any]) -> None: ...


class Client(instagrapi.Client):  # type: ignore[misc]  # the library is untyped
    """instagrapi's client; every method below replaces one of the library's that would surprise us.

    `ask_code` is given by the interactive login only: it waits for the code a person was sent and returns it.
    """

    way_out: Exit = Exit()
    rest: Rest = Rest()
    ask_code: Callable[[], str] | None = None
    commit: Commit | None = None

    @property
    def request_timeout(self) -> float:
        """Seconds the library sleeps before its next call, before the first as well. A client lives for one look or one
        step, and most make one call: what nothing came before has nothing to rest from."""
        return self.rest.left_s

    @request_timeout.setter
    def request_timeout(self, _: float) -> None:
        """The library writes its own and what it has read."""

    def _send_private_request(self, endpoint: str, *args: Any, **kwargs: Any) -> Any:
        """The library sleeps 60 s (HTTP 408) or 2 s (broken body) and then sends the request a second time."""
        try:
            if self.commit is None or not endpoint.startswith(_CONFIGURE):
                return super()._send_private_request(endpoint, *args, **kwargs)
            self.commit.before()
            with self._fresh_connection():
                answer = super()._send_private_request(endpoint, *args, **kwargs)
            self.commit.after(answer)
            return answer
        except (ClientRequestTimeout, ClientIncompleteReadError) as e:
            raise failure(e, self.way_out) from e

    @contextmanager
    def _fresh_connection(self) -> Iterator[None]:
        """Without the pool: curl quietly sends a request again when a connection it reused turns out to be dead."""
        options = self.private.get_adapter("https://").client.curl_options
        options[CurlOpt.FRESH_CONNECT] = 1
        try:
            yield
        finally:
            options.pop(CurlOpt.FRESH_CONNECT, None)

    def usdid_header(self, *args: Any, **kwargs: Any) -> str:
        """The library signs once an hour for each client, and a client lives for one look: the device keeps it here.
        A signature takes 3 CPU-ms, three times as much as all else that makes a client."""
        if not self.usdid_private_key:  # a new device: its key is made by the first signature
            return str(super().usdid_header(*args, **kwargs))
        key = hashlib.sha256(f"{self.usdid}\0{self.usdid_private_key}".encode()).hexdigest()
        self._usdid_header_cache, self._usdid_header_expires_at = _signed.get(key, ("", 0))
        value = str(super().usdid_header(*args, **kwargs))
        _signed[key] = (value, self._usdid_header_expires_at)
        if len(_signed) > _MOST_SIGNED:
            _signed.popitem(last=False)
        return value

    def password_publickeys(self) -> Any:
        """The library reads headers of whatever answer came, and would wait for it and take it in without limit."""
        own = {name: str(value) for name, value in self.public.headers.items() if name.lower() != "accept-encoding"}
        try:
            with self.way_out.http(headers=own, follows=True) as client:
                answer = client.get("https://i.instagram.com/api/v1/qe/sync/")
        except httpx.RequestError as e:
            raise network_failure(e, self.way_out) from e
        if not answer.is_success:
            raise refusal(answer.status_code, answer.headers)
        return (
            int(answer.headers["ig-set-password-encryption-key-id"]),
            answer.headers["ig-set-password-encryption-pub-key"],
        )

    def login_flow(self) -> bool:
        """The feeds the app loads after a login. Their failure must not cost the session that was just won."""
        with suppress(ClientError, requests.RequestException, KeyError):
            return bool(super().login_flow())
        return False

    def user_info_v1(self, user_id: str, *args: Any, **kwargs: Any) -> Any:
        """During a login by session id the library answers a refusal by trying two more ways, the last of them the
        public web without a login; the first refusal is the answer."""
        try:
            return super().user_info_v1(user_id, *args, **kwargs)
        except ClientError as e:
            raise failure(e, self.way_out) from e

    def user_short_gql(self, user_id: str, *args: Any, **kwargs: Any) -> Any:
        """The last of those ways: the public web, which would show Instagram this address without a login."""
        raise ContractChanged("Instagram's answer about this account has a form the client library does not know.")

    def bloks_caa_resolve_two_step_verification(
        self, send_result: Any, verification_code: str = "", domain: str | None = None
    ) -> Any:
        """The library would send the authenticator's code where the code of an e-mail is asked for, and makes
        Instagram send that e-mail even when nobody waits for it."""
        if self.ask_code is None:
            raise ChallengeRequired("Instagram wants to send a code to this account's e-mail address or phone.")
        return super().bloks_caa_resolve_two_step_verification(send_result, "", domain)

    def challenge_resolve_contact_form(self, challenge_url: str) -> Any:
        """The library would open the web form in a session of its own: no timeout, proxies of the environment."""
        raise ChallengeRequired("Instagram wants this account confirmed on its website.")

    def challenge_code_or_raised(self, choice: object, *args: Any, **kwargs: Any) -> str:
        """The library prints the code to standard output, where logs are made of it."""
        code = self.challenge_code_handler(self.username, choice)
        if not code:
            raise ChallengeRequired("The code Instagram sent was not entered.")
        return code

    def challenge_code_handler(self, username: str, choice: object = None) -> str:
        return self.ask_code() if self.ask_code else ""

    def change_password_handler(self, username: str) -> str:
        raise ChallengeRequired("Instagram wants a new password for this account.")


def build(
    exit_: Exit, settings: Mapping[str, Any], *, pace: Pace = POLITE, ask_code: Callable[[], str] | None = None
) -> Client:
    """A client that goes out by `exit_` only. `settings` from `settings_of`, or empty for a new device."""
    client = Client(
        settings=dict(settings),
        proxy=exit_.proxy.url if exit_.proxy else None,
        delay_range=[rest_s * exit_.pace for rest_s in pace.random_s] if pace.random_s else None,
        logger=_SILENT,
        tls_verify=str(exit_.ca_bundle) if exit_.ca_bundle else True,
        private_transport="curl",
        session_retry_total=0,
        public_request_retries_count=1,
        public_request_retries_timeout=0,
        with_challenge_flow=ask_code is not None,
    )
    client.way_out = exit_
    client.rest = Rest(pace.between_calls_s * exit_.pace)
    client.ask_code = ask_code
    client.handle_exception = None
    for session in (client.private, client.public):
        session.trust_env = False
        # The library makes its sessions itself; wrapping a bound method instead would be a cycle that keeps sockets.
        session.__class__ = Impatient
        session.answer_s, session.rest = exit_.answer_s, client.rest
    return client


def warm() -> None:
    """What a process that forks one child per run does once for all of them: the curve of a device's signatures."""
    unknown = instagrapi.Client.__new__(instagrapi.Client)
    unknown.usdid_header()


def settings_of(client: Client) -> dict[str, Any]:
    """What may be stored: the device, its ids and the session."""
    kept = {name: value for name, value in client.get_settings().items() if name not in _NOT_OF_THE_ACCOUNT}
    # Round trip: what is stored is what will be read, and an unserialisable value fails here, at the login.
    return dict(json.loads(json.dumps(kept)))


def device_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The same device without its session, for a new login: the device stays the account's for ever."""
    return {name: value for name, value in settings.items() if name not in _OF_THE_LOGIN}


def session_id_of(settings: Mapping[str, Any]) -> str | None:
    """The session the settings hold, by either of the two places the library keeps it in."""
    found = (settings.get("authorization_data") or {}).get("sessionid") or (settings.get("cookies") or {}).get(
        "sessionid"
    )
    return str(found) if found else None


def require_session(client: Client) -> None:
    """A login the library calls successful can still lack a session; without one every next call would be refused."""
    if not session_id_of(client.get_settings()):
        raise AuthExpired("Instagram accepted the login but gave no session.")
