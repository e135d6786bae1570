"""A bucket as the archive: the same names and cards as in a folder, `open → send → verify`, and `reconcile`.

What lives here: the order of the steps and what each outcome means to the engine. What does not: the calls (bucket.py).
The fact to know: the key is settled in `open`, unguessable and one publication's own. However often it is sent in one
session there is one object under it, of the same bytes, and `reconcile` need only look whether it is there.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from forwarder_core.clock import Clock, SystemClock
from forwarder_core.connectors.base import (
    CredentialBox,
    Draft,
    Evidence,
    Identity,
    MediaFile,
    Published,
    Reconciled,
    SendHooks,
    Trace,
    Visibility,
)
from forwarder_core.domain.accounts import Account
from forwarder_core.egress import Exit
from forwarder_core.errors import MediaRejected, SessionGone, StepFailed
from forwarder_core.platforms.archive import names
from forwarder_core.platforms.archive.bucket import Bucket, Stored
from forwarder_core.platforms.archive.destination import facts_of_card


class BucketAuthenticator:
    def __init__(self, account: Account, box: CredentialBox, exit_: Exit) -> None:
        self._box, self._exit = box, exit_

    def identify(self) -> Identity:
        kept = self._box.read()
        bucket = Bucket(self._box, self._exit)
        bucket.check()
        handle = "/".join(part for part in (kept["bucket"], kept.get("prefix", "")) if part)
        place = f"{kept['endpoint']}/{handle}"
        return Identity(f"bucket-{hashlib.sha256(place.encode()).hexdigest()[:16]}", handle, place)


@dataclass(frozen=True, slots=True)
class _Session:
    name: str
    sha256: str


class BucketDestination:
    """The client is built for each call: the address is checked anew each time it is used."""

    def __init__(self, account: Account, box: CredentialBox, exit_: Exit, *, clock: Clock | None = None) -> None:
        self._box, self._exit = box, exit_
        self._clock = clock or SystemClock()

    def open(self, draft: Draft, media: MediaFile) -> str:
        """The session: key and sha256, as JSON. Nothing is in the bucket yet, but it can be looked into."""
        self._bucket().check()
        name = names.relative_name(self._clock.now().date(), draft.title, draft.marker or media.sha256)
        return json.dumps({"name": name, "sha256": media.sha256})

    def send(self, session: str, draft: Draft, media: MediaFile, hooks: SendHooks) -> Published:
        """Always from the beginning: parts of a sending that broke off are not seen, and the store drops them."""
        known, bucket = _read(session), self._bucket()
        if there := bucket.find(known.name):
            return self._already(bucket, known.name, there, media)
        bucket.write_card(names.card_of(known.name), facts_of_card(known.name, draft, media))
        if not bucket.write(known.name, media, draft.marker, hooks):
            there = bucket.find(known.name)
            if there is None:
                raise SessionGone("The storage says the file is there and cannot show it.")
            return self._already(bucket, known.name, there, media)
        return Published(known.name, bucket.url(known.name))

    def reconcile(self, evidence: Evidence) -> Reconciled:
        try:
            return self._look_for(evidence)
        except StepFailed as e:
            return Reconciled(Trace.UNKNOWN, evidence=f"The storage cannot be looked at. {e.message}")

    def verify(self, remote_id: str) -> Visibility:
        """Raises MediaRejected when the object is gone or another one has its name: it can be archived anew. Its bytes
        are not fetched: each request of the sending was signed over the sha256 of its body, which the store checks."""
        if not names.is_relative_name(remote_id):
            raise MediaRejected("This is no name of a file in an archive.")
        there = self._bucket().find(remote_id)
        if there is None:
            raise MediaRejected("The file is not in the bucket any more.", action="Retry the job to archive it anew.")
        if not there.sha256:
            raise MediaRejected("Another file has this name in the bucket.", action="Look into the bucket.")
        detail = f"It is in the bucket ({there.size_bytes / 1e6:.1f} MB), and its sha256 stands on it."
        return Visibility(is_live=True, is_final=True, privacy="private", duration_ms=there.duration_ms, detail=detail)

    def _bucket(self) -> Bucket:
        return Bucket(self._box, self._exit)

    def _already(self, bucket: Bucket, name: str, there: Stored, media: MediaFile) -> Published:
        if (there.size_bytes, there.sha256) == (media.size_bytes, media.sha256):
            return Published(name, bucket.url(name))
        raise SessionGone("Another file has this name in the bucket.")

    def _look_for(self, evidence: Evidence) -> Reconciled:
        bucket = self._bucket()
        session = _read(evidence.session) if evidence.session else None
        name = session.name if session else _find(bucket, evidence)
        there = bucket.find(name) if name else None
        if name is None:
            return Reconciled(Trace.NOT_FOUND, evidence="No file in the bucket has the marker.")
        if there is None:
            return Reconciled(Trace.RESUMABLE, evidence="The file is not in the bucket; it can still be put there.")
        if there.marker != evidence.marker or (session and there.sha256 != session.sha256):
            return Reconciled(Trace.UNKNOWN, evidence="A file of that name is there, but it is not the one sent.")
        return Reconciled(Trace.PUBLISHED, Published(name, bucket.url(name)), "Its key, marker and sha256 are right.")


def _find(bucket: Bucket, evidence: Evidence) -> str | None:
    bucket.check()
    wanted = names.ending(evidence.marker)
    for month in names.months(evidence.not_before, evidence.not_after):
        for name in bucket.names(month):
            if name.endswith(wanted):
                return name
    return None


def _read(session: str) -> _Session:
    """Raises SessionGone for what we never gave out."""
    try:
        said = json.loads(session)
        found = _Session(said["name"], said["sha256"])
    except (ValueError, KeyError, TypeError) as e:
        raise SessionGone("The session of the archive cannot be read.") from e
    if not isinstance(found.name, str) or not names.is_relative_name(found.name):
        raise SessionGone("The session of the archive names no file.")
    return found
