"""Instagram by its two roads, the app's own interface and Meta's Graph API: names, forms, hosts.

What lives here: the one SPEC. What does not: any code that talks to Instagram, and any import of its client library.
The fact to know: the file servers' names change by region, so they are known by suffix and no other is fetched from.
Which road an account takes is its `auth_method`; `roads` leads there.
"""

from __future__ import annotations

from forwarder_core.connectors.base import AuthMethod, ConnectorSpec, CredentialField, Role

GRAPH_API = "graph_api"
GRAPH_HOSTS = ("graph.instagram.com", "graph.facebook.com", "rupload.facebook.com")
SIGN_IN_HOSTS = ("api.instagram.com", "www.facebook.com")
FILE_HOSTS = ("*.cdninstagram.com", "*.fbcdn.net")

SPEC = ConnectorSpec(
    platform="instagram",
    title="Instagram",
    handle_label="Username",
    auth_methods=(
        AuthMethod(
            name="private",
            label="Login of the app",
            asks_code=True,
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
        AuthMethod(
            name=GRAPH_API,
            label="Meta's Graph API (professional accounts)",
            fields=(
                CredentialField(
                    name="access_token",
                    label="Access token",
                    help="A long-lived token with reading and content publishing, of the Instagram login or of the "
                    "Facebook login; which of the two is found out. Meta takes uploaded files from the latter only. "
                    "Leave it empty to sign in on Meta's page afterwards; then the app's id and secret are needed.",
                    unless=("app_id", "app_secret"),
                ),
                CredentialField(
                    name="ig_user_id",
                    label="Instagram account id",
                    help="The number of the professional account. Found out by itself where it is left empty.",
                    is_secret=False,
                    is_required=False,
                ),
                CredentialField(
                    name="facebook_page_id",
                    label="Facebook page id",
                    help="Of the page the Instagram account is linked to; only with the Facebook login.",
                    is_secret=False,
                    is_required=False,
                ),
                CredentialField(
                    name="token_expiry",
                    label="Token expires",
                    help="Date and time of the token's end (ISO 8601), where you know it; Meta is asked otherwise.",
                    is_secret=False,
                    is_required=False,
                ),
                CredentialField(
                    name="app_id",
                    label="Meta app id",
                    help="Of your app at developers.facebook.com, to sign in on Meta's page. For the Instagram login "
                    "the Instagram app id.",
                    is_secret=False,
                    is_required=False,
                ),
                CredentialField(name="app_secret", label="Meta app secret", help="Of the same app.", is_required=False),
                CredentialField(
                    name="login",
                    label="Login of Meta's page",
                    help="Left empty: the Facebook login where a page id is given, else the Instagram login.",
                    is_secret=False,
                    is_required=False,
                    choices=(
                        ("instagram_login", "Instagram login: no Facebook page needed"),
                        ("facebook_login", "Facebook login: of the linked page; takes uploaded files"),
                    ),
                ),
            ),
            web_sign_in="graph_oauth",
            provider="meta",
            callback="/oauth2callback/meta",
        ),
    ),
    roles={
        Role.SOURCE: "roads:source",
        Role.DESTINATION: "roads:destination",
        Role.AUTHENTICATOR: "roads:authenticator",
    },
    hosts=("i.instagram.com", "b.i.instagram.com", "www.instagram.com", *GRAPH_HOSTS, *SIGN_IN_HOSTS, *FILE_HOSTS),
)
