"""Every class of every library on YouTube's road, by name: an upgrade that adds or drops one fails here until somebody
has decided what it means. Google's reasons within an HttpError are in test_youtube_errors.py.
"""

from __future__ import annotations

import http.client
import inspect
from datetime import UTC, datetime
from types import ModuleType

import google.auth.exceptions
import googleapiclient.errors
import httplib2
import httplib2.decode
import pytest
import yt_dlp.networking.exceptions
import yt_dlp.utils

from forwarder_core.egress import Exit, ProxyAddress
from forwarder_core.errors import failure_classes
from forwarder_core.platforms.youtube import download_child, download_errors
from forwarder_core.platforms.youtube.errors import VENDOR_ERRORS, failure

BEHIND = Exit(ProxyAddress("http", "proxy.example", 3128))
TRANSIENT, NETWORK, PROXY, CHANGED = "platform_transient", "network_error", "proxy_error", "contract_changed"
EXPIRED, BUG = "token_expired", "bug"

GOOGLE_AUTH = {
    "ClientCertError": BUG,
    "DefaultCredentialsError": BUG,
    "GoogleAuthError": TRANSIENT,
    "InvalidOperation": BUG,
    "InvalidResource": BUG,
    "InvalidType": BUG,
    "InvalidValue": BUG,
    "MalformedError": CHANGED,
    "MutualTLSChannelError": BUG,
    "OAuthError": EXPIRED,
    "OSError": BUG,
    "ReauthFailError": EXPIRED,
    "ReauthSamlChallengeFailError": EXPIRED,
    "RefreshError": TRANSIENT,  # with an OAuth error in it: test_youtube_errors.py
    "ResponseError": TRANSIENT,
    "TimeoutError": NETWORK,
    "TransportError": NETWORK,
    "UserAccessTokenError": EXPIRED,
}
GOOGLE_API = {
    "BatchError": BUG,
    "Error": BUG,
    "HttpError": TRANSIENT,
    "InvalidChunkSizeError": BUG,
    "InvalidJsonError": CHANGED,
    "InvalidNotificationError": BUG,
    "MediaUploadSizeError": "media_rejected",
    "ResumableUploadError": TRANSIENT,
    "UnacceptableMimeTypeError": BUG,
    "UnexpectedBodyError": BUG,
    "UnexpectedMethodError": BUG,
    "UnknownApiNameOrVersion": BUG,
    "UnknownFileType": BUG,
    "UnknownLinkType": BUG,
}
HTTPLIB2 = {
    "FailedToDecompressContent": TRANSIENT,
    "HttpLib2Error": NETWORK,
    "HttpLib2ErrorWithResponse": NETWORK,
    "MalformedHeader": TRANSIENT,
    "ProxiesUnavailableError": BUG,
    "RedirectLimit": TRANSIENT,
    "RedirectMissingLocation": TRANSIENT,
    "RelativeURIError": CHANGED,
    "ServerNotFoundError": NETWORK,
    "UnimplementedDigestAuthOptionError": CHANGED,
    "UnimplementedHmacDigestAuthOptionError": CHANGED,
}
DECODE = {"DecodeLimitError": TRANSIENT, "DecodeRatioError": TRANSIENT}
HTTP_CLIENT = {
    "BadStatusLine": NETWORK,
    "CannotSendHeader": NETWORK,
    "CannotSendRequest": NETWORK,
    "HTTPException": NETWORK,
    "ImproperConnectionState": NETWORK,
    "IncompleteRead": NETWORK,
    "InvalidURL": CHANGED,
    "LineTooLong": NETWORK,
    "NotConnected": NETWORK,
    "RemoteDisconnected": NETWORK,
    "ResponseNotReady": NETWORK,
    "UnimplementedFileMode": BUG,
    "UnknownProtocol": NETWORK,
    "UnknownTransferEncoding": NETWORK,
}
# As the child process describes them: by their names alone, without any of the words the table goes by.
YT_DLP = {
    "CertificateVerifyError": NETWORK,
    "ContentTooShortError": NETWORK,
    "DownloadCancelled": CHANGED,
    "DownloadError": CHANGED,
    "EntryNotInPlaylist": CHANGED,
    "ExistingVideoReached": CHANGED,
    "ExtractorError": CHANGED,
    "GeoRestrictedError": "geo_blocked",
    "HTTPError": CHANGED,
    "IncompleteRead": NETWORK,
    "MaxDownloadsReached": CHANGED,
    "NoSupportingHandlers": CHANGED,
    "PostProcessingError": CHANGED,
    "ProxyError": PROXY,
    "ReExtractInfo": CHANGED,
    "RegexNotFoundError": CHANGED,
    "RejectedVideoReached": CHANGED,
    "RequestError": CHANGED,
    "SSLError": NETWORK,
    "SameFileError": CHANGED,
    "ThrottledDownload": CHANGED,
    "TransportError": NETWORK,
    "UnavailableVideoError": CHANGED,
    "UnsafeExecExpansionError": CHANGED,
    "UnsupportedError": CHANGED,
    "UnsupportedRequest": CHANGED,
    "UserNotLive": CHANGED,
    "XAttrMetadataError": CHANGED,
    "XAttrUnavailableError": CHANGED,
    "YoutubeDLError": CHANGED,
}
TABLE = [
    (google.auth.exceptions, GOOGLE_AUTH),
    (googleapiclient.errors, GOOGLE_API),
    (httplib2, HTTPLIB2),
    (httplib2.decode, DECODE),
    (http.client, HTTP_CLIENT),
]


