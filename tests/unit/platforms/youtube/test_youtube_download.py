"""What yt-dlp's troubles mean, which options it runs with, and how old it is."""

from __future__ import annotations

from datetime import date, timedelta
from importlib import metadata
from typing import Any

import pytest

from forwarder_core.egress import Exit, ProxyAddress
from forwarder_core.errors import (
    BotCheck,
    ClientOutdated,
    ContractChanged,
    GeoBlocked,
    LocalFailed,
    MediaRejected,
    NetworkFailed,
    PlatformTransient,
    ProxyBlocked,
    ProxyFailed,
    RateLimited,
    SourceGone,
    SourceLoginRequired,
    StepFailed,
)
from forwarder_core.platforms.youtube import download, download_child
from forwarder_core.platforms.youtube.download_errors import FileRefused, failure

BEHIND = Exit(ProxyAddress("http", "10.0.0.1", 8080, "worker", "secret"))
HINT = " Use --cookies-from-browser or --cookies for the authentication."
ORDER: dict[str, Any] = {
    "video_id": "dQw4w9WgXcQ",
    "folder": "/tmp/50%/f.part",
    "proxy": "",
    "cookies": "",
    "silence_s": 30.0,
    "ffmpeg": "",
    "runtimes": {"deno": "/opt/deno"},
}


def report(text: str, *kinds: str, status: int | None = None, in_file: bool = False) -> dict[str, Any]:
    return {"text": text, "warnings": "", "kinds": ["DownloadError", *kinds], "status": status, "in_file": in_file}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (report(f"Sign in to confirm you’re not a bot.{HINT}"), BotCheck),
        (report("YouTube is requiring a captcha challenge before playback"), BotCheck),
        (report(f"Sign in to confirm your age.{HINT}"), SourceLoginRequired),
        (report(f"This video is private. Sign in if you've been granted access.{HINT}"), SourceGone),
        (report(f"Private video. Sign in if you've been granted access to this video.{HINT}"), SourceGone),
        (report("Join this channel to get access to members-only content"), SourceLoginRequired),
        (report("This video is only available for registered users"), SourceLoginRequired),
        (report("Video unavailable. This video has been removed by the uploader"), SourceGone),
        (report("Video unavailable. The uploader has not made this video available in your country"), GeoBlocked),
        (report("not available from your location due to geo restriction", "GeoRestrictedError"), GeoBlocked),
        (report("Video unavailable. The account associated with this video has been terminated"), SourceGone),
        (report("Unable to download API page: HTTP Error 429: Too Many Requests", status=429), RateLimited),
        (report("The current session has been rate-limited by YouTube for up to an hour"), RateLimited),
        (report("HTTP Error 403: Forbidden", "HTTPError", status=403), ProxyBlocked),
        (report("unable to download video data: HTTP Error 403", "HTTPError", status=403, in_file=True), FileRefused),
        (report("HTTP Error 503: Service Unavailable", "HTTPError", status=503), PlatformTransient),
        (report("Premieres in 3 hours"), PlatformTransient),
        (report("Requested format is not available"), ClientOutdated),
        (report("An extractor error has occurred; please report this issue on …"), ClientOutdated),
        (report("Read timed out", "TransportError"), NetworkFailed),
        (report("[SSL: CERTIFICATE_VERIFY_FAILED]", "CertificateVerifyError", "TransportError"), NetworkFailed),
        (report("('Unable to connect to proxy', …)", "ProxyError", "TransportError"), ProxyFailed),
        (report("Tunnel connection failed: 407 Proxy Authentication Required"), ProxyFailed),
        (report("unable to write data: [Errno 28] No space left on device"), LocalFailed),
        (report("", "MemoryError"), LocalFailed),
        (report("No module named 'yt_dlp'", "ModuleNotFoundError", "ImportError"), LocalFailed),
        (report("failed to load cookies", "CookieLoadError"), SourceLoginRequired),
        (report("", "_TooLarge"), MediaRejected),
        (report("something new"), ContractChanged),
    ],
)
def test_each_trouble_has_its_class(told: dict[str, Any], expected: type[StepFailed]) -> None:
    assert type(failure(told, BEHIND)) is expected


def test_what_it_warned_of_explains_what_it_says_in_the_end() -> None:
    told = report("Failed to extract any player response")
    assert type(failure(told, BEHIND)) is ClientOutdated
    assert type(failure(told | {"warnings": "HTTP Error 429: Too Many Requests"}, BEHIND)) is RateLimited
    told = report("No video formats found!; please report this issue on …")
    assert type(failure(told | {"warnings": "HTTP Error 503: Service Unavailable"}, BEHIND)) is PlatformTransient
    assert type(failure(told, BEHIND)) is ClientOutdated
    both = report("Private video") | {"warnings": "HTTP Error 429: Too Many Requests"}
    assert type(failure(both, BEHIND)) is SourceGone


def test_without_a_proxy_no_proxy_is_blamed() -> None:
    assert type(failure(report("socks", "ProxyError", "TransportError"), Exit())) is NetworkFailed


def test_an_old_downloader_is_named_as_what_to_mend() -> None:
    assert "yt-dlp" in failure(report("Requested format is not available"), BEHIND).action


def test_secrets_in_its_words_are_not_passed_on() -> None:
    raw = failure(report("GET https://x/?access_token=ya29.verysecret failed"), BEHIND).raw
    assert raw and "verysecret" not in raw


def test_it_reads_no_configuration_and_no_environment() -> None:
    options = download_child.options(ORDER)
    assert options["proxy"] == ""  # no proxy, whatever the environment says
    assert options["cachedir"] is False
    assert options["compat_opts"] == {"no-certifi"}
    assert options["outtmpl"]["default"].startswith("/tmp/50%%/")
    assert options["js_runtimes"] == {"deno": {"path": "/opt/deno"}}


def test_without_ffmpeg_only_whole_files_are_asked_for() -> None:
    assert "+" not in download_child.options(ORDER)["format"]
    assert "+" in download_child.options(ORDER | {"ffmpeg": "/usr/bin/ffmpeg"})["format"]


def test_the_age_of_the_downloader_follows_from_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    released = date(*(int(part) for part in metadata.version("yt-dlp").split(".")[:3]))
    assert download.downloader_age_days(released + timedelta(days=40)) == 40
    monkeypatch.setattr(metadata, "version", lambda name: "unknown")
    assert download.downloader_age_days(released) is None
