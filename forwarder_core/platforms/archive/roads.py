"""Where an archive's files lie, a folder of this server or a bucket: a property of the account, decided here alone.

What lives here: the role factories the registry calls, and which of the two a filled form means. What does not: either
road. The fact to know: the storage client is imported when the first account with a bucket is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from forwarder_core.connectors.base import Authenticator, CredentialBox, Destination
from forwarder_core.domain.accounts import Account
from forwarder_core.egress import Exit
from forwarder_core.platforms.archive import BUCKET, auth, bucket_form


def destination(account: Account, box: CredentialBox, exit_: Exit) -> Destination:
    if account.auth_method == BUCKET:
        from forwarder_core.platforms.archive.bucket_destination import BucketDestination

        return BucketDestination(account, box, exit_)
    from forwarder_core.platforms.archive.destination import ArchiveDestination

    return ArchiveDestination(account, box, exit_)


def authenticator(account: Account, box: CredentialBox, exit_: Exit) -> Authenticator:
    if account.auth_method == BUCKET:
        from forwarder_core.platforms.archive.bucket_destination import BucketAuthenticator

        return BucketAuthenticator(account, box, exit_)
    return auth.ArchiveAuthenticator(account, box, exit_)


def secrets_from_form(fields: Mapping[str, str], home: Path) -> dict[str, str]:
    """The credentials of either road as they are stored; which one was meant shows in the fields."""
    if fields.keys() & bucket_form.FIELDS:
        return bucket_form.secrets_from_form(fields)
    return auth.secrets_from_form(fields, home)
