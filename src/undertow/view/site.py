"""What each address answers: runs as they go, rows, an answer, evidence, a comparison, and labelling."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from threading import Event, Thread
from typing import Any

from undertow.audits.compare import compare
from undertow.errors import InputError, unknown_name
from undertow.view.detail import detail
from undertow.view.index import SHOWN, Codes
from undertow.view.live import evidence, in_short, summary
from undertow.view.query import SORTS, Finder, read_query, whole
from undertow.view.run import ShownRun
from undertow.view.sitting import LABELLED, Sittings
from undertow.words import rate

EVERY_S = 0.5
"""Seconds between looks at what is new in the runs."""
PAGE = 100
"""Rows of a page, unless the address says otherwise."""

Given = Mapping[str, Sequence[str]]


class Site:
    """The runs that are shown, and what is answered about them. A context manager: a thread follows the runs."""

    def __init__(
        self, folders: Mapping[str, Path], *, by: str = "", after: Callable[[Path], str] | None = None
    ) -> None:
        """
        Args:
            folders: runs by the label that they are shown under.
            by, after: as `Sittings` takes them.

        Raises:
            InputError: one holds no run, or its answers cannot be read.
        """
        codes = Codes()
        self.runs = {label: ShownRun(label, folder, codes) for label, folder in folders.items()}
        self.finder = Finder(self.runs)
        self.sittings = Sittings(by=by, after=after)
        self._over = Event()
        self._thread = Thread(target=self._follow, name="following", daemon=True)
        self.asked = {
            "site": self._site,
            "summary": self._summary,
            "runs": lambda given: [in_short(run) for run in self.runs.values()],
            "wordings": lambda given: {q.id: q.text for run in self.runs.values() for q in run.questions.values()},
            "rows": self._rows,
            "answer": self._answer,
            "evidence": self._evidence,
            "compare": self._compare,
            "label": lambda given: self.sittings.state(),
        }
        """By address what is answered to a GET."""
        self.told = {"begin": self._begin, "set": self._set, "skip": self._skip, "undo": self._undo, "end": self._end}
        """The same to a POST under `label/`."""

    def __enter__(self) -> Site:
        try:
            for run in self.runs.values():
                run.open()
        except BaseException:
            self.__exit__()
            raise
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        self.sittings.close()
        for run in self.runs.values():
            run.close()

    def _follow(self) -> None:
        while not self._over.is_set():
            more = [run.refresh() for run in self.runs.values()]
            self._over.wait(0.001 if any(more) else EVERY_S)

    def run(self, given: Given, name: str = "run") -> ShownRun:
        """The run that an address names; the first where it names none."""
        label = next(iter(given.get(name, ())), next(iter(self.runs)))
        if label not in self.runs:
            raise unknown_name(name, "run", label, self.runs)
        return self.runs[label]

    def _site(self, given: Given) -> dict[str, Any]:
        return {
            "runs": [
                {
                    "label": run.label,
                    "name": run.name,
                    "persona": run.persona,
                    "state": run.state,
                    "version": run.version,
                    "answers": run.index().n,
                    "ready": run.ready,
                }
                for run in self.runs.values()
            ],
            "relations": {id_: c.relation for run in self.runs.values() for id_, c in run.contexts.items()},
            "outcomes": list(SHOWN),
            "sorts": list(SORTS),
        }

    def _summary(self, given: Given) -> dict[str, Any]:
        run = self.run(given)
        version = run.version
        known = next(iter(given.get("version", ())), "")
        if known == f"{version}-{run.state}":
            return {"version": known, "same": True}
        return {"version": f"{version}-{run.state}", "same": False, **summary(run)}

    def _rows(self, given: Given) -> dict[str, Any]:
        query = read_query(given, list(self.runs))
        offset = whole(next(iter(given.get("offset", ())), "0"), "offset")
        limit = whole(next(iter(given.get("limit", ())), str(PAGE)), "limit")
        if "find" in given:
            label, _, id_ = given["find"][0].rpartition(":")
            return {"place": self.finder.place(query, label, whole(id_, "find"))}
        page = self.finder.page(query, offset=offset, limit=limit, whole="whole" in given)
        held = [self.runs[label] for label in query.runs]
        return page | {"version": sum(run.version for run in held), "ready": all(run.ready for run in held)}

    def _answer(self, given: Given) -> dict[str, Any]:
        return detail(self.run(given), whole(next(iter(given.get("id", ())), ""), "id"))

    def _evidence(self, given: Given) -> dict[str, Any]:
        return evidence(self.run(given))

    def _compare(self, given: Given) -> dict[str, Any]:
        before, after = self.run(given, "before"), self.run(given, "after")
        found = compare(before.folder, after.folder)
        return {
            "before": before.label,
            "after": after.label,
            "fate": found.fate,
            "reasons": list(found.reasons),
            "warnings": list(found.warnings),
            "contexts": [
                {
                    "id": id_,
                    "before": asdict(old) | {"words": rate(old)},
                    "after": asdict(new) | {"words": rate(new)},
                    "difference": asdict(change) | {"words": rate(change, signed=True)},
                }
                for id_, old, new, change in found.contexts
            ],
        }

    # Labelling

    def _begin(self, said: Mapping[str, Any]) -> dict[str, Any]:
        run = self.run({"run": [str(said.get("run", ""))]})
        n = said.get("labels", LABELLED)
        if not isinstance(n, int) or isinstance(n, bool) or n < 1:
            raise InputError("labels", f"is {n!r}", expected="a whole number from 1")
        return self.sittings.begin(run.folder, n) | {"label": run.label}

    def _set(self, said: Mapping[str, Any]) -> dict[str, Any]:
        return self.sittings.label(str(said.get("id")), str(said.get("label")), str(said.get("note") or ""))

    def _skip(self, said: Mapping[str, Any]) -> dict[str, Any]:
        return self.sittings.skip(str(said.get("id")))

    def _undo(self, said: Mapping[str, Any]) -> dict[str, Any]:
        return self.sittings.undo()

    def _end(self, said: Mapping[str, Any]) -> dict[str, Any]:
        return self.sittings.end()
