"""The keys that a file takes, read off the JSON Schema of its type: for hints after a mistake, and for the tables of
`--schema`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]

NUMBERS = {"exclusiveMinimum": "over", "minimum": "at least", "exclusiveMaximum": "under", "maximum": "at most"}
LARGE = 1e15
"""A bound like this is a computer's and no user's."""
PLAIN = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
    "object": "mapping",
    "array": "list",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key of a file."""

    name: str
    depth: int
    """How many keys of the same table it stands under."""
    takes: str
    default: str
    """Nothing where it must be given, or where its own keys have defaults."""
    required: bool
    explanation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Keys that stand in one place: the file itself, or one of several things that may stand under a key."""

    at: tuple[str, ...]
    """Dotted keys under which they may stand; none for the file itself."""
    kind: str
    """The `kind` whose keys these are, where there are kinds."""
    explanation: str
    keys: tuple[Key, ...]


class Keys:
    """The keys of a type, by place."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._parts = {f"#/$defs/{name}": {**part, "$name": name} for name, part in schema.get("$defs", {}).items()}
        self._text = json.dumps(schema)

    def known(self, loc: Sequence[Any]) -> list[str]:
        """The keys that a place takes. A place is named as pydantic does: keys, numbers in lists, and members of
        unions."""
        return list(dict.fromkeys(name for schema in self._at(loc) for name in schema.get("properties", ())))

    def kinds(self, loc: Sequence[Any]) -> list[str]:
        """The kinds that may stand in a place."""
        return [kind for schema in self._at(loc) if (kind := _kind(schema))]

    def taking(self, key: str) -> list[tuple[tuple[str, ...], str]]:
        """Every place that takes a key, as the keys that lead to it, and the `kind` that does where there are kinds."""
        return list(
            dict.fromkeys(
                (path, _kind(schema))
                for path, schema in self._places(self.schema, (), ())
                if key in schema["properties"]
            )
        )

    def tables(self) -> list[Table]:
        """Every key with what it takes: first the file's own, then those of each thing that may stand in several places
        or is one of several."""
        self._own: dict[str, tuple[Schema, list[str]]] = {}
        made = [Table(at=(), kind="", explanation=_says(self.schema), keys=tuple(self._keys(self.schema, (), 0)))]
        done = 0
        while done < len(self._own):  # a table's keys may lead to further ones
            name, (schema, _) = list(self._own.items())[done]
            keys = tuple(self._keys(schema, (), 0, of=name))
            made.append(Table(at=(name,), kind=_kind(schema), explanation=_says(schema), keys=keys))
            done += 1
        places = {name: tuple(dict.fromkeys(at)) for name, (_, at) in self._own.items()}
        return [
            made[0],
            *(
                Table(at=places[table.at[0]], kind=table.kind, explanation=table.explanation, keys=table.keys)
                for table in made[1:]
            ),
        ]

    def _keys(self, schema: Schema, path: tuple[str, ...], depth: int, *, of: str = "") -> Iterator[Key]:
        """The keys of an object and, under each, those of the one object that it takes."""
        needed = schema.get("required", ())
        for name, taken in sorted(schema.get("properties", {}).items(), key=lambda item: item[0] not in needed):
            objects = [member for member in self._inner(taken) if "properties" in member]
            inline = len(objects) == 1 and not _kind(objects[0]) and self._uses(objects[0]) <= 1
            here = (*path, name)
            default = "" if "default" not in taken or (inline and taken["default"]) else _shown(taken["default"])
            yield Key(
                name=name,
                depth=depth,
                takes=self._takes(taken),
                default=default,
                required=name in needed,
                explanation=_says(taken),
            )
            if inline:
                yield from self._keys(objects[0], here, depth + 1, of=of)
                continue
            place = ".".join((self._called(of), *here) if of else here)
            for member in objects:
                self._own.setdefault(str(member.get("$name")), (member, []))[1].append(place)

    def _called(self, name: str) -> str:
        schema, places = self._own[name]
        return f"{places[0]} ({_kind(schema)})" if _kind(schema) else places[0]

    def _uses(self, schema: Schema) -> int:
        """How often a named object stands in the schema."""
        return self._text.count(f'"$ref": "#/$defs/{schema.get("$name")}"')

    def _takes(self, schema: Schema, above: tuple[Any, ...] = ()) -> str:
        """What a key takes, in words; what stands in itself is anything."""
        if schema.get("discriminator"):
            return f"kind: {' | '.join(schema['discriminator']['mapping'])}"
        members = [self._resolved(member) for member in schema.get("oneOf") or schema.get("anyOf") or [schema]]
        words = list(
            dict.fromkeys(
                self._word(member, above)
                for member in members
                if not ("default" in schema and schema["default"] is None and member.get("type") == "null")
            )
        )
        either = ", or " if any(" or " in word for word in words) else " or "
        return either.join("list of such" if word == f"list of {words[0]}" else word for word in words)

    def _word(self, schema: Schema, above: tuple[Any, ...]) -> str:
        if (name := schema.get("$name")) in above and name:
            return "anything"
        above = (*above, name)
        if "oneOf" in schema or "anyOf" in schema:
            return self._takes(schema, above)
        if "const" in schema or "enum" in schema:
            return " | ".join(str(value) for value in schema.get("enum", [schema.get("const")]))
        word = PLAIN.get(schema.get("type", ""), "anything")
        if word in ("number", "whole number"):
            bounds = [
                f"{said} {schema[bound]:g}" for bound, said in NUMBERS.items() if abs(schema.get(bound, LARGE)) < LARGE
            ]
            return " ".join([word, " and ".join(bounds)]).strip()
        if word == "list":
            items: Schema = schema.get("items") or next(iter(schema.get("prefixItems", ())), {})
            return f"list of {self._takes(items, above).replace(' or ', ' or of ')}" if items else word
        if word == "mapping" and (values := self._values(schema)):
            return f"mapping of names to {self._takes(values, above)}"
        return "keys" if "properties" in schema else word

    def _values(self, schema: Schema) -> Schema:
        """What the values of a mapping are, whose keys are free."""
        free = schema.get("additionalProperties")
        found: Schema = (
            free if isinstance(free, Mapping) else next(iter(schema.get("patternProperties", {}).values()), {})
        )
        return found

    def _resolved(self, schema: Schema) -> Schema:
        return self._parts[schema["$ref"]] if "$ref" in schema else schema

    def _members(self, schema: Schema) -> list[Schema]:
        """What may stand where a schema does: references followed, unions taken apart."""
        schema = self._resolved(schema)
        union = schema.get("oneOf") or schema.get("anyOf")
        return [member for one in union for member in self._members(one)] if union else [schema]

    def _inner(self, schema: Schema, above: tuple[Any, ...] = ()) -> list[Schema]:
        """The same, looking into lists and mappings too, but not into what stands in itself."""
        found: list[Schema] = []
        if (name := self._resolved(schema).get("$name")) in above and name:
            return found
        for member in self._members(schema):
            within = (
                [member["items"]]
                if "items" in member
                else [values]
                if "properties" not in member and (values := self._values(member))
                else []
            )
            found += [inner for one in within for inner in self._inner(one, (*above, name))] or [member]
        return found

    def _at(self, loc: Sequence[Any]) -> list[Schema]:
        here = self._members(self.schema)
        for part in loc:
            here = self._within(here, part) or here
        return here

    def _within(self, here: list[Schema], part: Any) -> list[Schema]:
        """What stands under a key or a number; the members that a name of a kind or of a type leaves."""
        under = [schema["properties"][part] for schema in here if part in schema.get("properties", ())]
        if isinstance(part, int):
            under = [schema["items"] for schema in here if "items" in schema] + [
                schema["prefixItems"][part] for schema in here if part < len(schema.get("prefixItems", ()))
            ]
        if not under and (named := [schema for schema in here if part in (_kind(schema), schema.get("title"))]):
            return named
        under = under or [values for schema in here if "properties" not in schema and (values := self._values(schema))]
        return [member for schema in under for member in self._members(schema)]

    def _places(
        self, schema: Schema, path: tuple[str, ...], above: tuple[str, ...]
    ) -> Iterator[tuple[tuple[str, ...], Schema]]:
        """Every object of the schema with the keys that lead to it."""
        for member in self._inner(schema):
            if "properties" in member and member.get("$name", "") not in above:
                yield path, member
                for name, taken in member["properties"].items():
                    yield from self._places(taken, (*path, name), (*above, member.get("$name", "")))


def _kind(schema: Schema) -> str:
    return str(schema.get("properties", {}).get("kind", {}).get("const", ""))


def _says(schema: Schema) -> str:
    return " ".join(str(schema.get("description", "")).split())


def _shown(default: Any) -> str:
    """A default as a file would write it; what is empty is none."""
    if default is None or default in ("", [], {}):
        return "none"
    if isinstance(default, str):
        return default
    return ", ".join(map(_shown, default)) if isinstance(default, list) else json.dumps(default, ensure_ascii=False)
