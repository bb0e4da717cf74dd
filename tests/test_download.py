"""Downloads from a real socket: whole and as expected, or an error."""

from __future__ import annotations

import hashlib
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest

from undertow import files
from undertow.errors import InputError
from undertow.files import download

pytestmark = pytest.mark.slow

BODY = b"row\n" * 1_000
EVERY_S = 0.02
"""Seconds between two bytes that drip: 100 take twice the patience of a test."""


class _Serves(socketserver.StreamRequestHandler):
    """/whole, /cut (says that it is longer than it is), /chunked (says no length), /gone, /drip and /drip-headers
    (without end)."""

    over: threading.Event
    """Whether the test is over, so that nobody listens any more."""

    def handle(self) -> None:
        path = self.rfile.readline().split()[1].decode()
        while self.rfile.readline().strip():
            pass
        if path == "/gone":
            self.wfile.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        elif path.startswith("/drip"):  # a byte now and then, of its headers too
            said = b"HTTP/1.1 200 OK\r\n" + (b"Content-Length: 4000\r\n\r\n" if path == "/drip" else b"")
            with suppress(OSError):
                self.wfile.write(said)
                for _ in range(100):
                    self.wfile.write(b"r")
                    self.wfile.flush()
                    if self.over.wait(EVERY_S):
                        break
        elif path == "/odd":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\nConnection: close\r\n\r\n" + BODY)
        elif path == "/chunked":
            self.wfile.write(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
            )
        else:
            self.wfile.write(
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: "
                b"close\r\n\r\n%s" % (len(BODY) + 7 * (path == "/cut"), BODY)
            )


@pytest.fixture
def url() -> Iterator[str]:
    _Serves.over = threading.Event()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Serves) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        _Serves.over.set()
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("path", ["/whole", "/chunked", "/odd"])
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


@pytest.mark.parametrize("path", ["/drip", "/drip-headers"])
def test_a_server_that_sends_a_byte_now_and_then_is_not_waited_for(
    url: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "PATIENCE_S", 1)
    began = time.monotonic()
    with pytest.raises(
        InputError,
        match=r"cannot be read \(too slow: over 1 seconds, and under 20 kB in each\); check "
        r"the URL and the network",
    ):
        download(url + path, BytesIO(), sha256=None, most=1_000_000)
    assert 0.9 < time.monotonic() - began < 5


def test_what_comes_steadily_has_the_time_that_it_takes(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PATIENCE_S", 1)
    monkeypatch.setattr(files, "LEAST_RATE", 12)  # bytes a second; 50 come
    with pytest.raises(InputError, match="broke off after 100 of 4,000 bytes"):
        download(url + "/drip", BytesIO(), sha256=None, most=1_000_000)


def test_files_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "rows").write_bytes(BODY * 100)
    into = BytesIO()
    download((tmp_path / "rows").as_uri(), into, sha256=hashlib.sha256(BODY * 100).hexdigest(), most=10**6)
    assert into.getvalue() == BODY * 100
    with pytest.raises(InputError, match="cannot be read"):
        download((tmp_path / "none").as_uri(), into, sha256=None, most=1)