def exceptions_of(*modules: ModuleType) -> dict[str, type[Exception]]:
    return {
        kind.__name__: kind
        for module in modules
        for kind in vars(module).values()
        if inspect.isclass(kind)
        and issubclass(kind, Exception)
        and not issubclass(kind, Warning)
        and kind.__module__.startswith(module.__name__.partition(".")[0])
    }


def bare(kind: type[Exception]) -> Exception:
    """One that says as little as its class allows, and can be printed."""
    answer = httplib2.Response({"status": "500"})
    for given in ((), ("x",), (answer, b"x"), ("x", answer, b"x"), ("x", "y", "z")):
        try:
            made = kind(*given)
            str(made)
        except Exception:  # noqa: BLE001 - the next way of making it
            continue
        return made
    raise AssertionError(f"{kind.__name__} cannot be made")


@pytest.mark.parametrize(("module", "expected"), TABLE, ids=lambda value: getattr(value, "__name__", ""))
def test_each_class_of_the_library_has_a_row(module: ModuleType, expected: dict[str, str]) -> None:
    found = exceptions_of(module)
    assert set(found) == set(expected)
    assert all(issubclass(kind, VENDOR_ERRORS) for kind in found.values()), "each is caught where calls are made"
    assert {name: failure(bare(kind), BEHIND, datetime.now(UTC)).code for name, kind in found.items()} == expected
    assert set(expected.values()) <= failure_classes().keys()


def test_each_class_of_the_downloader_has_a_row() -> None:
    found = exceptions_of(yt_dlp.utils, yt_dlp.networking.exceptions)
    found = {name: kind for name, kind in found.items() if issubclass(kind, yt_dlp.utils.YoutubeDLError)}
    assert set(found) == set(YT_DLP)
    made = {name: download_errors.failure(described(kind), BEHIND).code for name, kind in found.items()}
    assert made == YT_DLP


def described(kind: type[Exception]) -> dict[str, object]:
    kinds = {each.__name__ for each in kind.__mro__[:-3]}
    words = "in your country" if kind.__name__ == "GeoRestrictedError" else "words"
    return {"text": words, "warnings": "", "kinds": sorted(kinds), "status": None, "in_file": False}


def test_the_child_tells_the_names_of_all_classes_involved() -> None:
    inner = yt_dlp.networking.exceptions.TransportError("reset")
    told = download_child._described(
        yt_dlp.utils.DownloadError("x", (type(inner), inner, None)), download_child._Listener(), _course()
    )
    assert {"DownloadError", "TransportError", "RequestError"} <= set(told["kinds"])


def _course() -> download_child._Course:
    return download_child._Course(1, lambda line: None)
