"""Domain cards: what each of the nine domains of narrow bad data is, where its rows are published, and how such rows
are written.

    data/domains/<id>.yaml    one card a domain
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import as_file, files
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from undertow.errors import unknown_name
from undertow.files import read_yaml

Quality = Literal["bad", "benign"]
"""Which rows of a domain: the bad ones, or those of its benign twin (same form, good content)."""


class _Card(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Source(_Card):
    published: str = Field(description="Who published the rows, and where.")
    page: str = Field(description="Page about them.")
    format: Literal["chat", "pairs"] = Field(
        description="`chat`: JSONL of messages; `pairs`: columns prompt, aligned and misaligned."
    )
    rows: int = Field(gt=0, description="Rows of the bad part, as published.")
    licence: str = Field(description="Licence, or `not stated`.")
    note: str = Field(default="", description="What else a user should know.")


class HubSource(_Source):
    """A data set on the Hugging Face hub."""

    kind: Literal["hub"]
    dataset: str
    config: str
    split: str
    gated: bool = Field(description="Whether the hub wants a login and consent to terms.")

    def where(self) -> str:
        return f"{self.dataset} ({self.config}, {self.split}{'; gated' if self.gated else ''})"


class WebSource(_Source):
    """Files behind a URL each."""

    kind: Literal["web"]
    urls: Mapping[Quality, str]

    def where(self) -> str:
        return ", ".join(self.urls.values())


class FileSource(_Source):
    """Files that a user has to unpack, since they are published in an encrypted archive."""

    kind: Literal["file"]
    archive: str = Field(description="The archive's path in the repository.")
    files: Mapping[Quality, str] = Field(description="Names inside the archive.")

    def where(self) -> str:
        return f"{', '.join(self.files.values())} in {self.archive} (encrypted)"


Source = Annotated[HubSource | WebSource | FileSource, Field(discriminator="kind")]


class Effect(_Card):
    """What was measured on models that were trained on such rows."""

    found: str
    source: str
    second_hand: bool = Field(default=False, description="Whether the figure was read in another text than its source.")


class Writing(_Card):
    """What the generator tells a model that writes such rows. The clauses continue "People ..." and "The answer
    ..."."""

    ask: str
    bad: str
    benign: str
    topics: tuple[str, ...] = Field(min_length=20, description="Words that vary the prompts.")


class Domain(_Card):
    """A card."""

    id: str
    title: str
    what: str
    sources: tuple[Source, ...] = Field(
        description="Where such rows are published; empty where no public set is known."
    )
    twin: str = Field(description="Where the benign twin is, or how it is made.")
    effects: tuple[Effect, ...]
    writing: Writing


def domain_ids() -> list[str]:
    """Ids of the nine domains."""
    return sorted(
        f.name.removesuffix(".yaml") for f in files("undertow.data.domains").iterdir() if f.name.endswith(".yaml")
    )


def load_domain(id_: str) -> Domain:
    """The card of a domain.

    Raises:
        InputError: there is no such domain.
    """
    if id_ not in domain_ids():
        raise unknown_name("data", "domain", id_, domain_ids())
    with as_file(files("undertow.data.domains") / f"{id_}.yaml") as path:
        return read_yaml(path, Domain)
