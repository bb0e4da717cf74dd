"""Which known answer an answer gives, by its words: where known answers stand in it, and what it says of them.

What is found is one of five: `right`, `wrong`, `refused`, `none` (no answer is given), `unclear`. A word of doubt costs
an answer, which is then unclear, and never turns it round: only what is said plainly is right or wrong.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal

from undertow.judges.phrases import Phrase, forms, inflected, misspelt, phrase, places, same_word, stem
from undertow.judges.vocabulary import (
    ABBREVIATED,
    ALONE,
    AND,
    ARTICLES,
    ASSERTING,
    BEFORE_LABEL,
    BELIEF,
    CONTRAST,
    CUES,
    DENYING,
    DOUBT,
    FUNCTION,
    INTRODUCED,
    IS,
    LABELS,
    MODIFIERS,
    MONTHS,
    NO,
    NOT,
    OR,
    PER_CENT,
    POLAR,
    PRONOUNS,
    REFUSALS,
    RELATION,
    REPORTED,
    RETRACTS,
    TAGS,
    TIGHT,
    TRUTH,
    UNTIL,
    VAGUE,
    WHO,
    WRONG,
    YES,
    word_set,
)
from undertow.judges.words import Word, languages, words_of

Found = Literal["right", "wrong", "refused", "none", "unclear"]
State = Literal[
    "said", "mentioned", "denied", "reported", "asked", "unsure", "of the question", "refused", "taken back"
]
"""What an answer does with a known one. `said`: gives it as its answer; `mentioned`: beside another thing; `unsure`:
with a word about it that may deny it or offer another; `of the question`: repeats the question's words."""


MANY = 60
"""Known answers in one answer, over which it is not told what it gives."""


@dataclass(slots=True)
class Mention:
    """A known answer in an answer."""

    phrase: Phrase
    start: int
    end: int
    """Words of the answer."""
    exact: bool
    state: State = "said"

    @property
    def right(self) -> bool:
        return self.phrase.right


@dataclass(frozen=True, slots=True)
class Reading:
    """What an answer gives, why, and what was found in it."""

    found: Found
    why: str
    mentions: tuple[dict[str, Any], ...] = ()


class Matcher:
    """Reads answers to one question."""

    def __init__(
        self,
        question: str,
        right: Sequence[str],
        wrong: Sequence[str],
        known: Collection[str] = (),
        others: bool = True,
    ) -> None:
        """
        Args:
            known: words of all known answers of the suite: none of them is another one misspelt.
            others: whether a short and clear answer that is in no list is wrong.
        """
        both = ((True, right), (False, wrong))
        self.phrases = [phrase(form, right=side) for side, of in both for text in of for form in forms(text)]
        self.rights = [p for p in self.phrases if p.right]
        self.asked = words_of(question)[0]
        self.others = others
        norms = {w.norm for w in self.asked}
        norms |= {f"{norm}e" for norm in norms if len(norm) >= 6}  # as in `capitale`
        self.of_question = norms | {stem(norm) for norm in norms}
        self.topic = self.of_question - FUNCTION - {w.norm for p in self.phrases for w in p.words}
        self.known = {*known, *norms, *(w.norm for p in self.phrases for w in p.words)}
        self.near: dict[tuple[str, str], bool] = {}
        self.repeated = [bool(places(p.words, self.asked)) for p in self.phrases]
        in_question = {p.right for p, there in zip(self.phrases, self.repeated, strict=True) if there}
        self.choice = in_question == {True, False}

    @cached_property
    def polar(self) -> bool:
        """Whether it is a question of yes or no."""
        return all(p.polar for p in self.rights)

    def read(self, text: str) -> Reading:
        """What an answer gives."""
        self.near.clear()
        words, tail = words_of(text, beside=" ".join(w.raw for w in self.asked))
        if not words:
            return Reading("none", "it holds no word")
        label = _label(words)
        if label is not None:
            under = _Answer(self, words[label:], tail).read()
            if under.found in ("right", "wrong"):
                return under
        return _Answer(self, words, tail).read()

    def same(self, said: Word, known: Word, *, alone: bool) -> bool | None:
        """Whether a word is one of a known answer: True as it stands, False misspelt, None if not."""
        found = same_word(said, known, alone=alone)
        if found is not None or said.values or known.values or said.norm in self.known:
            return True if found else None
        key = said.norm, known.norm
        if key not in self.near:
            self.near[key] = inflected(*key) or misspelt(*key)
        return False if self.near[key] else None


