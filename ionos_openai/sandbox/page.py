"""What a browser is shown at the sandbox's own address."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from ionos_openai.sandbox.wire import SandboxResponse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ionos_openai.sandbox.content import RecordedRequest

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>ionos-openai sandbox</title><link rel="icon" href="data:,">
<meta http-equiv="refresh" content="10"><meta name="viewport" content="width=device-width">
<style>body {{ font: 1em/1.5 system-ui, sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em }}
td, th {{ text-align: left; padding: 0 1em 0 0; vertical-align: top }} pre {{ background: #8881; padding: 1em }}</style>
<h1>ionos-openai sandbox</h1>
<p>A stand-in for the IONOS AI Model Hub: it draws placeholders, no model runs here, and nothing costs anything.
<code>ionos-openai sandbox --explain</code> tells what it does, and how each of it is known.</p>
<pre>IONOS_BASE_URL={base_url}
IONOS_API_TOKEN={token}</pre>
<h2>The last requests</h2>
<table><tr><th>Status<th>Request<th>Model<th>Size<th>Why</tr>{rows}</table>
<p>As JSON: <a href="/sandbox/requests">/sandbox/requests</a>, <a href="/sandbox/stats">/sandbox/stats</a>.</p>
</html>
"""


def page(requests: Iterable[RecordedRequest], *, host: str, token: str) -> SandboxResponse:
    """Return the page: what this is, the two variables, and the requests, the newest first."""
    cells = [
        (request.outcome, f"{request.method} {request.path}", *request.subject, request.reason) for request in requests
    ]
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}' for cell in row)}</tr>\n" for row in reversed(cells))
    text = _PAGE.format(base_url=escape(f"http://{host}/v1"), token=escape(token), rows=rows)
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"
    headers = {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": policy,
        "cache-control": "no-store",
    }
    return SandboxResponse(status=200, headers=headers, body=text.encode("utf-8", "backslashreplace"))
