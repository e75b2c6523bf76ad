"""What the page may do, and what isolates it: one source for the server and for the built site.

The page and the worker with the heap need no `unsafe-eval`: `wasm-unsafe-eval` lets WebAssembly be
compiled, and nothing more. The worker that runs the tests does need it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_INDEX = "https://pypi.org https://files.pythonhosted.org"
"""Where micropip finds packages that a visitor asks for by name; the page itself asks nobody."""

# A browser that joins two lines of an editor writes a style attribute.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; "
    f"connect-src 'self' {_INDEX}; style-src 'self'; style-src-attr 'unsafe-inline'; "
    "img-src 'self' blob:; base-uri 'none'; "
    "form-action 'none'"
)
"""The Content-Security-Policy that stands in the page itself, so that it holds on every host."""

TESTS_POLICY = PAGE_POLICY.replace("'wasm-unsafe-eval'", "'unsafe-eval'").replace(f" {_INDEX}", "")
"""For the worker that runs the tests: they evaluate JavaScript, and so does one of the modules that
they load. They ask nobody but this site."""

DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'self'"
)
"""For the documentation, which runs no Python and searches by a form."""

FOR_EVER = "public, max-age=31536000, immutable"

ISOLATION = {
    # Together these two make the page cross-origin isolated: exact timers, and SharedArrayBuffer.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def headers_of(address: str) -> dict[str, str]:
    """The headers that the file at an address of the site is answered with."""
    policy = PAGE_POLICY
    for folder, other in (("tests/", TESTS_POLICY), ("docs/", DOCS_POLICY)):
        if address.startswith(folder):
            policy = other
    # Only a header can say the last part.
    return {
        **ISOLATION,
        "Content-Security-Policy": f"{policy}; frame-ancestors 'none'",
        "Cache-Control": FOR_EVER if is_immutable(address) else "no-cache",
    }


def is_immutable(address: str) -> bool:
    """Whether the name of a file changes with its contents, by a digest of them in its folder."""
    return re.match(r"[\w.-]+-[0-9a-f]{12}/", address) is not None


def headers_file(immutable: Iterable[str]) -> str:
    """The same for hosts that read a file `_headers`; others serve the page without isolation.

    `immutable` are the folders whose files never change.

    Such hosts add up what they find for an address, so the policies are not for all of them.
    """
    sections: dict[str, dict[str, str]] = {
        "/*": ISOLATION,
        "/tests/*": {"Content-Security-Policy": TESTS_POLICY},
        "/docs/*": {"Content-Security-Policy": DOCS_POLICY},
        **{
            f"/{folder}/*": {"Content-Security-Policy": PAGE_POLICY, "Cache-Control": FOR_EVER}
            for folder in immutable
        },
    }
    lines = []
    for address, headers in sections.items():
        lines += [address, *(f"  {name}: {value}" for name, value in headers.items())]
    return "\n".join([*lines, ""])
