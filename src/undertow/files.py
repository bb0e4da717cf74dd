"""Files in and out: strict YAML with the line of each mistake, downloads with a pinned hash, and writes that are whole
or not at all."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import queue
import re
import secrets
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Hashable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, TextIO, TypeVar, cast
from urllib.parse import urlsplit, urlunsplit

import yaml
from pydantic import TypeAdapter, ValidationError

from undertow.errors import InputError
from undertow.keys import Keys
from undertow.mistakes import first_mistake
from undertow.progress import Progress, silent

T = TypeVar("T")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Opening or reading a file.

    Raises:
        InputError: it is missing, a folder, or cannot be read.
    """
    try:
        yield
    except FileNotFoundError:
        raise InputError(path, "no such file", do="check the path") from None
    except IsADirectoryError:
        raise InputError(path, "is a folder", expected="a file is expected here") from None
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror})", do="check the path") from None


def read_text(path: Path) -> str:
    """A text file's content.

    Raises:
        InputError: it is missing, a folder, or not UTF-8.
    """
    try:
        with reading(path):
            return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(path, f"is not UTF-8 text (byte {error.start})", do="save it as UTF-8") from None


def read_object(path: Path, *, expected: str = "", do: str) -> dict[str, Any]:
    """The object that a JSON file holds.

    Args:
        expected, do: for the error, what the file is, and what to do without it.

    Raises:
        InputError: the file cannot be read, or holds none.
    """
    try:
        held: Any = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise InputError(path, f"is no whole JSON ({error})", expected=expected, do=do) from None
    if not isinstance(held, dict):
        raise InputError(path, "is no JSON object", expected=expected, do=do)
    return held


def read_of_schema(path: Path, schema: str, *needs: str, do: str) -> dict[str, Any]:
    """The object that a JSON file of ours holds.

    Args:
        needs: keys that are read of it.

    Raises:
        InputError: the file cannot be read, is of another schema, or lacks a key.
    """
    held = read_object(path, expected=f"what has schema {schema!r}", do=do)
    if held.get("schema") != schema:
        raise InputError(path, f"has schema {held.get('schema')!r}", expected=f"{schema!r} is expected here", do=do)
    if lacks := [key for key in needs if key not in held]:
        raise InputError(path, f"lacks {lacks[0]!r}", expected=f"what has schema {schema!r}", do=do)
    return held


def adapter(type_: type[T]) -> TypeAdapter[T]:
    """What reads and writes values of a type. Making one takes a tenth of a second for a large type, so each is made
    once."""
    return _adapter(cast(Hashable, type_))


_adapter = cache(TypeAdapter)


def read_yaml(path: Path, type_: type[T]) -> T:
    """A YAML file as a value of `type_`.

    Raises:
        InputError: the file cannot be read, is not YAML, or does not fit; names file and line.
    """
    return parse_yaml(read_text(path), type_, where=str(path))


def parse_yaml(text: str, type_: type[T], *, where: str) -> T:
    """YAML text as a value of `type_`; errors name `where` and the line."""
    try:
        value: T = adapter(type_).validate_python(load_yaml(text))
        return value
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise InputError(f"{where}{line}", f"is not valid YAML ({getattr(error, 'problem', None) or error})") from None
    except ValidationError as error:
        raise first_mistake(
            error.errors(include_url=False), _composed(text), where, Keys(adapter(type_).json_schema())
        ) from None


class _NoRepeats(yaml.constructor.SafeConstructor):
    """Refuses a key that stands twice in one mapping (YAML's own loaders keep the last in silence)."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen and key.value != "<<":
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} stands twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


class _Strict(_NoRepeats, yaml.SafeLoader):
    """The safe loader, whose errors say most."""


class _Fast(_NoRepeats, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The same in C, ten times as fast."""


LARGEST = 2_000_000
"""Parts of a YAML text with its aliases written out; a few lines of them can stand for millions."""


DEEPEST = 100
"""Parts of a YAML text within each other; what reads them in C ends the process at some ten thousands."""


def load_yaml(text: str) -> Any:
    """What a YAML text from anybody holds.

    Raises:
        YAMLError: it is no YAML, repeats a key, or stands for more than it should.
    """
    try:
        try:
            return _constructed(text, _Fast)
        except yaml.YAMLError:
            return _constructed(text, _Strict)
    except (ValueError, RecursionError) as error:  # such as a date with a thirteenth month
        raise yaml.YAMLError(str(error)) from None


def _composed(text: str) -> Any:
    """The nodes of a text that was read: where things stand in it."""
    try:
        return yaml.compose(text, Loader=_Fast)  # the two do not take quite the same texts
    except yaml.YAMLError:
        return yaml.compose(text, Loader=_Strict)


