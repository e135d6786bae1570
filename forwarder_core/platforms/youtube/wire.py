"""httplib2, the transport of Google's client library, built from our `Exit`: its proxy, its certificates, its timeouts.

What lives here: the connection and the `Http` over it. What does not: sign-in (tokens.py) and calls (client.py).
The fact to know: httplib2 left to itself sends a request again when the connection closes instead of answering, and
follows a 308 as a redirect. For an upload both are wrong: the bytes may have arrived, and 308 means “go on”.
"""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass
from typing import Any

import httplib2
import socks

from forwarder_core.egress import CONNECT_TIMEOUT_S, READ_TIMEOUT_S, Exit

_PROXY_TYPES = {"http": socks.PROXY_TYPE_HTTP, "socks5h": socks.PROXY_TYPE_SOCKS5}


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds. A write counts as one wait for the whole body: a chunk of 8 MiB passes down to 0.6 Mbit/s.

    So the longest that one chunk can take is connect + upload for the write + upload for the answer, 255 s.
    """

    connect_s: float = CONNECT_TIMEOUT_S
    read_s: float = READ_TIMEOUT_S
    upload_s: float = 120.0


def open_wire(exit_: Exit, timeouts: Timeouts) -> httplib2.Http:
    """A transport that goes this way and no other, whatever the environment says. Not to be shared by threads."""
    wire = _Wire(proxy_info=_proxy_info(exit_), timeout=timeouts.connect_s)
    wire.connection_type = type("Connection", (_Connection,), {"tls": exit_.tls(), "timeouts": timeouts})
    wire.redirect_codes = wire.redirect_codes - {308}
    return wire


class _Connection(httplib2.HTTPSConnectionWithTimeout):  # type: ignore[misc]
    tls: ssl.SSLContext
    timeouts: Timeouts

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._context = self.tls  # httplib2's own would trust its bundled certificates instead of the system's
        self._is_upload = False

    def request(self, method: str, url: str, body: Any = None, headers: Any = None, **kwargs: Any) -> None:
        self._is_upload = method == "PUT" and bool(body)
        self.sock.settimeout(self.timeouts.upload_s if self._is_upload else self.timeouts.read_s)
        super().request(method, url, body, headers or {}, **kwargs)

    def getresponse(self) -> Any:
        try:
            return super().getresponse()
        except (http.client.BadStatusLine, http.client.ResponseNotReady) as e:
            if not self._is_upload:
                raise  # a kept connection gone stale: httplib2 asks again on a fresh one
            raise ConnectionResetError("the connection closed before the upload was answered") from e


class _Wire(httplib2.Http):  # type: ignore[misc]
    connection_type: type[_Connection]

    def request(self, *args: Any, **kwargs: Any) -> Any:
        return super().request(*args, **{**kwargs, "connection_type": self.connection_type})


def _proxy_info(exit_: Exit) -> httplib2.ProxyInfo | None:
    """None switches proxies off; leaving it out would read them from the environment."""
    if exit_.proxy is None:
        return None
    return httplib2.ProxyInfo(
        _PROXY_TYPES[exit_.proxy.scheme],
        exit_.proxy.host,
        exit_.proxy.port,
        proxy_rdns=True,
        proxy_user=exit_.proxy.username,
        proxy_pass=exit_.proxy.password,
    )
