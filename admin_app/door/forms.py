"""The HTML of the door's own pages. Everything that comes from outside passes `escape`."""

from __future__ import annotations

from html import escape

_STYLE = """
:root { color-scheme: light dark; --ink: #1f2430; --paper: #fff; --line: #d5d9e2; --accent: #4f46e5; --back: #eef0f7 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8eaf2; --paper: #1b1f2a; --line: #3a4152; --accent: #818cf8; --back: #10131b } }
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 16px; color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif;
  background: radial-gradient(60rem 40rem at 80% -10%, color-mix(in srgb, var(--accent) 28%, transparent), transparent),
    var(--back) }
main { width: 100%; max-width: 380px; background: var(--paper); border: 1px solid var(--line); border-radius: 14px;
  padding: 32px 28px; box-shadow: 0 12px 40px rgb(0 0 0 / .12) }
h1 { font-size: 1.35rem; margin: 0 } p { margin: 4px 0 20px; opacity: .75 }
label { display: block; font-weight: 600; font-size: .9rem; margin-top: 14px }
input[type=text], input[type=password] { width: 100%; padding: 11px 12px; margin-top: 5px; font: inherit;
  color: inherit; background: transparent; border: 1px solid var(--line); border-radius: 8px }
input:focus-visible, button:focus-visible { outline: 3px solid var(--accent); outline-offset: 1px }
.remember { display: flex; gap: 8px; align-items: center; font-weight: 400; min-height: 28px }
button { width: 100%; margin-top: 20px; padding: 12px; font: inherit; font-weight: 600; border: 0; border-radius: 8px;
  color: #fff; background: #4f46e5; cursor: pointer } button:hover { background: #4338ca }
.said, [role=note] { opacity: 1; overflow-wrap: anywhere } small { opacity: .7 }
.way { display: block; margin-top: 12px; padding: 12px; text-align: center; font-weight: 600; border-radius: 8px;
  color: #fff; background: #4f46e5; text-decoration: none } .way:hover { background: #4338ca }
.way + .way { color: inherit; background: transparent; border: 1px solid var(--line) }
.way:focus-visible { outline: 3px solid var(--accent); outline-offset: 1px }
[role=alert] { margin: 18px 0 0; padding: 10px 12px; border-radius: 8px; opacity: 1;
  border: 1px solid #dc2626; color: #b91c1c } @media (prefers-color-scheme: dark) { [role=alert] { color: #fca5a5 } }
"""


def sign_in_page(app_name: str, form: str, wanted: str, said: str) -> str:
    """`said`: one sentence under the form, such as what was wrong."""
    alert = f'<p role="alert">{escape(said)}</p>' if said else ""
    return _page(
        f"Sign in · {app_name}",
        f"""<h1>{escape(app_name)}</h1><p>Sign in to go on.</p>
<form method="post" action="/login">
<input type="hidden" name="form" value="{escape(form)}"><input type="hidden" name="next" value="{escape(wanted)}">
<label for="username">Username</label>
<input id="username" name="username" type="text" autocomplete="username" autocapitalize="none" required autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>
<label class="remember"><input type="checkbox" name="remember" value="1"> Remember me</label>
<button type="submit">Login</button>
</form>{alert}""",
    )


def code_page(app_name: str, form: str, wanted: str, said: str, *, ticket: str, remember: bool) -> str:
    """Asks for the second factor of who gave the right password, which `ticket` stands for."""
    alert = f'<p role="alert">{escape(said)}</p>' if said else ""
    kept = '<input type="hidden" name="remember" value="1">' if remember else ""
    return _page(
        f"Sign in · {app_name}",
        f"""<h1>{escape(app_name)}</h1><p>Enter the code of your authenticator app.</p>
<form method="post" action="/login">
<input type="hidden" name="form" value="{escape(form)}"><input type="hidden" name="next" value="{escape(wanted)}">
<input type="hidden" name="ticket" value="{escape(ticket)}">{kept}
<label for="code">Code</label>
<input id="code" name="code" type="text" autocomplete="one-time-code" autocapitalize="characters" required autofocus>
<button type="submit">Login</button>
</form>{alert}
<p><small>Without the phone, one of your recovery codes does it. <a href="/login">Begin again</a></small></p>""",
    )


def sign_out_page(app_name: str, csrf: str) -> str:
    return _page(
        f"Sign out · {app_name}",
        f"""<h1>Sign out?</h1><p>A link on another site led here.</p>
<form method="post" action="/logout"><input type="hidden" name="csrf" value="{escape(csrf)}">
<button type="submit">Sign out</button></form>""",
    )


def notice_page(
    app_name: str, title: str, said: str, *, to_do: str = "", code: str = "", links: tuple[tuple[str, str], ...] = ()
) -> str:
    """One message with where to go next. `code`: stable, for whoever looks it up. `links`: words and address."""
    doing = f'<p role="note"><b>What to do:</b> {escape(to_do)}</p>' if to_do else ""
    named = f"<p><small>{escape(code)}</small></p>" if code else ""
    ways = "".join(f'<a class="way" href="{escape(address)}">{escape(words)}</a>' for words, address in links)
    return _page(
        f"{title} · {app_name}",
        f"""<h1>{escape(title)}</h1><p class="said">{escape(said)}</p>{doing}{ways}{named}""",
    )


def _page(title: str, body: str) -> str:
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<style>{_STYLE}</style></head><body><main>{body}</main></body></html>"""
