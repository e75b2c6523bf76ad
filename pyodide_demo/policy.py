"""What the page may do, and what isolates it: one source for the server and for the built site.

The page and the worker with the heap need no `unsafe-eval`: `wasm-unsafe-eval` lets WebAssembly be
compiled, and nothing more.
"""

from __future__ import annotations

PAGE_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; "
    "connect-src 'self'; style-src 'self'; img-src 'self' blob:; base-uri 'none'; "
    "form-action 'none'"
)
"""The Content-Security-Policy that stands in the page itself, so that it holds on every host."""

HEADERS = {
    # Together these two make the page cross-origin isolated: exact timers, and SharedArrayBuffer.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Only a header can say the last part.
    "Content-Security-Policy": f"{PAGE_POLICY}; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def headers_of(address: str) -> dict[str, str]:
    """The headers that the file at an address of the site is answered with."""
    return dict(HEADERS)


def headers_file() -> str:
    """The same for hosts that read a file `_headers`; others serve the page without isolation."""
    lines = [f"  {name}: {value}" for name, value in HEADERS.items()]
    return "\n".join(["/*", *lines, ""])
