"""The baseline: what a person would write in an afternoon. The same library calls and the same ffmpeg command, nothing
kept, nothing retried.

Reads one JSON object on stdin: gateway, ca, instagram {settings}, posts, google (token JSON), ffmpeg (argv with SOURCE
and TARGET, or null), folder, title. Prints {"ids", "warm_cpu_s"}: CPU seconds of a post after the first, its
ffmpeg included, 0 where there is only one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import google_auth_httplib2
import httplib2
import httpx
import socks
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build
from googleapiclient.http import MediaFileUpload
from instagrapi import Client
from instagrapi.extractors import extract_media_v1


def main() -> None:
    told = json.load(sys.stdin)
    ids = [forward(told, told["posts"][0])]
    warm = cpu_s()
    ids += [forward(told, post) for post in told["posts"][1:]]
    spent = (cpu_s() - warm) / max(1, len(ids) - 1)
    sys.stdout.write(json.dumps({"ids": ids, "warm_cpu_s": spent if len(ids) > 1 else 0}) + "\n")


def cpu_s() -> float:
    return sum(os.times()[:4])


def forward(told: dict[str, Any], post: str) -> str:
    source = fetch(told, post)
    if told["ffmpeg"]:
        target = Path(told["folder"]) / "rendition.mp4"
        names = {"SOURCE": f"file:{source}", "TARGET": f"file:{target}"}
        subprocess.run([names.get(word, word) for word in told["ffmpeg"]], check=True, stdout=subprocess.DEVNULL)
        source = target
    return upload(told, source)


def fetch(told: dict[str, Any], post: str) -> Path:
    client = Client(told["instagram"]["settings"], proxy=told["gateway"], tls_verify=told["ca"], request_timeout=0)
    for session in (client.private, client.public):
        session.trust_env = False
    user = client.user_id or told["instagram"]["user_id"]
    listed = client.private_request("clips/user/", data={"target_user_id": user, "page_size": 12, "max_id": ""})
    if not any(str(item["media"]["pk"]) == post for item in listed["items"]):
        sys.exit("the post is not listed")
    media = extract_media_v1(client.private_request(f"media/{post}/info/")["items"][0])
    into = Path(told["folder"]) / "source.mp4"
    with (
        httpx.Client(proxy=told["gateway"], verify=told["ca"], trust_env=False) as http,
        http.stream("GET", str(media.video_url)) as answer,
        into.open("wb") as out,
    ):
        for chunk in answer.iter_bytes():
            out.write(chunk)
    return into


def upload(told: dict[str, Any], file: Path) -> str:
    host, _, port = told["gateway"].removeprefix("http://").partition(":")
    proxy = httplib2.ProxyInfo(socks.PROXY_TYPE_HTTP, host, int(port))
    http = httplib2.Http(proxy_info=proxy, ca_certs=told["ca"], timeout=60)
    http.redirect_codes = http.redirect_codes - {308}
    credentials = Credentials.from_authorized_user_info(told["google"])
    youtube = build("youtube", "v3", http=google_auth_httplib2.AuthorizedHttp(credentials, http=http))
    body = {"snippet": {"title": told["title"], "categoryId": "22"}, "status": {"privacyStatus": "public"}}
    media = MediaFileUpload(str(file), mimetype="video/mp4", chunksize=8 * 1024 * 1024, resumable=True)
    request = youtube.videos().insert(part="snippet,status", body=body, media_body=media)
    done = None
    while done is None:
        _, done = request.next_chunk()
    while True:
        seen = youtube.videos().list(part="status,processingDetails", id=done["id"]).execute()
        if seen["items"][0]["status"]["uploadStatus"] == "processed":
            return str(done["id"])
        time.sleep(0.5)


if __name__ == "__main__":
    main()