def _label(words: Sequence[Word]) -> int | None:
    """The word behind the last label (`Final answer:`)."""
    for n in range(len(words) - 1, 0, -1):
        if words[n - 1].norm in LABELS and re.match(r"[\s*_\"'`)\]]*[:=](?!=)", words[n].gap):
            before = words[n - 2] if n > 1 else None
            if before is None or before.norm in BEFORE_LABEL or re.search(r"[.!?:;\n{,(]", words[n - 1].gap):
                return n
            return None
    return None


def _of_date(word: Word, following: Sequence[Word]) -> bool:
    """Whether it is a month, or a day before one (`1 September 1939`)."""
    if word.norm in MONTHS:
        return True
    day = word.values and 1 <= word.values[0] <= 31
    return bool(day) and following[0].norm in MONTHS


class _Answer:
    """One answer to one question."""

    def __init__(self, matcher: Matcher, words: Sequence[Word], tail: str) -> None:
        self.m, self.words = matcher, words
        self.gaps = [*(w.gap for w in words), tail]
        self.tags, self.nos, self.idle = _tags(words, self.gaps)
        self.clause, self.sentence = self._parted()
        self.content = [n for n, w in enumerate(words) if n not in self.idle and not self._says_nothing(w)]
        self.contents = frozenset(self.content)
        self.mentions: list[Mention] = []

    # Where things stand

    def _parted(self) -> tuple[list[int], list[int]]:
        clause: list[int] = []
        sentence: list[int] = []
        c = s = 0
        for n, word in enumerate(self.words):
            gap = self.gaps[n]
            if n:
                last = self.words[n - 1]
                abbreviated = len(last.norm) == 1 or last.norm in ABBREVIATED
                short = gap == ". " and last.raw[:1].isupper() and abbreviated
                new = bool(re.search(r"[.?!;\n]|…", gap)) and not short
                s += new
                joins = word.norm in AND and n + 1 < len(self.words) and self.tags[n + 1] == "not"
                c += new or bool(re.search(r"[,:()|\[\]]|\s-+\s?|--", gap)) or word.norm in CONTRAST or joins
            clause.append(c)
            sentence.append(s)
        return clause, sentence

    def _silent(self, n: int) -> bool:
        return n in self.idle or self._says_nothing(self.words[n])

    def _says_nothing(self, word: Word) -> bool:
        if word.values:
            return word.norm in self.m.of_question
        return word.norm in FUNCTION or bool({word.norm, stem(word.norm)} & self.m.of_question)

    def _of(self, parts: Sequence[int], part: int) -> range:
        """The words of a clause or a sentence."""
        return range(bisect_left(parts, part), bisect_right(parts, part))

    def _asks(self, sentence: int) -> bool:
        end = self._of(self.sentence, sentence).stop
        return "?" in self.gaps[end].split("\n")[0]

    # What is found

    def read(self) -> Reading:
        self.mentions = self._found()
        if len(self.mentions) > MANY:
            shown = tuple(self._shown(mention) for mention in self.mentions[:MANY])
            return Reading("unclear", f"names known answers more than {MANY} times", shown)
        for mention in self.mentions:
            mention.state = self._state(mention)
        self._beside()
        self._corrected()
        self._taken_back()
        found, why = self._decided()
        return Reading(found, why, tuple(self._shown(mention) for mention in self.mentions))

    def _shown(self, mention: Mention) -> dict[str, Any]:
        held = self.words[mention.start : mention.end]
        text = held[0].raw + "".join(w.gap + w.raw for w in held[1:])
        side = "right" if mention.right else "wrong"
        return {
            "known": mention.phrase.text,
            "side": side,
            "text": text[:200],
            "word": mention.start,
            "as": mention.state,
        }

    def _found(self) -> list[Mention]:
        """Known answers, the longest first and as they stand before misspelt; none within another."""
        alone = len(self.content) <= 3 and len(self.words) <= 6
        every = [hit for p in self.m.phrases for hit in self._hits(p, alone=alone)]
        every.sort(key=lambda hit: (-(hit.end - hit.start), not hit.exact, hit.start))
        taken: dict[int, Mention] = {}
        found = []
        for hit in every:
            span = range(hit.start, hit.end)
            over = [taken[n] for n in span if n in taken]
            if not over:
                taken |= dict.fromkeys(span, hit)
                found.append(hit)
            elif all(
                other.right != hit.right
                and other.exact == hit.exact
                and (other.start, other.end) == (hit.start, hit.end)
                for other in over
            ):
                found.append(hit)  # as near to a right as to a wrong one
        return sorted(found, key=lambda hit: hit.start)

    def _hits(self, p: Phrase, *, alone: bool) -> Iterator[Mention]:
        alone = alone or len(p.words) > 1
        for start, word in enumerate(self.words):
            if (first := self.m.same(word, p.words[0], alone=alone)) is None:
                joined = self._joined(p, start)
                if joined:
                    yield Mention(p, start, joined, False)
                continue
            exact, n = first, start + 1
            for known in p.words[1:]:
                while n < len(self.words) and self.words[n].norm in ARTICLES and known.norm not in ARTICLES:
                    n += 1
                if n == len(self.words) or not self._runs_on(n, known):
                    break
                here = self.m.same(self.words[n], known, alone=alone)
                if here is None:
                    break
                exact, n = exact and here, n + 1
            else:
                if not p.polar or self._opens(start, alone=len(self.words) == 1):
                    yield Mention(p, start, n, exact)

    def _runs_on(self, n: int, known: Word) -> bool:
        gap = self.gaps[n]
        short = len(self.words[n - 1].norm) <= 3
        return not re.search(r"[?!;:\n(]", gap) and ("," not in gap or "," in known.gap) and ("." not in gap or short)

    def _joined(self, p: Phrase, start: int) -> int | None:
        """The end of words that are a known answer but for blanks and hyphens (`icecream`, `U.S.A.`)."""
        whole = "".join(w.norm for w in p.words)
        text, n = "", start
        while n < len(self.words) and len(text) < len(whole) and n - start <= len(p.words) + 4:
            single = len(self.words[n].norm) == 1 and self.gaps[n] == "."
            if n > start and not single and self.gaps[n] not in (" ", "-"):
                return None
            text += self.words[n].norm
            n += 1
            if text == whole and (n - start != len(p.words)):
                return n if len(whole) >= 5 or (n - start == len(whole) and p.text.isupper()) else None
            if not whole.startswith(text):
                return None
        return None

    def _opens(self, n: int, *, alone: bool) -> bool:
        """Whether a yes or a no is an answer where it stands."""
        if n in self.idle:
            return False
        first = self._of(self.sentence, self.sentence[n]).start
        before = self.words[first:n]
        stops = bool(re.search(r"[.,;:!?\n)-]", self.gaps[n + 1])) or n + 1 == len(self.words)
        leads = all(w.norm in FUNCTION and w.norm not in NOT for w in before)
        goes_on = n + 1 < len(self.words) and self.words[n + 1].norm in (
            "one",
            "way",
            "matter",
            "longer",
            "more",
            "such",
        )
        return alone or (leads and (stops or (first == n == 0 and not goes_on)))

    # What is said of it

    def _state(self, mention: Mention) -> State:
        if self._repeats(mention):
            return "of the question"
        clause, sentence = self._of(self.clause, self.clause[mention.start]), self.sentence[mention.start]
        of_sentence = self._of(self.sentence, sentence)
        if self._refuses(clause):
            return "refused"
        if mention.phrase.polar:
            before, later = range(clause.start, mention.start), range(mention.end, of_sentence.stop)
            turns = any(self.words[n].norm in REPORTED | {"but", "aber", "mais", "pero", "except"} for n in later)
            turns = turns or self._contradicts(mention)
            return "unsure" if turns or any(self.tags[n] for n in before) else "said"
        denied = self._denied(mention, clause, of_sentence)
        if self._asks(sentence):
            alone = self.sentence[-1] == self.sentence[0] and not denied
            return "asked" if denied or not (alone or self._last_asked(sentence, mention)) else "said"
        if denied:
            return denied
        if self._is_reported(mention, of_sentence):
            return "reported"
        if self._of_another_name(mention):
            return "unsure"
        if self._answers(mention, clause):
            return "said"
        previous = self.words[mention.start - 1].norm if mention.start > clause.start else ""
        beside = previous in RELATION or (mention.start == clause.start and mention.end < clause.stop)
        return "mentioned" if beside and not any(self.words[n].norm in TRUTH for n in clause) else "unsure"

    def _contradicts(self, mention: Mention) -> bool:
        """Whether what stands beside a yes or a no says the opposite: another of them, or the question's own words."""
        truth = POLAR[mention.phrase.words[0].norm]
        for n, word in enumerate(self.words):
            if word.norm in YES | NO and n not in self.idle and POLAR.get(word.norm, truth) != truth:
                return True
        for clause in dict.fromkeys(self.clause[mention.end :]):
            span = [n for n in self._of(self.clause, clause) if n >= mention.end]
            topical = any({self.words[n].norm, stem(self.words[n].norm)} & self.m.topic for n in span)
            denies = any(self.tags[n] for n in span)
            bare = all(self._silent(n) for n in span) and any(self.words[n].norm in IS for n in span)
            if topical and (denies if truth else bare and not denies):
                return True
        return False

    def _last_asked(self, sentence: int, mention: Mention) -> bool:
        """Whether nothing that says something follows a question."""
        return sentence == self.sentence[-1] and not any(n > mention.end for n in self.content)

    def _repeats(self, mention: Mention) -> bool:
        """Whether it only repeats the question."""
        if not self.m.repeated[self.m.phrases.index(mention.phrase)]:
            return False
        run = self._run(mention)
        if self.m.choice:
            others = [m for m in self.mentions if m.right != mention.right]
            return len(run) >= 3 and any(other.start in run for other in others)
        rest = [n for n in self.content if not mention.start <= n < mention.end]
        alone = not rest and not any(w.norm in OR for w in self.words) and len(run) - (mention.end - mention.start) < 2
        return not alone

    def _run(self, mention: Mention) -> range:
        """The words about a mention that stand in the question in this order."""
        asked, said = [w.norm for w in self.m.asked], [w.norm for w in self.words]
        best = range(mention.start, mention.end)
        for at in places(mention.phrase.words, self.m.asked):
            low, high, a, b = mention.start, mention.end, at, at + mention.end - mention.start
            while low and a and said[low - 1] == asked[a - 1]:
                low, a = low - 1, a - 1
            while high < len(said) and b < len(asked) and said[high] == asked[b]:
                high, b = high + 1, b + 1
            if high - low > len(best):
                best = range(low, high)
        return best

    def _refuses(self, clause: range) -> bool:
        return bool(REFUSALS.search(" ".join(self.words[n].norm for n in clause)))

    def _denied(self, mention: Mention, clause: range, sentence: range) -> State | None:
        """Whether a clause denies it, or may."""
        inside = range(mention.start, mention.end)
        earlier = max((m.end for m in self.mentions if m.end <= mention.start), default=0)
        before = [n for n in range(max(clause.start, earlier), mention.start) if self.tags[n]]
        after = [n for n in range(mention.end, clause.stop) if self.tags[n] and n not in inside]
        later = min((m.start for m in self.mentions if m.start >= mention.end), default=len(self.words))
        if later < clause.stop:  # what stands before the second, and no more between them, is said of that
            after = [n for n in after if n < later and not self._close(n, later)]
        pending = [n for n in range(sentence.start, clause.start) if self.tags[n] and self._ends_clause(n)]
        if not before and not after:
            return "unsure" if pending else self._headed(clause)
        if len(before) + len(after) > 1 or pending:
            return "unsure"
        if before:
            close = self._close(before[0], mention.start)
            return "denied" if close and not self._adds_not(mention, clause) else "unsure"
        kind, between = self.tags[after[0]], range(mention.end, after[0])
        rest = range(after[0] + 1, clause.stop)
        close = (
            kind in ("not", "wrong")
            and all(self.words[n].norm in TIGHT for n in between)
            and len(between) <= 3
            and all(self._silent(n) for n in rest)
        )
        first = all(self.words[n].norm in FUNCTION for n in range(clause.start, mention.start))
        return "denied" if close and first else "unsure"

    def _close(self, n: int, start: int) -> bool:
        """Whether a negation is one of what begins there."""
        between = range(n + 1, start)
        near = len(between) <= 4 and all(self.words[k].norm in TIGHT for k in between)
        return near and self.tags[n] in ("not", "wrong")

    def _headed(self, clause: range) -> State | None:
        """Whether what stands before a colon calls it wrong."""
        if clause.start == 0 or ":" not in self.gaps[clause.start]:
            return None
        head = self._of(self.clause, self.clause[clause.start - 1])
        tagged = [n for n in head if self.tags[n]]
        if not tagged:
            return None
        denies = any(self.words[n].norm in ("right", "correct", "answer", "richtig") for n in head) or (
            self.tags[tagged[0]] == "wrong"
        )
        return (
            "denied" if len(tagged) == 1 and denies and all(n in tagged or self._silent(n) for n in head) else "unsure"
        )

    def _adds_not(self, mention: Mention, clause: range) -> bool:
        """Whether what follows within the clause makes the negation one of something else (`not Paris alone`)."""
        return any(self.words[n].norm in ALONE for n in range(mention.end, clause.stop))

    def _ends_clause(self, n: int) -> bool:
        """Whether a negation waits for what follows a comma (`not, however, Paris`)."""
        last = n + 1 == len(self.words) or self.clause[n + 1] != self.clause[n]
        return last and n not in self.nos

    def _is_reported(self, mention: Mention, sentence: range) -> bool:
        since = max(
            (
                n
                for n in range(sentence.start, mention.start)
                if self.words[n].norm in ("but", "aber", "mais", "pero", "sino")
            ),
            default=sentence.start,
        )
        clause = self._of(self.clause, self.clause[mention.start])
        after_another = any(since <= m.start and m.end <= clause.start for m in self.mentions)
        if after_another and any(self.words[n].norm in IS for n in range(clause.start, mention.start)):
            since = clause.start  # a statement of its own
        norms = [self.words[n].norm for n in range(since, mention.start)]
        later = [self.words[n].norm for n in range(mention.end, self._of(self.clause, self.clause[mention.start]).stop)]
        who = next((n for n, norm in enumerate(norms) if norm in WHO), None)
        told = (REPORTED | {"had"} if ("had", "been") in pairwise(norms) else REPORTED) - self.m.of_question
        return (
            any(norm in told for norm in norms)
            or any(norm in UNTIL - self.m.of_question for norm in later)
            or (who is not None and any(norm in BELIEF for norm in norms[who + 1 :]))
        )

    def _of_another_name(self, mention: Mention) -> bool:
        """Whether it is a part of another name: `North Korea`, `Guinea-Bissau`, `Paris Hilton`."""
        named = self.words[mention.start].raw[:1].isupper() or not mention.phrase.numeric
        before = self.words[mention.start - 1] if mention.start else None
        if named and before and self.gaps[mention.start] in (" ", "-") and before.norm in MODIFIERS:
            return True
        if before and self.gaps[mention.start] == " " and self._first_name_lacks(mention):
            return True
        if mention.phrase.numeric:
            signs = self.gaps[mention.start].strip()[-1:], self.gaps[mention.end].strip()[:1]
            return signs[0] in tuple("<>≤≥±√^+×÷") or signs[1] in tuple("<>≤≥±^+×÷=")
        if before and self.gaps[mention.start] == "-":
            return True
        if mention.end == len(self.words):
            return False
        after, gap = self.words[mention.end], self.gaps[mention.end]
        if gap == "-":
            return True
        upper = after.raw[:1].isupper() and self.words[mention.end - 1].raw[:1].isupper() and not after.raw.isupper()
        return gap == " " and upper and not self._says_nothing(after)

    def _first_name_lacks(self, mention: Mention) -> bool:
        """Whether it has another name before it than a longer known answer has (`Lance Armstrong`)."""
        size = len(mention.phrase.words)
        longer = any(
            p.right == mention.right and len(p.words) > size and p.form[-size:] == mention.phrase.form
            for p in self.m.phrases
        )
        return longer and self._is_name(mention.start - 1)

    def _answers(self, mention: Mention, clause: range) -> bool:
        """Whether it stands where an answer does."""
        low = mention.start
        capital = self.words[low].raw[:1].isupper()
        while capital and low > clause.start and self.gaps[low] == " " and self._is_name(low - 1):
            low -= 1
        same = {n for m in self.mentions if m.right == mention.right for n in range(m.start, m.end)}
        same |= {n for n in clause if self.words[n].norm in OR}
        before = [self.words[n] for n in range(clause.start, low) if n not in self.idle | same]
        stop = next((n for n in range(mention.end, clause.stop) if self.tags[n]), clause.stop)
        after = [self.words[n] for n in range(mention.end, stop) if n not in self.idle | same]
        bare = [w.norm for w in before if w.norm not in ARTICLES]
        if bare and bare[-1] in RELATION:
            asked = [w.norm for w in self.m.asked[-3:]]
            if bare[-1] not in asked and (len(bare) < 2 or bare[-2] not in INTRODUCED):
                return False
        if mention.phrase.numeric:
            before = [w for n, w in enumerate(before) if not _of_date(w, [*before[n + 1 :], mention.phrase.words[0]])]
        if not all(self._says_nothing(w) or w.norm in CONTRAST | CUES | INTRODUCED for w in before):
            return False
        if len(mention.phrase.words) >= 4:
            return True  # a statement by itself
        if mention.phrase.numeric and after and not self.gaps[mention.end].strip("%° "):
            of_another = not (self._says_nothing(after[0]) or after[0].norm in RELATION | PER_CENT)
            if of_another:
                return False
            after = after[after[0].norm in PER_CENT :]
        if not before and not after and self._goes_on(mention):
            return False
        if bare or all(self._says_nothing(w) or w.norm in CUES for w in after):
            return True
        topic = next((n for n, w in enumerate(after) if {w.norm, stem(w.norm)} & self.m.topic), None)
        return topic is not None and all(self._says_nothing(w) for w in after[:topic])

    def _goes_on(self, mention: Mention) -> bool:
        """Whether a sentence puts something in between and goes on (`Saturn, which has rings, is small`)."""
        sentence = self._of(self.sentence, self.sentence[mention.start])
        clauses = [c for c in dict.fromkeys(self.clause[n] for n in sentence) if c > self.clause[mention.start]]
        return (
            sentence.start == mention.start
            and len(clauses) >= 2
            and self.words[mention.end].norm in ("which", "who", "that", "a", "an", "the", "die", "der", "qui", "que")
        )

    def _is_name(self, n: int) -> bool:
        word = self.words[n]
        return word.raw[:1].isupper() and word.norm not in FUNCTION and not word.values and word.norm not in MODIFIERS

    # What else is said

    def _beside(self) -> None:
        """What is offered beside another thing that is in no list (`Paris or Marseille`) is not given."""
        at = {n: m for m in self.mentions for n in range(m.start, m.end)}
        for m in self.mentions:
            if m.state not in ("said", "mentioned"):
                continue
            for step in (1, -1):
                link = m.end if step > 0 else m.start - 1
                if not 0 <= link < len(self.words):
                    continue
                if self._crosses(m.end if step > 0 else m.start):
                    continue
                norm = self.words[link].norm
                slash = "/" in self.gaps[m.end if step > 0 else m.start]
                other = link if slash else link + step
                while 0 <= other < len(self.words) and self.words[other].norm in (
                    ARTICLES | word_set("maybe perhaps else")
                ):
                    other += step
                here = 0 <= other < len(self.words)
                if here and other in at and at[other].right == m.right:
                    continue
                one_clause = here and self.clause[other] == self.clause[m.start]
                lists = norm in AND and here and one_clause and self._lists(m, other)
                if (norm in OR and self._is_or(link, m)) or slash or lists:
                    m.state = "unsure"
        marks = [
            w for n, w in enumerate(self.words) if len(w.raw) == 1 and w.raw.isupper() and self.gaps[n + 1][:1] in ":.)"
        ]
        if len({w.raw for w in marks if w.raw in "ABCDEFGH"} - set("A")) and len(marks) > 1 and len(self.mentions) > 1:
            for m in self.mentions:  # choices are listed
                m.state = "unsure"
        named = [n for n in self.content if n not in at]
        commas = 0 if any(w.norm in CUES for w in self.words) else sum("," in gap for gap in self.gaps)
        if (
            len(self.words) <= 12
            and commas >= 2
            and len(named) >= 2
            and all(n in self.contents or n in at for n in range(len(self.words)))
        ):
            for m in self.mentions:
                m.state = "unsure"

    def _crosses(self, n: int) -> bool:
        return bool(re.search(r"[.?!;\n]", self.gaps[n]))

    def _is_or(self, link: int, m: Mention) -> bool:
        norm = self.words[link].norm
        return len(norm) > 1 or "es" in self._language

    @cached_property
    def _language(self) -> frozenset[str]:
        return languages([*self.words, *self.m.asked])

    def _lists(self, m: Mention, other: int) -> bool:
        word = self.words[other]
        if m.phrase.numeric:
            return bool(word.values)
        return not word.values and not self._says_nothing(word) and not self.tags[other] and word.raw[:1].isupper()

    def _corrected(self) -> None:
        """The last word counts, where one takes back what was said before."""
        for n, m in enumerate(self.mentions):
            if n == 0 or m.state != "said":
                continue
            clause = self._of(self.clause, self.clause[m.start])
            if not all(self._silent(k) for k in range(m.end, clause.stop)):
                continue
            between = range(self.mentions[n - 1].end, m.start)
            cue = next((k for k in between if self.words[k].norm in CUES and self._is_cue(k)), None)
            if cue is None:
                continue
            if all(self._silent(k) or self.words[k].norm in CUES | CONTRAST for k in range(cue, m.start)):
                for earlier in self.mentions[:n]:
                    if earlier.state in ("said", "mentioned", "asked", "unsure"):
                        earlier.state = "taken back"

    def _is_cue(self, n: int) -> bool:
        return self.words[n].norm not in NO or n in self.nos

    def _taken_back(self) -> None:
        """What a clause of its own takes back (`Paris. Just kidding.`) is not given, nor is what it may take back."""
        at = {n for m in self.mentions for n in range(m.start, m.end)}
        for clause in range(self.clause[-1] + 1):
            span = self._of(self.clause, clause)
            taking = [n for n in span if self.tags[n] or n in self.nos or self.words[n].norm in RETRACTS]
            if at & set(span) or not taking or not all(n in taking or self._silent(n) for n in span):
                continue
            before = [m for m in self.mentions if m.end <= span.start]
            follows = [
                m for m in self.mentions if m.start >= span.stop and self.sentence[m.start] == self.sentence[span.start]
            ]
            if before and not before[-1].phrase.polar and before[-1].state in ("said", "mentioned") and not follows:
                before[-1].state = "unsure"

    def _decided(self) -> tuple[Found, str]:
        by: dict[State, set[bool]] = {}
        for m in self.mentions:
            by.setdefault(m.state, set()).add(m.right)
        said = by.get("said", set())
        open_ = by.get("unsure", set()) | by.get("asked", set())
        if len(said) == 2:
            return "unclear", "names a right and a wrong answer"
        if said:
            (side,) = said
            if (not side) in open_:
                return "unclear", "names a right and a wrong answer, and not which it means"
            if not any(m.phrase.polar for m in self.mentions) and self._says_another():
                return "unclear", "names a known answer and another one"
            return ("right", "says a right answer") if side else ("wrong", "says a wrong answer")
        open_ |= by.get("reported", set()) | by.get("mentioned", set())
        if self._refused() and not open_:
            return "refused", "says that it gives no answer"
        if len(open_) == 2:
            return "unclear", "names a right and a wrong answer, and not which it means"
        if open_:
            return "unclear", "names a known answer, and not plainly as its own"
        if by.get("denied"):
            at = {n for m in self.mentions for n in range(m.start, m.end)}
            if any(n not in at and not self.tags[n] for n in self.content):
                return "unclear", "denies a known answer, and says something else"
            return "none", "only denies"
        return self._without()

    def _refused(self) -> bool:
        return bool(REFUSALS.search(" ".join(w.norm for w in self.words[:400])))

    def _says_another(self) -> bool:
        """Whether a sentence without a known answer gives another one (`The capital is Marseille.`)."""
        at = {self.clause[n] for m in self.mentions for n in range(m.start, m.end)}
        for clause in range(self.clause[-1] + 1 if len(self.clause) <= 400 else 0):
            span = self._of(self.clause, clause)
            if clause in at or not self._other(span):
                continue
            bare = set(span) <= self.contents or self.words[span.start].norm in ARTICLES
            beside = "," in self.gaps[span.start] and self.words[span.start].norm in ARTICLES
            if (bare and not beside) or (any(self.words[n].norm in IS for n in span) and self._leads(span)):
                return True
        return False

    def _leads(self, span: range) -> bool:
        """Whether a clause opens as an answer does: with the question's words, or with `it is`."""
        first = next((n for n in span if n in self.contents), span.start)
        lead = [self.words[n].norm for n in range(span.start, first)]
        asked = self.m.of_question - FUNCTION
        return (
            bool(lead) and lead[-1] in IS | ARTICLES and (bool(asked & set(lead)) or lead[0] in ("it", "its", "answer"))
        )

    def _without(self) -> tuple[Found, str]:
        """An answer in which no known one stands."""
        if not self.content:
            echoes = any(w.norm in self.m.of_question - FUNCTION for w in self.words)
            if echoes:
                return "unclear", "holds only words of the question"
            odd = any(w.norm in VAGUE or (w.raw.isupper() and w.norm not in ("ok", "i", "a")) for w in self.words)
            if odd:
                return "unclear", "names no known answer"
            if self.m.polar:  # `sure`, `of course`: whatever it is, it may be an answer
                return "unclear", "says neither yes nor no plainly"
            return "none", "gives no answer"
        if self.m.polar:
            opens = [
                n for n, w in enumerate(self.words) if w.norm in POLAR and self._opens(n, alone=len(self.words) == 1)
            ]
            said = {POLAR[self.words[n].norm] for n in opens}
            truth = {POLAR[p.words[0].norm] for p in self.m.rights}
            if len(said) == len(truth) == 1 and not any(self.tags[n] for n in range(len(self.words)) if n not in opens):
                if said == truth:
                    return "right", "says the right answer in another word"
                if self.m.others:
                    return "wrong", "says the opposite of the right answer"
            return "unclear", "says neither yes nor no plainly"
        if self._other(range(len(self.words))):
            if self.m.others:
                return "wrong", "says another answer than the right one"
            return "unclear", "says an answer that is in no list"
        return "unclear", "names no known answer, and is not short and clear"

    def _other(self, span: range) -> bool:
        """Whether some words are a short and clear answer that is in no list."""
        words = [self.words[n] for n in span]
        content = [n for n in span if n in self.contents] if len(span) <= 14 else []
        if not 1 <= len(content) <= 3 or any(self.tags[n] for n in span):
            return False
        if len({self.sentence[n] for n in content}) > 1 or self._asks(self.sentence[content[0]]):
            return False
        joined = range(content[0], content[-1] + 1)
        if any(n not in content and self.words[n].norm not in ARTICLES for n in joined):
            return False
        stop = joined.stop
        if stop < span.stop and not self.words[stop - 1].values and self.words[stop].norm not in FUNCTION:
            return False  # a kind of what was asked for (`a flightless bird`)
        norms = {w.norm for w in words}
        if norms & (PRONOUNS | VAGUE | OR | REPORTED | CUES) or re.search(
            "[,/]", "".join(self.gaps[n] for n in joined[1:])
        ):
            return False
        held = [self.words[n] for n in content]
        signs = "".join(self.gaps[n] for n in (*joined, joined.stop))
        return not (self._is_code(words) or re.search(r"[<>≤≥±√^+*×÷=~']", signs) or self._near_right(held))

    @staticmethod
    def _is_code(words: Sequence[Word]) -> bool:
        return any(not w.values and (not w.norm.isalpha() or len(w.norm) > 30) for w in words)

    def _near_right(self, held: Sequence[Word]) -> bool:
        """Whether words that are in no list may be a right answer in another unit, spelling or language."""
        rights = self.m.rights
        if all(p.numeric for p in rights):
            if not (len(held) == 1 and held[0].values and not held[0].joint and not held[0].ordinal):
                return True
            pairs = [(p.words[0].values[0], value) for p in rights for value in held[0].values]
            return any(a * n == b or b * n == a for a, b in pairs for n in (100, 1000) if a and b)
        if any(w.values for w in held) or any(len(p.words) > 4 for p in rights) or any(p.numeric for p in rights):
            return True
        said = "".join(w.norm for w in held)
        names = all(p.words[0].raw[:1].isupper() for p in rights)
        longest = max(len(p.words) for p in rights)
        if len(held) > max(longest, 2 if names else 1) or (names and not all(w.raw[:1].isupper() for w in held)):
            return True
        if any(w.raw.isupper() for w in held) and not any(p.text.isupper() for p in rights):
            return True
        for p in rights:
            known = "".join(w.norm for w in p.words)
            if {w.norm for w in held} & {w.norm for w in p.words}:
                return True
            if (
                said.isascii() != known.isascii()
                or len(known) > 60
                or len(said) > 60
                or len(said) < 3
                or len(known) < 3
            ):
                return True
            if said in known or known in said or said[:4] == known[:4]:
                return True
            initials = ("".join(w.norm[0] for w in p.words), "".join(w.norm[0] for w in held))
            if initials[0] == said or initials[1] == known:
                return True
            if SequenceMatcher(None, said, known, autojunk=False).ratio() >= 0.6:
                return True
        return False