def _constructed(text: str, loader_type: type[Any]) -> Any:
    depth = 0
    for event in yaml.parse(text, Loader=loader_type):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise yaml.constructor.ConstructorError(None, None, "it is nested too deeply", cast(Any, event).start_mark)
    loader = loader_type(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _size(node, {})
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _size(node: Any, known: dict[int, int]) -> int:
    """Parts of a node with its aliases written out.

    Raises:
        ConstructorError: there are too many, a part holds itself, or a key is no text.
    """
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) not in known:
        known[id(node)] = LARGEST  # until it is known: what holds itself is too large
        pairs = isinstance(node, yaml.MappingNode)
        if pairs and (odd := next((key for key, _ in node.value if not isinstance(key, yaml.ScalarNode)), None)):
            raise yaml.constructor.ConstructorError(None, None, "a key is no text", odd.start_mark)
        known[id(node)] = 1 + sum(_size(part[1] if pairs else part, known) for part in node.value)
    if known[id(node)] >= LARGEST:
        raise yaml.constructor.ConstructorError(
            None, None, f"it holds itself, or over {LARGEST:,} parts once its aliases are written out", node.start_mark
        )
    return known[id(node)]


TIMEOUT_S = 30
"""Seconds that a server may be silent."""
PATIENCE_S, LEAST_RATE = 120, 20_000
"""Seconds that a server has in all, and one more for every so many bytes: one that sends a byte now and then is never
silent."""


def public(url: str) -> str:
    """A URL without what may be secret in it: who asks, and what stands behind its path."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.partition("?")[0]
    if not parts.scheme or not (parts.query or parts.fragment or "@" in parts.netloc):
        return url
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", "")) + "?..." * bool(parts.query)


def download(url: str, into: BinaryIO, *, sha256: str | None, most: int) -> None:
    """Copy what an http, https or file URL holds, and check its hash; nothing is to be made of the copy before this
    returns.

    Args:
        sha256: the hash that is expected; without one the error tells the hash that was found.
        most: bytes; more is an error.

    Raises:
        InputError: no or another hash is expected, the URL cannot be read, or it holds more.
    """
    expected, told = checked_hash(sha256), public(url)
    try:
        scheme = urlsplit(url).scheme
    except ValueError as error:
        raise InputError(told, f"is no URL ({error})", expected="http://, https:// or file://") from None
    if scheme not in ("http", "https", "file"):
        here = f"a file on this machine is {Path(url).resolve().as_uri()}" if not scheme else ""
        raise InputError(
            told,
            f"has the scheme {scheme!r}" if scheme else "has no scheme",
            expected="http://, https:// or file://",
            do=here,
        )
    hasher, n = hashlib.sha256(), 0
    try:
        with closing(_sent(url)) as sent:
            length = next(sent)
            for chunk in sent:
                n += len(chunk)
                if n > most:
                    raise InputError(told, f"is larger than {most // 1_000_000:,} MB", do="check the URL")
                hasher.update(chunk)
                into.write(chunk)
    except (OSError, ValueError, http.client.HTTPException) as error:  # URLError and HTTPError are OSErrors
        reason = getattr(error, "reason", None) or error
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it is the reply too
        raise InputError(
            told, f"cannot be read ({' '.join(str(reason).split())})", do="check the URL and the network"
        ) from None
    promised = int(length[:20]) if length and length.isdecimal() else n
    if promised != n:
        raise InputError(told, f"broke off after {n:,} of {promised:,} bytes", do="try again")
    found = hasher.hexdigest()
    if expected is None:
        raise InputError(
            told,
            f"has sha256 {found}",
            do="read the file; if it is what you want, add --sha256 with that hash; nothing was written",
        )
    if found != expected:
        raise InputError(told, f"has sha256 {found}", expected=f"{expected} was expected", do="nothing was written")


def _sent(url: str) -> Generator[Any]:
    """The length that a server says, and then what it sends, as it comes; read in a thread, which nobody waits for
    longer than is fair.

    Raises:
        TimeoutError: it is too slow.
        OSError, ValueError, HTTPException: as `urlopen` does.
    """
    parts: queue.Queue[Any] = queue.Queue(maxsize=16)
    over = threading.Event()

    def read() -> None:
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT_S) as reply:
                parts.put(reply.headers.get("Content-Length"))
                while (part := reply.read1(1 << 16)) and not over.is_set():
                    parts.put(part)
            parts.put(_END)
        except Exception as error:
            parts.put(error)

    threading.Thread(target=read, daemon=True).start()
    until = time.monotonic() + PATIENCE_S
    try:
        while (part := parts.get(timeout=max(0.0, until - time.monotonic()))) is not _END:
            if isinstance(part, Exception):
                raise part
            until += len(part or "") / LEAST_RATE
            yield part
    except queue.Empty:
        raise TimeoutError(f"too slow: over {PATIENCE_S} seconds, and under {LEAST_RATE // 1000} kB in each") from None
    finally:
        over.set()
        while not parts.empty():  # room for what the thread holds, so that it ends
            parts.get()


_END = object()


def checked_hash(sha256: str | None) -> str | None:
    """A SHA-256 as a user writes it, in lower case.

    Raises:
        InputError: it is none.
    """
    if sha256 is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise InputError("--sha256", f"{sha256!r} is no SHA-256", expected="64 hexadecimal digits")
    return sha256 and sha256.lower()


YAML_ENDINGS = (".yaml", ".yml")


def require_yaml_name(path: Path) -> None:
    """Refuse to write YAML where an audit would not read it as such.

    Raises:
        InputError: the name has another ending, or is a folder's.
    """
    if path.suffix not in YAML_ENDINGS or path.is_dir():
        raise InputError(
            path,
            "is no name of a YAML file",
            expected="an audit takes .yaml and .yml",
            do=f"name it {path.stem or 'mine'}.yaml",
        )


def require_new_yaml(path: Path) -> None:
    """The same, and to write over what may have been edited since.

    Raises:
        InputError: the name has another ending, or is taken.
    """
    require_yaml_name(path)
    if path.exists():
        raise InputError(
            path,
            "already exists",
            expected="what was edited in it would be lost",
            do="choose another -o, or remove it",
        )


@contextmanager
def writing(path: Path) -> Iterator[TextIO]:
    """A text file that takes its place when it is whole; whatever goes wrong before, what was there stays."""
    with placing(path) as part, part.open("w", encoding="utf-8") as stream:
        yield stream


@contextmanager
def placing(path: Path) -> Iterator[Path]:
    """A new file beside a path that takes its place in the end. Its name cannot be foreseen, so no link that somebody
    left there is followed, and two writers do not meet.

    Raises:
        InputError: the folder is a link, which may lead anywhere.
    """
    if path.parent.is_symlink():
        raise InputError(
            path.parent,
            "is a link to another folder",
            expected="files are written where they are said to be",
            do="remove the link, or name the folder itself",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    part.open("x").close()
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all."""
    with placing(path) as part:
        part.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write a file, whole or not at all."""
    with writing(path) as stream:
        stream.write(text)


class _Readable(yaml.SafeDumper):
    """Text of several lines as such where YAML can keep it, tuples as lists."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    kept = text.replace("\n", "").isprintable()
    return dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style='"' if not kept else "|" if "\n" in text else None
    )


