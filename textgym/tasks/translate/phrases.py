"""Reads German words and puts them together to phrases: the first half of `reading`.

Each word is looked up once in the full-form lexicon; articles, adjectives and nouns meet in one mask of cases and
genders, which is empty where they do not agree. Clock times, dates and counts are read as values.
"""

from __future__ import annotations

import re

from textgym.tasks.translate import words
from textgym.tasks.translate.lexicon import ADJECTIVE_MASKS, ANY, FORMS, SEPARABLE, Form
from textgym.tasks.translate.morphology import german_ordinal
from textgym.tasks.translate.words import listed

TOKEN = re.compile(r"\d+(?:[:.]\d\d)?|[^\W\d_]+(?:['’-][^\W\d_]+)*(?:(?<=[sxzß])['’](?=\s))?|[.,?!;:]", re.UNICODE)
SURNAMES = frozenset(words.SURNAMES)
MAX_CHARACTERS = 3000  # what lies beyond is not read; it counts as added
MAX_TOKENS = 200
UNKNOWN = Form()
NO_CONCEPTS: frozenset[str] = frozenset()
MONTH_ORDER = listed("January February March April May June July August September October November December")
MONTHS = frozenset(MONTH_ORDER)
TIME_CONCEPTS = MONTHS | frozenset(
    listed(
        "day week month year hour minute morning afternoon evening night weekend summer winter spring autumn moment "
        "Monday Tuesday Wednesday Thursday Friday Saturday Sunday"
    )
)
DEMONSTRATIVES = {  # der, die, das standing alone: gender and case mask, as in lexicon.mask_of
    word: d[1] for word in ("der", "die", "das", "den", "dem") if (d := FORMS[word].determiner) is not None
}
WELCHER = frozenset("welch" + ending for ending in ("er", "e", "es", "en", "em"))
DEMONSTRATIVES["denen"] = 1 << (2 * 4 + 3)
ORDINAL_WORDS = {german_ordinal(n) + "en": n for n in range(1, 32)}


class Item:
    """A phrase or a word with a job in the clause."""

    __slots__ = (
        "adjectives", "cases", "clock", "comparative", "concepts", "count", "date", "demonstrative", "det", "end",
        "index", "kind", "lead", "lower",
        "mask", "names", "nouns", "owner", "prep", "pronouns", "relative", "text", "than", "used", "verbs",
    )  # fmt: skip

    def __init__(self, kind: str, text: str) -> None:
        # N phrase, A adverb or adjective, V verb form, P prefix, X nicht, Q question word, S C conjunctions, T
        # time, D number, U unknown
        self.kind = kind
        self.text = text
        self.concepts: frozenset[str] = NO_CONCEPTS
        self.mask = ANY
        self.det: frozenset[str] = NO_CONCEPTS
        self.adjectives: list[frozenset[str]] = []
        self.count = 0
        self.prep = ""
        self.cases = 0  # cases the preposition takes
        self.names = ""
        self.owner = ""
        self.pronouns: list[tuple[str, int, int]] = []
        self.nouns: list = []
        self.verbs: list[tuple[str, str, str, int]] = []
        self.clock = -1
        self.date: tuple[int, str] | None = None
        self.comparative = False
        self.demonstrative = False
        self.relative = False
        self.than = False
        self.used = False
        self.lead = ""
        self.lower = False  # a noun written small
        self.index = 0
        self.end = 0


def normalise(low: str) -> Form | None:
    """The form of a word with ae, oe, ue or ss written for umlauts and sz, or of a compound by its last part."""
    if len(low) > 30:
        return None
    if "ae" in low or "oe" in low or "ue" in low or "ss" in low:
        for changed in (low.replace("ae", "ä").replace("oe", "ö").replace("ue", "ü"), low.replace("ss", "ß")):
            found = FORMS.get(changed)
            if found is not None:
                return found
    return None


def compound(low: str) -> Form | None:
    """The form of the noun that a long unknown word ends in: Hauptbahnhof -> Bahnhof."""
    if not 8 <= len(low) <= 30:
        return None
    for start in range(3, len(low) - 3):
        found = FORMS.get(low[start:])
        if found is not None and found.nouns:
            return found
    return None


