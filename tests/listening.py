"""As much of HTTP/1.1 as a test's server needs, on a real socket: requests come whole, one at a time a connection.

A web framework's routing and streams cost more than all that the servers of the tests do, and runs of hundreds of calls
are most of what the tests wait for.
"""

from __future__ import annotations

import asyncio
import errno
import gzip
import json
import socket
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Self

import aiohttp
from multidict import CIMultiDict


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    """By names in small letters."""
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut: bool = False
    """The connection is reset where the body ends, however long the headers say that it is."""


RESET = Reply(status=0, cut=True)
"""No reply: the connection is reset."""


def json_reply(content: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    kind = {"Content-Type": "application/json; charset=utf-8"}
    return Reply(status=status, headers={**kind, **(headers or {})}, body=json.dumps(content).encode())


class Listener:
    """Listens on a free port of 127.0.0.1 and replies with what `answer` gives; what raises is HTTP 500.

    `answer` is cancelled where its client goes away.
    """

    def __init__(self, answer: Callable[[Request], Awaitable[Reply]]) -> None:
        self._answer, self._open = answer, set[_Connection]()

    async def start(self) -> int:
        """The port that it listens on."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self._answer, self._open), "127.0.0.1", 0, backlog=1024
        )
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Cancels what is being answered and closes every connection."""
        self._server.close()
        tasks = [connection.task for connection in self._open if connection.task is not None]
        for connection in tuple(self._open):
            connection.transport.abort()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        while self._open:
            await asyncio.sleep(0)


class _Connection(asyncio.Protocol):
    def __init__(self, answer: Callable[[Request], Awaitable[Reply]], connections: set[_Connection]) -> None:
        self._answer, self._connections, self._came = answer, connections, b""
        self.task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._connections.discard(self)
        if self.task is not None:
            self.task.cancel()

    def data_received(self, data: bytes) -> None:
        self._came += data
        self._read()

    def _read(self) -> None:
        """Takes the next request up, once it is here whole and the one before has its reply."""
        head, end, rest = self._came.partition(b"\r\n\r\n")
        if self.task is not None or not end:
            return
        first, *lines = head.decode("utf-8", "surrogateescape").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        assert "transfer-encoding" not in headers, "bodies come with their length"
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return
        self._came = rest[length:]
        method, path, _ = first.split(" ", 2)
        request = Request(method=method, path=path, headers=headers, body=rest[:length])
        self.task = asyncio.get_running_loop().create_task(self._reply(request))

    async def _reply(self, request: Request) -> None:
        try:
            reply = await self._answer(request)
        except Exception as error:
            reply = Reply(status=500, body=repr(error).encode())
        self.task = None
        if self.transport.is_closing():
            return
        if reply.status:
            known = reply.status in HTTPStatus._value2member_map_
            phrase = HTTPStatus(reply.status).phrase if known else ""
            length = {} if reply.status == 204 else {"Content-Length": str(len(reply.body))}
            lines = [f"{name}: {value}" for name, value in {**length, **reply.headers}.items()]
            head = "\r\n".join([f"HTTP/1.1 {reply.status} {phrase}", *lines, "", ""])
            self.transport.write(head.encode("utf-8", "surrogateescape") + reply.body)
        if reply.cut:  # a reset, not a close
            self.transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            self.transport.abort()
        elif request.headers.get("connection", "").lower() == "close":
            self.transport.close()
        else:
            self._read()


class NearSession:
    """An aiohttp session whose calls to servers of this process go to them directly, on the caller's own loop; all
    other calls go over `session`.

    The server sees the same requests, and the caller the same replies, errors and time limits. What a socket adds to a
    call is most of its cost.
    """

    def __init__(self, session: aiohttp.ClientSession, servers: Mapping[str, Callable[[Request], Awaitable[Reply]]]):
        """
        Args:
            servers: by origin, such as `http://127.0.0.1:8000`.
        """
        self._session, self._servers = session, servers

    async def close(self) -> None:
        await self._session.close()

    def get(self, url: str, **options: Any) -> Any:
        return self._call("GET", url, options) or self._session.get(url, **options)

    def post(self, url: str, **options: Any) -> Any:
        return self._call("POST", url, options) or self._session.post(url, **options)

    def _call(self, method: str, url: str, options: Mapping[str, Any]) -> _Exchange | None:
        scheme, _, rest = url.partition("://")
        host, slash, path = rest.partition("/")
        answer = self._servers.get(f"{scheme}://{host}")
        if answer is None or options.get("proxy") or self._session.closed:
            return None
        headers = {name.lower(): value for name, value in options["headers"].items()}
        request = Request(method=method, path=slash + path, headers=headers, body=options.get("data") or b"")
        return _Exchange(answer, request, self._session.timeout.total)


class _Exchange:
    """One call and its reply: `async with` it, as a response of aiohttp."""

    content_length = None
    """Unknown, so that the reply is read part by part."""

    def __init__(self, answer: Callable[[Request], Awaitable[Reply]], request: Request, within_s: float | None) -> None:
        self._answer, self._request, self._within_s = answer, request, within_s

    async def __aenter__(self) -> Self:
        try:
            async with asyncio.timeout(self._within_s):
                self._reply = await self._answer(self._request)
        except (TimeoutError, asyncio.CancelledError):
            raise
        except Exception as error:
            self._reply = Reply(status=500, body=repr(error).encode())
        if not self._reply.status:
            raise aiohttp.ClientOSError(errno.ECONNRESET, "Connection reset by peer")
        self.status = self._reply.status
        self.headers = CIMultiDict(self._reply.headers)
        self.content = self
        return self

    async def __aexit__(self, *error: object) -> None:
        pass

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        if self._reply.cut:
            raise aiohttp.ClientPayloadError("Response payload is not completed")
        if self.headers.get("Content-Encoding") == "gzip":
            yield _unpacked(self._reply.body)
        else:
            yield self._reply.body


def _unpacked(body: bytes) -> bytes:
    try:
        return gzip.decompress(body)
    except (OSError, EOFError, zlib.error) as error:
        raise aiohttp.ClientPayloadError("Can not decode content-encoding: gzip") from error
