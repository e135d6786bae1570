"""Instagram, reached the way its own app reaches it: what it is called, what a person types in, where it answers.

What lives here: the one SPEC. What does not: any code that talks to Instagram, and any import of its client library.
The fact to know: the file servers' names change by region, so they are known by suffix and no other is fetched from.
"""

from __future__ import annotations

from forwarder_core.connectors.base import AuthMethod, ConnectorSpec, CredentialField, Role

FILE_HOSTS = ("*.cdninstagram.com", "*.fbcdn.net")

SPEC = ConnectorSpec(
    platform="instagram",
    title="Instagram",
    handle_label="Username",
    auth_methods=(
        AuthMethod(
            name="private",
            label="Login of the app",
            fields=(
                CredentialField(
                    name="password",
                    label="Password",
                    help="Of the Instagram account itself. Give this, a session id, or both.",
                    is_required=False,
                ),
                CredentialField(
                    name="session_id",
                    label="Session id",
                    help="The value of the cookie “sessionid” of a browser signed in to instagram.com; "
                    "works where Instagram refuses the password login from a server.",
                    is_required=False,
                ),
                CredentialField(
                    name="totp_seed",
                    label="Two-factor secret",
                    help="The key shown when an authenticator app was set up, or its otpauth:// link; "
                    "only with two-factor login.",
                    is_required=False,
                ),
            ),
        ),
    ),
    roles={
        Role.SOURCE: "source:InstagramSource",
        Role.DESTINATION: "destination:InstagramDestination",
        Role.AUTHENTICATOR: "auth:InstagramAuthenticator",
    },
    hosts=("i.instagram.com", "b.i.instagram.com", "www.instagram.com", *FILE_HOSTS),
)