class PhraseReader:
    """The words of one response, put together to phrases."""

    __slots__ = (
        "cut",
        "forms",
        "ihr_is_pronoun",
        "items",
        "low_start",
        "lows",
        "n",
        "tokens",
    )

    def __init__(self, text: str, ihr_is_pronoun: bool = False) -> None:
        self.ihr_is_pronoun = ihr_is_pronoun  # nobody's her, their or your is expected
        self.cut = len(text) > MAX_CHARACTERS
        self.tokens = TOKEN.findall(text[:MAX_CHARACTERS].replace("€", " Euro"))
        if len(self.tokens) > MAX_TOKENS:
            self.cut = True
            del self.tokens[MAX_TOKENS:]
        self.lows = [t.lower() for t in self.tokens]
        self.n = len(self.tokens)
        forms: list[Form] = []
        for token, low in zip(self.tokens, self.lows, strict=True):
            found = FORMS.get(low)
            if found is None:
                found = normalise(low) or (compound(low) if token[:1].isupper() else None) or UNKNOWN
            forms.append(found)
        self.forms = forms
        self.low_start = bool(self.tokens) and self.tokens[0][:1].islower()
        self.items: list[Item] = []
        self.chunk()

    def ends_clause(self, i: int) -> bool:
        if i >= self.n:
            return True
        return self.tokens[i] in ".,?!;:" or self.forms[i].conjunction is not None

    def chunk(self) -> None:
        i = 0
        items = self.items
        tokens, lows, forms = self.tokens, self.lows, self.forms
        comparative = False
        while i < self.n:
            token, low, f = tokens[i], lows[i], forms[i]
            if token in ".,?!;:":
                items.append(Item(token, token))
                comparative = comparative and token == ","
                i += 1
                continue
            start = i
            item: Item | None = None
            if f.preposition is not None and not (low == "während" and self.is_sub(i)):
                item, i = self.read_preposition(i)
            elif f.conjunction is not None:
                if low == "als" and comparative:
                    item, i = self.read_phrase(i + 1, ANY, NO_CONCEPTS, "strong")
                    if item is None:
                        item = Item("F", token)
                        i = start + 1
                    item.than = True
                    comparative = False
                else:
                    item = Item("S" if f.conjunction == "sub" else "C", token)
                    item.lead = low
                    i += 1
            elif token[0].isdigit() or f.number is not None or low in ("halb", "viertel", "dreiviertel"):
                item, i = self.read_number(i)
            if item is None:
                i = start
                item, i = self.read_phrase(i, ANY, NO_CONCEPTS, "strong")
            if item is None:
                item = self.read_word(start)
                i = start + 1
                comparative = comparative or item.comparative
            item.index = start
            item.end = i
            items.append(item)

    def is_sub(self, i: int) -> bool:
        """während: a conjunction where the stretch up to the next stop ends in a verb."""
        j = i + 1
        while j < self.n and (self.tokens[j] not in ".,?!;:" or (self.tokens[j] == "." and self.month_at(j + 1))):
            j += 1
        return j > i + 2 and bool(self.forms[j - 1].verbs)

    def read_preposition(self, i: int) -> tuple[Item | None, int]:
        low, f = self.lows[i], self.forms[i]
        assert f.preposition is not None
        word, cases, article = f.preposition
        j = i + 1
        if j < self.n and self.lows[j] == "hause":
            item = Item("A", low)
            item.concepts = frozenset(("home",) if low == "zu" else ("homeward",))
            return item, j + 1
        if low == "zu" and j < self.n and self.lows[j] == "fuß":
            item = Item("A", low)
            item.concepts = frozenset(("on foot",))
            return item, j + 1
        if self.ends_clause(j):
            return (self.particle(i) if not article else Item("U", low)), j
        nxt = self.forms[j] if j < self.n else UNKNOWN
        if low == "zu" and any(v[1] == "inf" for v in nxt.verbs) and not nxt.nouns:
            return Item("F", low), j
        if low == "zu" and nxt.adjectives and not nxt.determiner and nxt.adjectives[0][1] is None:
            item = Item("A", low)
            item.concepts = frozenset(("too",))
            return item, j
        inner: Item | None = None
        k = j
        if (
            self.tokens[j][:1].isdigit()
            or nxt.number is not None
            or self.lows[j] in ("halb", "viertel", "dreiviertel")
            or self.lows[j : j + 2] == ["ein", "uhr"]
        ):
            inner, k = self.read_number(j)
        elif low == "am" and j + 1 < self.n:
            inner, k = self.read_ordinal(j)
        if inner is None:
            det = frozenset(("the",)) if article else NO_CONCEPTS
            inner, k = self.read_phrase(j, article or ANY, det, "weak" if article else "strong")
        if inner is None:
            if nxt.adverb is not None:
                inner = self.read_word(j)
                inner.prep = word
                return inner, j + 1
            if f.particle:
                return self.particle(i), j
            inner = Item("F", low)
            return inner, j
        inner.prep = word
        inner.cases = cases
        return inner, k

    def particle(self, i: int) -> Item:
        item = Item("P", self.lows[i])
        return item

    def read_ordinal(self, i: int) -> tuple[Item | None, int]:
        """am dritten Mai."""
        day = ORDINAL_WORDS.get(self.lows[i])
        if day is None:
            return None, i
        month = self.month_at(i + 1)
        if not month:
            return None, i
        item = Item("T", self.tokens[i])
        item.date = (day, month)
        return item, i + 2

    def month_at(self, i: int) -> str:
        if i < self.n:
            for _, concepts, _ in self.forms[i].nouns:
                for c in concepts:
                    if c in MONTHS:
                        return c
        return ""

    def value_at(self, i: int) -> int | None:
        if i >= self.n:
            return None
        token = self.tokens[i]
        if token[0].isdigit():
            return int(token[:9]) if token.isdigit() else None
        if self.lows[i] == "ein":
            return 1
        return self.forms[i].number

    def read_number(self, i: int) -> tuple[Item | None, int]:
        """A clock time, a date, a counted phrase, or a bare number."""
        tokens, lows = self.tokens, self.lows
        token, low = tokens[i], lows[i]
        nxt = lows[i + 1] if i + 1 < self.n else ""
        if low == "halb":
            value = self.value_at(i + 1)
            if value is None:
                return None, i
            return self.clock(i, (value - 1) * 60 + 30, i + 2)
        if low == "drei" and nxt == "viertel" and self.value_at(i + 2) is not None:
            return self.clock(i, (self.value_at(i + 2) or 1) * 60 - 15, i + 3)
        if low in ("viertel", "dreiviertel"):
            if nxt in ("vor", "nach"):
                value = self.value_at(i + 2)
                if value is not None:
                    return self.clock(i, value * 60 + (15 if nxt == "nach" else -15), i + 3)
            value = self.value_at(i + 1)
            if value is None:
                return None, i
            return self.clock(i, (value - 1) * 60 + (15 if low == "viertel" else 45), i + 2)
        if token[0].isdigit() and not token.isdigit():
            hours, minutes = re.split("[:.]", token)[:2]
            if nxt == "." and i > 0 and lows[i - 1] == "am" and 1 <= int(minutes) <= 12:
                item = Item("T", token)
                item.date = (int(hours[:3]), MONTH_ORDER[int(minutes) - 1])
                return item, i + 2  # am 09.04.
            end = i + 2 if nxt == "uhr" else i + 1
            return self.clock(i, int(hours[:3]) * 60 + int(minutes[:3]), end)
        value = self.value_at(i)
        if value is None:
            return None, i
        if nxt == "uhr":
            minutes = self.value_at(i + 2) if lows[i + 2 : i + 3] not in ([], ["ein"]) else None
            if (
                minutes is not None
                and minutes < 60
                and not (i + 3 < self.n and (self.forms[i + 3].nouns or self.forms[i + 3].adjectives))
            ):
                return self.clock(i, value * 60 + minutes, i + 3)
            return self.clock(i, value * 60, i + 2)
        if nxt in ("minuten", "vor", "nach"):
            j = i + 2 if nxt == "minuten" else i + 1
            direction = lows[j] if j < self.n else ""
            hour = self.value_at(j + 1)
            if direction in ("vor", "nach") and hour is not None:
                return self.clock(i, hour * 60 + (value if direction == "nach" else -value), j + 2)
        if nxt == ".":
            month = self.month_at(i + 2)
            if month:
                item = Item("T", token)
                item.date = (value, month)
                return item, i + 3
            day, j = self.read_day(i)
            if day is not None:
                return day, j
        counted = i + 1 < self.n and self.forms[i + 1].determiner is None  # um eins einen Artikel
        phrase, j = self.read_phrase(i + 1, ANY, NO_CONCEPTS, "strong") if counted else (None, i)
        if phrase is not None and phrase.nouns:
            phrase.count = value
            return phrase, j
        if i > 0 and lows[i - 1] in ("um", "gegen") and 0 < value <= 24:
            return self.clock(i, value * 60, i + 1)
        item = Item("D", token)
        item.count = value
        return item, i + 1

    def read_day(self, i: int) -> tuple[Item | None, int]:
        """am 9.4., am 9. 4."""
        month = self.tokens[i + 2] if self.tokens[i + 3 : i + 4] == ["."] else ""
        if i == 0 or self.lows[i - 1] not in ("am", "dem") or not month.isdigit() or not 1 <= int(month[:3]) <= 12:
            return None, i
        item = Item("T", self.tokens[i])
        item.date = (int(self.tokens[i][:3]), MONTH_ORDER[int(month) - 1])
        return item, i + 4

    @staticmethod
    def clock(i: int, minutes: int, end: int) -> tuple[Item, int]:
        item = Item("T", "")
        item.clock = minutes % 720
        return item, end

    def read_phrase(self, i: int, mask: int, det: frozenset[str], kind: str) -> tuple[Item | None, int]:
        """A noun phrase that begins at i, or (None, i)."""
        if i >= self.n:
            return None, i
        tokens, lows, forms = self.tokens, self.lows, self.forms
        n = self.n
        j = i
        owner = ""
        f = forms[j]
        low = lows[j]
        explicit = False
        if low in WELCHER and i > 0 and tokens[i - 1] == ",":
            return self.alone(i, det, f.determiner[1] if f.determiner else mask, f, "")  # ein Mann, welcher Brot isst
        if low == "ihr" and (self.ihr_is_pronoun or self.before_time(i + 1)):
            return self.alone(i, det, mask, f, "")
        if (
            low in DEMONSTRATIVES
            and i > 0
            and tokens[i - 1] == ","
            and i + 1 < n
            and (forms[i + 1].number or tokens[i + 1].isdigit())
        ):
            return self.alone(i, det, mask, f, "")  # a man, der zehn Artikel las
        if f.name is not None and tokens[j][0].isupper() and not (f.verbs or f.adjectives):
            return self.named(i, f.name, mask), i + 1
        base = FORMS.get(low.removesuffix("s").rstrip("'’")) if low[-1] in "s'’" and tokens[j][0].isupper() else None
        if base is not None and base.name is not None and not f.nouns:
            owner = base.name
            j += 1
        elif f.determiner is not None and det is NO_CONCEPTS:
            if low in ("ein", "einen") and j + 1 < n and lows[j + 1] == "paar":
                det = frozenset(("some",))
                j += 2
            else:
                det, own_mask, kind = f.determiner
                mask &= own_mask
                explicit = True
                j += 1
                if j < n and lows[j] in ("ganze", "ganzen"):
                    j += 1
        count = 0
        if j < n and j > i and (forms[j].number is not None or tokens[j].isdigit()):
            count = self.value_at(j) or 0
            j += 1
        adjectives: list[frozenset[str]] = []
        while j < n:
            f = forms[j]
            if f.adjectives and not (f.nouns and tokens[j][0].isupper() and j > i):
                concepts: frozenset[str] = NO_CONCEPTS
                ending = None
                for c, e, _ in f.adjectives:
                    if e is not None:
                        concepts |= c
                        ending = e
                if ending is None:
                    if j > i and explicit and j + 1 < n and forms[j + 1].nouns and tokens[j + 1][0].isupper():
                        adjectives.append(f.adjectives[0][0])  # an adjective without its ending
                        mask = 0
                        j += 1
                        continue
                    break
                mask &= ADJECTIVE_MASKS[kind].get(ending, 0)
                adjectives.append(concepts)
                j += 1
                continue
            if j > i and lows[j] in ("sehr", "zu", "so") and j + 1 < n and forms[j + 1].adjectives:
                j += 1
                continue
            break
        if j >= n:
            return self.alone(i, det, mask, forms[i], owner)
        f = forms[j]
        token = tokens[j]
        upper = token[0].isupper()
        noun_like = bool(f.nouns) and (upper or not (f.verbs or f.adverb or f.adjectives or f.determiner or f.particle))
        if noun_like and upper and j == 0 and (f.adverb or f.verbs) and not adjectives:
            noun_like = False  # Morgen kommt er: the first word is capitalised anyway
            if (
                f.nouns
                and f.verbs
                and j + 1 < n
                and forms[j + 1].verbs
                and tokens[j + 1][0].islower()
                and lows[j + 1] != "bitte"
                and forms[j + 1].determiner is None
            ):
                noun_like = True
        if noun_like:
            if j + 1 < n and forms[j + 1].name in SURNAMES and lows[j] in ("herr", "herrn", "frau"):
                if explicit and lows[i] in DEMONSTRATIVES and i and tokens[i - 1] == ",":
                    return self.alone(i, det, mask, forms[i], "")  # der Herrn Wagner besucht
                item = self.named(j, ("Mrs " if lows[j] == "frau" else "Mr ") + str(forms[j + 1].name), mask)
                if lows[j] != "frau":
                    item.mask = 0b0001 if lows[j] == "herr" else 0b0001_0001_0000
                return item, j + 2
            item = Item("N", token)
            concepts, both = NO_CONCEPTS, 0
            for _, c, m in f.nouns:
                if m & mask:
                    concepts |= c
                    both |= m & mask
            if not both and i and tokens[i - 1] == "," and low in DEMONSTRATIVES:
                return self.alone(i, det, DEMONSTRATIVES[low], forms[i], "")  # der teures Brot kauft
            if not both:
                for _, c, _ in f.nouns:
                    concepts |= c
            item.mask = both
            item.concepts = concepts
            item.nouns = f.nouns
            item.det = det
            item.adjectives = adjectives
            item.owner = owner
            item.count = count
            item.lower = not upper
            return item, j + 1
        if explicit and not adjectives and token[-1:] == "s" and self.is_owner(j):
            return self.alone(i, det, mask, forms[i], "")  # der Annas Mutter hilft
        if explicit and f.name is not None and upper and not owner:
            if i and tokens[i - 1] == "," and lows[i] in DEMONSTRATIVES:
                return self.alone(i, det, mask, forms[i], "")  # die Laura einladen
            item = self.named(j, f.name, mask)
            return item, j + 1  # der Emil
        if f is UNKNOWN and (explicit or adjectives or owner) and upper and j > i:
            item = Item("N", token)
            item.det = det
            item.adjectives = adjectives
            item.kind = "U"
            return item, j + 1
        return self.alone(i, det, mask, forms[i], owner)

    def before_time(self, i: int) -> bool:
        """letzte Woche, jeden Tag: what follows is a time and no thing of hers."""
        if i + 1 >= self.n or not (self.forms[i].adjectives or self.forms[i].determiner):
            return False
        return any(not c.isdisjoint(TIME_CONCEPTS) for _, c, _ in self.forms[i + 1].nouns)

    def is_owner(self, i: int) -> bool:
        base = FORMS.get(self.lows[i].removesuffix("s"))
        return base is not None and base.name is not None

    def named(self, i: int, name: str, mask: int) -> Item:
        item = Item("N", self.tokens[i])
        item.names = name
        item.mask = 0xFFF & 0x7777 if mask == ANY else mask or 0x777
        return item

    def alone(self, i: int, det: frozenset[str], mask: int, f: Form, owner: str) -> tuple[Item | None, int]:
        """A pronoun or a determiner with no noun."""
        if owner:
            item = Item("U", self.tokens[i])
            return item, i + 1
        low = self.lows[i]
        if low in DEMONSTRATIVES:
            item = Item("N", self.tokens[i])
            item.demonstrative = True
            item.mask = DEMONSTRATIVES[low]
            return item, i + 1
        if f.determiner is not None and (low in WELCHER or low in ("diese", "dieser", "dieses", "diesen", "diesem")):
            item = Item("N", self.tokens[i])
            item.demonstrative = True
            item.mask = f.determiner[1]
            return item, i + 1
        if f.pronouns:
            item = Item("N", self.tokens[i])
            item.pronouns = f.pronouns
            item.mask = 0
            for _, m, _ in f.pronouns:
                item.mask |= m
            return item, i + 1
        return None, i

    def read_word(self, i: int) -> Item:
        """A single word that is no phrase."""
        token, low, f = self.tokens[i], self.lows[i], self.forms[i]
        if low == "gerne":
            low, f = "gern", FORMS["gern"]
        if f.negation:
            item = Item("X", token)
            if f.adverb:
                item.concepts = frozenset(f.adverb)
            return item
        if f.wh is not None:
            item = Item("Q", token)
            item.lead = f.wh
            return item
        if f.particle and low in SEPARABLE and self.ends_clause(i + 1) and not any(v[1] == "inf" for v in f.verbs):
            return Item("P", low)
        if low == "bitte" and not ("ich" in self.lows and "um" in self.lows):
            return Item("F", token)
        if f.verbs:
            item = Item("V", token)
            item.verbs = f.verbs
            for c, _, comparative in f.adjectives:
                item.concepts |= c
                item.comparative = item.comparative or comparative
            return item
        if f.particle and f.adverb is None and not f.adjectives:
            return Item("P", low)
        if f.adjectives or f.adverb is not None:
            item = Item("A", token)
            concepts: set[str] = set(f.adverb or ())
            base = any(e is None for _, e, _ in f.adjectives)
            for c, e, comparative in f.adjectives:
                if e is None or not base:
                    concepts |= c
                item.comparative = item.comparative or (comparative and e is None)
            item.concepts = frozenset(concepts)
            if f.free:
                item.kind = "F"
            elif f.adjectives and not base and not f.adverb:
                item.mask = 0  # an inflected adjective with no noun
            return item
        if f.free:
            return Item("F", token)
        if f.determiner is not None:
            item = Item("F", token)
            item.mask = 0
            return item
        return Item("U", token)