_Readable.add_representer(str, _text)
_Readable.add_representer(tuple, yaml.SafeDumper.represent_list)


def to_yaml(value: Any) -> str:
    """Readable YAML, keys in the order given."""
    return str(yaml.dump(value, Dumper=_Readable, sort_keys=False, allow_unicode=True, width=160))


def yaml_comment(text: str) -> str:
    """A line that YAML passes over."""
    return f"# {' '.join(''.join(c if c.isprintable() else ' ' for c in text).split())}\n"


def to_json(value: Any) -> str:
    """Readable JSON, keys in the order given."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def digest(value: Any) -> str:
    """SHA-256 of a JSON-able value, independent of the order of keys."""
    return hashlib.sha256(_sorted(value).encode()).hexdigest()


_sorted = json.JSONEncoder(sort_keys=True, ensure_ascii=False).encode


def draw(value: Any) -> float:
    """A number in [0, 1) that follows from a JSON-able value alone, as good as drawn at random."""
    return int(digest(value)[:12], 16) / 16**12


def file_digest(path: Path) -> str:
    """SHA-256 of a file.

    Raises:
        InputError: it cannot be read.
    """
    with reading(path), path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def folder_digest(folder: Path, names: Iterable[str] | None = None) -> str:
    """SHA-256 over a folder's files (all, or the named ones), names included."""
    files = sorted(folder.iterdir()) if names is None else [folder / name for name in sorted(names)]
    return digest([(f.name, file_digest(f)) for f in files if f.is_file()])


SHOWN_FROM = 1_000_000_000
"""Bytes from which it is told how far hashing is; fewer take a second or two."""


def file_digests(paths: Mapping[str, Path], *, stage: str = "", progress: Progress = silent) -> dict[str, str]:
    """SHA-256 of each file, by the name that it goes under; read in parts, however large it is.

    Args:
        stage: what progress, in megabytes, is told of.

    Raises:
        InputError: one cannot be read.
    """
    found, done, total = {}, 0, 0
    for path in paths.values():
        with reading(path):
            total += path.stat().st_size
    for name, path in paths.items():
        hasher = hashlib.sha256()
        with reading(path), path.open("rb") as stream:
            while part := stream.read(1 << 24):
                hasher.update(part)
                done += len(part)
                if total >= SHOWN_FROM:
                    progress(stage, done // 1_000_000, total // 1_000_000, "MB")
        found[name] = hasher.hexdigest()
    return found
