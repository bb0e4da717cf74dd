"""Downloads from a real socket: whole and as expected, or an error."""

from __future__ import annotations

import hashlib
import socketserver
import threading
from collections.abc import Iterator
from io import BytesIO

import pytest

from undertow.errors import InputError
from undertow.files import download

BODY = b"row\n" * 1_000


class _Serves(socketserver.StreamRequestHandler):
    """/whole, /cut (says that it is longer than it is), /chunked (says no length), /gone."""

    def handle(self) -> None:
        path = self.rfile.readline().split()[1].decode()
        while self.rfile.readline().strip():
            pass
        if path == "/gone":
            self.wfile.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        elif path == "/chunked":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY))
        else:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(BODY) + 7 * (path == "/cut"), BODY))


@pytest.fixture
def url() -> Iterator[str]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Serves) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("path", ["/whole", "/chunked"])
def test_a_file_with_the_expected_hash(url: str, path: str) -> None:
    into = BytesIO()
    download(url + path, into, sha256=hashlib.sha256(BODY).hexdigest(), most=len(BODY))
    assert into.getvalue() == BODY


@pytest.mark.parametrize(
    ("path", "most", "says"),
    [
        ("/whole", 4_000, f"has sha256 {hashlib.sha256(BODY).hexdigest()}; read the file"),
        ("/cut", 5_000, "broke off after 4,000 of 4,007 bytes; try again"),  # and no hash of half a file
        ("/whole", 3_999, "is larger than"),
        ("/gone", 4_000, "cannot be read (Not Found)"),
    ],
)
def test_what_is_not_taken(url: str, path: str, most: int, says: str) -> None:
    with pytest.raises(InputError) as caught:
        download(url + path, BytesIO(), sha256=None, most=most)
    assert says in str(caught.value)
