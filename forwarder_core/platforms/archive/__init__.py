"""The archive: a media library that posts are kept in, one file and one card each, in a folder or a bucket.

What lives here: the one SPEC. What does not: any code that touches disk or network. The fact to know: no video that
stands in an archive is ever written over or deleted by this program.
"""

from __future__ import annotations

from forwarder_core.connectors.base import AuthMethod, ConnectorSpec, CredentialField, Role

BUCKET = "s3"

SPEC = ConnectorSpec(
    platform="archive",
    title="Archive",
    handle_label="Name",
    auth_methods=(
        AuthMethod(
            name="folder",
            label="Folder on this server",
            fields=(
                CredentialField(
                    name="folder",
                    label="Folder",
                    help="Full path of a folder inside “archive” of FORWARDER_HOME; made where there is none. "
                    "Empty = that “archive” itself.",
                    is_secret=False,
                    is_folder=True,
                    is_required=False,
                ),
            ),
        ),
        AuthMethod(
            name=BUCKET,
            label="S3-compatible storage",
            fields=(
                CredentialField(
                    name="endpoint",
                    label="Endpoint",
                    help="Such as https://s3.eu-central-1.amazonaws.com, without the bucket. Plain http:// only inside "
                    "a network of FORWARDER_ALLOW_PRIVATE_NETWORKS.",
                    is_secret=False,
                ),
                CredentialField(
                    name="bucket", label="Bucket", help="It must be there already; it is never made.", is_secret=False
                ),
                CredentialField(
                    name="prefix",
                    label="Prefix",
                    help="Folder inside the bucket, such as forwarder/films. Empty = the bucket itself.",
                    is_secret=False,
                    is_required=False,
                ),
                CredentialField(
                    name="region",
                    label="Region",
                    help="Empty = us-east-1, which stores without regions take too.",
                    is_secret=False,
                    is_required=False,
                ),
                CredentialField(
                    name="access_key_id", label="Access key id", help="It needs to list, read and write objects."
                ),
                CredentialField(name="secret_access_key", label="Secret access key"),
            ),
        ),
    ),
    roles={Role.DESTINATION: "roads:destination", Role.AUTHENTICATOR: "roads:authenticator"},
)
