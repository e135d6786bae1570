"""YouTube, through its Data API v3, its feeds and yt-dlp: its name, what a person gives us, and its hosts.

What lives here: the one SPEC. What does not: any code that talks to Google, and any import of its client library.
The fact to know: without a token the account is stored but not usable; the web sign-in fills the token in later.
"""

from __future__ import annotations

from forwarder_core.connectors.base import AuthMethod, ConnectorSpec, CredentialField, Role

SPEC = ConnectorSpec(
    platform="youtube",
    title="YouTube",
    handle_label="Channel ID",
    auth_methods=(
        AuthMethod(
            name="oauth",
            label="Google sign-in (OAuth)",
            fields=(
                CredentialField(
                    name="oauth_client",
                    label="OAuth client JSON",
                    help="The client_secret file of the Google Cloud console, of the kind “Web application” or "
                    "“Desktop app”.",
                    is_file=True,
                ),
                CredentialField(
                    name="token",
                    label="Token JSON",
                    help="A token with a refresh_token, made for this client. Leave it empty to sign in with Google "
                    "afterwards.",
                    is_required=False,
                    is_file=True,
                ),
                CredentialField(
                    name="cookies",
                    label="Cookies",
                    help="Only for a source from which YouTube asks proof of being human: cookies.txt (Netscape form) "
                    "of a browser that is signed in to YouTube.",
                    is_required=False,
                    is_file=True,
                ),
                CredentialField(
                    name="app_status",
                    label="Publishing status of the Google app",
                    help="“testing” or “production”, as the consent screen of the Google Cloud console shows it. While "
                    "it is in testing Google ends each sign-in after 7 days, and you are reminded in time.",
                    is_secret=False,
                    is_required=False,
                ),
            ),
            web_sign_in="oauth",
            provider="youtube",
            callback="/oauth2callback",
        ),
    ),
    roles={
        Role.SOURCE: "source:YouTubeSource",
        Role.DESTINATION: "destination:YouTubeDestination",
        Role.AUTHENTICATOR: "auth:YouTubeAuthenticator",
    },
    quotas="quota:shared",
    hosts=(
        "youtube.googleapis.com",
        "www.googleapis.com",
        "oauth2.googleapis.com",
        "accounts.google.com",
        "www.youtube.com",
        "youtube.com",
        "m.youtube.com",
        "youtu.be",
        "*.googlevideo.com",
    ),
)
