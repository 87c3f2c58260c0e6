"""A whole page around its content: no network, no fonts, no files beside it.

Its content security policy allows its own style and script, by their hashes, and nothing else, so
that even a fault in the escaping could not make a guest's words run or call out.
"""

import base64
import functools
import hashlib
from importlib import resources

from vmtiming_tui.report.export.html.markup import Markup, tag


@functools.cache
def _asset(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    digest = hashlib.sha256(content.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def whole_page(title: str, main: Markup, *, style: str = "") -> str:
    """Return the page, titled so in a browser; ``style`` is what its drawings add to the usual."""
    style, script = _asset("page.css") + style, _asset("page.js")
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", title),
        tag("style", Markup(style)),
    )
    body = tag("body", main, tag("script", Markup(script)))
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"
