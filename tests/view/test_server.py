"""The page's server: who is let in, what it says of itself, and that text stays text."""

import http.client
import json
import re
import socket
from urllib.parse import quote

import pytest

from undertow.view.server import HEADERS, PAGE, STYLE, ViewServer, look

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "\u202egnp.exe",
    "\x1b]8;;http://evil\x07\x1b[2J",
    "a\x00b",
    "=1+1",
    "\ud800 half a pair",
    "x" * 1_000_000,
)


@pytest.fixture
def ask(made, still):
    """Asks a server over a run of hostile answers: `ask("api/rows")`, behind the token unless `path` is given."""
    run = made()
    for text in HOSTILE:
        run.add(text.encode("utf-8", "replace").decode(), 90)  # SQLite holds no half pair
    site = still(a=run)
    with ViewServer(site) as server:
        server.begin()

        def call(name="", *, method="GET", path=None, body=None, **headers):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
            headers = {key.replace("_", "-"): value for key, value in headers.items()}
            connection.request(method, path or f"/{server.token}/{name}", body=body, headers=headers)
            reply = connection.getresponse()
            held = reply.read()
            connection.close()
            return reply, held

        call.server = server
        yield call
        server.shutdown()


def said(found):
    return json.loads(found[1])


def test_only_who_has_the_token_is_let_in(ask):
    for path in ("/", "/index.html", "/api/rows", "/wrong/", f"/{ask.server.token[:-1]}/"):
        reply, held = ask(path=path)
        assert reply.status == 403, path
        assert b"token" in held
    assert ask()[0].status == 200
    assert len(ask.server.token) >= 32
    assert ask.server.token in ask.server.url


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1"}, 403),
        ({"Host": "localhost:{port}"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:{port}"}, 200),
    ],
)
def test_no_other_site_and_no_other_name_is_answered(ask, headers, status):
    headers = {name: value.format(port=ask.server.port) for name, value in headers.items()}
    reply, held = ask("api/site", **headers)
    assert reply.status == status, held


def test_every_reply_forbids_all_that_is_from_elsewhere(ask):
    for reply, _ in (ask(), ask("main.js"), ask("api/rows"), ask("nothing"), ask(path="/"), ask(method="PUT")):
        for name, value in HEADERS.items():
            assert reply.getheader(name) == value
        assert not [name for name, _ in reply.getheaders() if name.lower().startswith("access-control")]
    policy = HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"])
def test_nothing_but_get_and_a_label_is_taken(ask, method):
    assert ask("api/rows", method=method)[0].status == 501


def test_a_label_comes_as_json_from_the_page_itself(ask):
    sent = {"method": "POST", "body": "{}", "Content_Type": "application/json"}
    assert ask("api/rows", **sent)[0].status == 404  # only labels are told
    assert ask("api/label/undo", **{**sent, "Content_Type": "text/plain"})[0].status == 415
    assert ask("api/label/undo", **sent, Sec_Fetch_Site="cross-site")[0].status == 403
    assert ask("api/label/undo", **sent, Origin="http://evil.example")[0].status == 403
    assert ask("api/label/undo", **{**sent, "body": "[1]"})[0].status == 400
    assert ask("api/label/undo", **{**sent, "body": "[" * 10_000})[0].status == 400
    assert ask("api/label/undo", **{**sent, "body": "x" * 70_000})[0].status == 413
    found = ask("api/label/undo", **sent)
    assert found[0].status == 400 and "no run is being labelled" in said(found)["error"]


def raw(ask, *lines, body=""):
    """What comes back of a request that no library would send."""
    head = "\r\n".join((*lines, f"Host: 127.0.0.1:{ask.server.port}", "", body))
    with socket.create_connection(("127.0.0.1", ask.server.port), timeout=10) as connection:
        connection.sendall(head.encode("latin-1"))
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_the_body_of_a_call_that_is_refused_is_no_next_request(ask):
    inner = f"GET /{ask.server.token}/api/site HTTP/1.1\r\nHost: 127.0.0.1:{ask.server.port}\r\n\r\n"
    held = raw(ask, "POST /wrong/api/label/undo HTTP/1.1", f"Content-Length: {len(inner)}", body=inner)
    assert held.startswith(b"HTTP/1.1 403") and held.count(b"HTTP/1.1") == 1


def test_addresses_and_lengths_that_are_none_print_no_traceback(ask, capsys):
    assert raw(ask, "GET http://[x HTTP/1.1").startswith(b"HTTP/1.1 400")
    label = f"POST /{ask.server.token}/api/label/undo HTTP/1.1"
    assert raw(ask, label, "Content-Length: \xb2").startswith(b"HTTP/1.1 413")
    assert ask("api/rows?" + "a=1&" * 2001)[0].status == 400
    assert ask("api/rows?judge=99")[0].status == 400
    assert capsys.readouterr().err == ""


def test_hostile_text_travels_as_json_and_comes_out_as_it_was(ask):
    found = ask("api/rows?whole=1")
    assert found[0].getheader("Content-Type") == "application/json"
    texts = [row["text"] for row in said(found)["rows"]]
    assert texts == [text.encode("utf-8", "replace").decode() for text in HOSTILE]
    assert found[1].isascii()
    assert all(len(row["text"]) < 300 for row in said(ask("api/rows"))["rows"])
    for k, text in enumerate(HOSTILE, 1):
        assert said(ask(f"api/answer?id={k}"))["text"] == text.encode("utf-8", "replace").decode()
    for word in ("<script>", "onerror", "\x1b]8", "\u202e"):
        assert said(ask(f"api/rows?q={quote(word)}"))["total"] >= 1


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("api/answer?id=999", 400),
        ("api/answer?id=x", 400),
        ("api/answer", 400),
        ("api/rows?run=other", 400),
        ("api/compare?before=a&after=a", 400),
        ("api/nothing", 404),
        ("../pyproject.toml", 404),
        ("%2e%2e/server.py", 404),
        ("api/rows?" + "a=1&" * 1999 + "a=1", 200),
    ],
)
def test_what_is_not_there_is_told_in_a_line(ask, address, status):
    found = ask(address)
    assert found[0].status == status
    if status != 200:
        assert "\n" not in said(found)["error"]


def test_a_mistake_of_ours_is_shown_in_the_terminal_and_ends_nothing(ask, capsys):
    ask.server.site.asked["evidence"] = lambda given: 1 / 0
    found = ask("api/evidence")
    assert found[0].status == 500 and "mistake of ours" in said(found)["error"]
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert ask("api/site")[0].status == 200


def test_the_page_loads_nothing_from_elsewhere_and_runs_nothing_that_is_written_in_it():
    for path in PAGE.iterdir():
        text = path.read_text()
        outside = set(re.findall(r"https?://[\w./-]+", text)) - {"http://www.w3.org/2000/svg"}
        assert not outside, path.name
        for never in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "new Function", "srcdoc"):
            assert never not in text, f"{path.name}: {never}"
    page = (PAGE / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*src=)|\son\w+=|style=", page)


def test_it_looks_as_the_written_pages_do_in_either_light():
    style = STYLE.read_text()
    found = look(style)
    dark = re.search(r"prefers-color-scheme:dark\)\{:root\{(.*?)\}\}", style, re.S)[1]
    assert found.count(dark) == 2 and ":root[data-theme=dark]" in found
    with pytest.raises(ValueError, match="dark colours"):
        look(style.replace("prefers-color-scheme", "something-else"))


def test_ports_that_are_taken_are_told(ask, made, still):
    from undertow.errors import InputError

    with pytest.raises(InputError, match="cannot be listened on"):
        ViewServer(ask.server.site, port=ask.server.port)
