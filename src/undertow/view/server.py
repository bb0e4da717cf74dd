"""The page's server: on 127.0.0.1 alone, for whoever holds the token in its address, and from no other site.

It answers GET, and POST where labels are given. Every reply forbids the browser to load, send or run anything from
elsewhere; whatever a model wrote travels as JSON and is put into the page as text.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
import sys
import traceback
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from undertow.errors import InputError
from undertow.view.site import Site

HOST = "127.0.0.1"
PAGE = Path(__file__).parent / "page"
WRITTEN = Path(__file__).parents[1] / "reports"
STYLE = WRITTEN / "page.css"
"""The style of the pages that are written: this one looks as they do."""
SHARED = ("dom.js", "table.js")
"""What those pages' scripts have in common with this one's."""
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
MOST_SENT = 64 * 1024
"""Bytes that a label may take."""


class ViewServer(ThreadingHTTPServer):
    """Serves a site until it is shut down. A context manager."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, site: Site, *, port: int = 0) -> None:
        """
        Args:
            port: 0 takes a free one.

        Raises:
            InputError: the port cannot be listened on.
        """
        self.site, self.token = site, secrets.token_urlsafe(24)
        self.files = read_files()
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise InputError("--port", f"{port} cannot be listened on ({error.strerror})", do="take another") from None

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        """Where the page is; whoever has it may read the runs."""
        return f"http://{HOST}:{self.port}/{self.token}/"

    @property
    def hosts(self) -> tuple[str, ...]:
        """What a browser on this machine calls it: another name would be another site's, bound to this address."""
        return f"{HOST}:{self.port}", f"localhost:{self.port}"

    def begin(self) -> Thread:
        """Serve in a thread."""
        thread = Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        thread.start()
        return thread

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that has gone away is no error; a bug keeps its traceback."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: ViewServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "undertow", ""
    timeout = 60

    def do_GET(self) -> None:
        if (path := self._let_in()) is None:
            return
        if path.startswith("api/"):
            asked = self.server.site.asked.get(path.removeprefix("api/"))
            try:
                given = parse_qs(urlsplit(self.path).query, keep_blank_values=False, max_num_fields=2_000)
            except ValueError:
                self._refuse(HTTPStatus.BAD_REQUEST, "the address asks for too much")
                return
            self._answer(partial(asked, given) if asked else None)
        elif (file := self.server.files.get(path or "index.html")) is not None:
            self._send(HTTPStatus.OK, file[1], file[0])
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "there is no such page")

    def do_POST(self) -> None:
        if (path := self._let_in()) is None:
            return
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit() and len(length) < 9) or int(length) > MOST_SENT:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "a label is shorter")
            return
        body = self.rfile.read(int(length))
        if self.headers.get_content_type() != "application/json":  # no form of another site can send that
            self._refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "labels come as JSON")
            return
        try:
            said = json.loads(body)
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, dict):
            self._refuse(HTTPStatus.BAD_REQUEST, "this is no JSON object")
            return
        told = self.server.site.told.get(path.removeprefix("api/label/"))
        self._answer(partial(told, said) if told else None)

    def _let_in(self) -> str | None:
        """The path behind the token; None where the call was refused: a wrong host, no token, or another site's page
        that calls."""
        if self.headers.get("Host") not in self.server.hosts:
            self._refuse(HTTPStatus.FORBIDDEN, "this host is not served")
            return None
        try:
            _, token, path = (*urlsplit(self.path).path.split("/", 2), "", "")[:3]
        except ValueError:
            self._refuse(HTTPStatus.BAD_REQUEST, "this is no address")
            return None
        if not hmac.compare_digest(token.encode(), self.server.token.encode()):
            self._refuse(HTTPStatus.FORBIDDEN, "the address holds no token; take the one that undertow view printed")
            return None
        origin, site = self.headers.get("Origin"), self.headers.get("Sec-Fetch-Site")
        own = origin is None or origin in {f"http://{host}" for host in self.server.hosts}
        if not own or (self.command == "POST" and site not in (None, "same-origin")):
            self._refuse(HTTPStatus.FORBIDDEN, "another site's page may not call")
            return None
        return path

    def _answer(self, work: Any) -> None:
        if work is None:
            self._refuse(HTTPStatus.NOT_FOUND, "there is no such address")
            return
        try:
            found = work()
        except InputError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
            return
        except Exception:  # of one request: the others go on
            traceback.print_exc()
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, "this is a mistake of ours; the terminal shows where")
            return
        self._send(HTTPStatus.OK, to_bytes(found), "application/json")

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        if self.command != "GET":  # its body may not have been read, and would be taken for the next request
            self.close_connection = True
        self._send(status, to_bytes({"error": why}), "application/json")

    def _send(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the library refuses by itself, such as another method, in the same way."""
        self.close_connection = True
        self._send(HTTPStatus(code), to_bytes({"error": message or HTTPStatus(code).phrase}), "application/json")

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: an address holds the token."""


def to_bytes(value: Any) -> bytes:
    """JSON that any browser reads: half a pair of surrogates is escaped, and a number that is none is null."""
    return json.dumps(_finite(value), separators=(",", ":"), allow_nan=False).encode("ascii")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {str(name): _finite(item) for name, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value


def read_files() -> dict[str, tuple[str, bytes]]:
    """What the browser gets, by name: its kind and its content."""
    files = {
        path.name: (KINDS[path.suffix], path.read_bytes())
        for path in (*sorted(PAGE.iterdir()), *(WRITTEN / "browser" / name for name in SHARED))
        if path.suffix in KINDS
    }
    return files | {"look.css": (KINDS[".css"], look(STYLE.read_text(encoding="utf-8")).encode())}


def look(style: str) -> str:
    """The written pages' style, whose dark colours a reader may choose as well as the system.

    Raises:
        ValueError: its dark colours stand elsewhere than they did.
    """
    dark = re.compile(r"@media \(prefers-color-scheme:dark\)\{:root\{(.*?)\}\}", re.S)
    if len(dark.findall(style)) != 1:
        raise ValueError("the style holds no block of dark colours, or several")
    return dark.sub(
        lambda found: (
            f"@media (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{found[1]}}}}}\n"
            f":root[data-theme=dark]{{{found[1]}}}"
        ),
        style,
    )
