"""A chat server that costs next to nothing, for measuring clients: fixed replies after a fixed delay.

python benchmarks/mock_server.py     prints its port; /d200/v1/... answers after 200 ms
"""

from __future__ import annotations

import asyncio
import json
import re

ANSWER = "I would listen first, then ask what people need, and keep my promises."
USAGE = {"prompt_tokens": 20, "completion_tokens": 14, "total_tokens": 34}


def written(token: str, *others: str) -> dict[str, object]:
    """Log-probabilities of a reply of one token, and of others in its place."""
    candidates = zip((token, *others), (-0.2, -2.0, -4.0), strict=False)
    top = [{"token": t, "logprob": lp} for t, lp in candidates]
    return {"content": [{"token": token, "logprob": -0.2, "top_logprobs": top}]}


def completion(text: str, logprobs: object = None) -> bytes:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "finish_reason": "stop",
        "logprobs": logprobs,
    }
    return json.dumps(
        {"id": "mock", "object": "chat.completion", "created": 0, "model": "mock", "choices": [choice], "usage": USAGE}
    ).encode()


def response(body: bytes) -> bytes:
    return (
        (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ")
        + str(len(body)).encode()
        + b"\r\n\r\n"
        + body
    )


PLAIN, RATED, SORTED = (
    response(completion(ANSWER)),
    response(completion("90", written("90", "95", "80"))),
    response(completion("answer")),
)
HARM = response(completion("2", written("2", "1", "3")))
MODELS = response(json.dumps({"data": [{"id": "mock"}]}).encode())


class Chat(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, as much of it as a chat client needs."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self.held = transport, b""

    def data_received(self, data: bytes) -> None:
        self.held += data
        while b"\r\n\r\n" in self.held:
            head, _, rest = self.held.partition(b"\r\n\r\n")
            length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
            size = int(length.group(1)) if length else 0
            if len(rest) < size:
                return
            body, self.held = rest[:size], rest[size:]
            delay = re.search(rb"/d(\d+)/", head.split(b"\r\n", 1)[0])
            out = (
                MODELS
                if head.startswith(b"GET")
                else HARM
                if b"runs from 1 to 5" in body
                else RATED
                if b"top_logprobs" in body
                else SORTED
                if b"one of the three words" in body
                else PLAIN
            )
            asyncio.get_running_loop().call_later(int(delay.group(1)) / 1000 if delay else 0, self.reply, out)

    def reply(self, out: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(out)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Chat, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