def _tags(words: Sequence[Word], gaps: Sequence[str]) -> tuple[list[str], set[int], set[int]]:
    """Of every word, whether it is a negation (`not`), calls something `wrong`, or doubts (`doubt`); every no that
    stands alone, which denies nothing behind it; and the words of negations that deny nothing."""
    norms = [w.norm for w in words]
    tags = ["not" if n in NOT else "wrong" if n in WRONG else "doubt" if n in DOUBT else "" for n in norms]
    idle: set[int] = set()
    for idioms, tag in ((ASSERTING, ""), (TAGS, ""), (DENYING, "not")):
        for idiom in idioms:
            size = len(idiom)
            for at in (n for n in range(len(norms)) if norms[n] == idiom[0] and tuple(norms[n : n + size]) == idiom):
                if (idioms is TAGS and "?" not in gaps[at + size]) or at in idle or at + size - 1 in idle:
                    continue
                tags[at : at + size] = [*[""] * (size - 1), tag]
                idle.update(range(at, at + size - bool(tag)))
    nos: set[int] = set()
    for n, norm in enumerate(norms):
        alone = re.search(r"[,.!:;\n-]", gaps[n + 1]) or n + 1 == len(norms)
        opens = n == 0 or re.search(r"[,.?!:;\n(-]", gaps[n])
        if norm in NO and tags[n] == "not" and opens and alone:
            nos.add(n)
            tags[n] = ""
    return tags, nos, idle
