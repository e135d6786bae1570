"""The archive: a media library on this server's disk that posts are kept in, one file and one card each.

What lives here: the one SPEC. What does not: any code that touches the disk. The fact to know: no video that stands in
an archive is ever written over or deleted by this program.
"""

from __future__ import annotations

from forwarder_core.connectors.base import AuthMethod, ConnectorSpec, CredentialField, Role

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
    ),
    roles={Role.DESTINATION: "destination:ArchiveDestination", Role.AUTHENTICATOR: "auth:ArchiveAuthenticator"},
)
