"""The library: a folder of the user's own videos on this server, watched like a profile.

What lives here: the one SPEC. What does not: any code that touches the disk. The fact to know: what is in the folder is
only ever read; nothing is moved, renamed or deleted, whatever becomes of the post. Files handed in by the API are added
under random names.
"""

from __future__ import annotations

from forwarder_core.connectors.base import AuthMethod, ConnectorSpec, CredentialField, Role

SPEC = ConnectorSpec(
    platform="library",
    title="Library",
    handle_label="Name",
    auth_methods=(
        AuthMethod(
            name="folder",
            label="Folder on this server",
            fields=(
                CredentialField(
                    name="folder",
                    label="Folder",
                    help="Full path of a folder inside “library” of FORWARDER_HOME. Each video file put into it is a "
                    "post; its caption is a text file of the same name (clip.txt beside clip.mp4), or its row in "
                    "captions.csv (columns file, caption, date; a date to come holds the video back until then). "
                    "Put the words there first, the video last.",
                    is_secret=False,
                    is_folder=True,
                ),
            ),
        ),
    ),
    roles={Role.SOURCE: "source:LibrarySource", Role.AUTHENTICATOR: "auth:LibraryAuthenticator"},
    intake="intake:LibraryIntake",
)
