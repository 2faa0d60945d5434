"""What the simulated user understands of an assistant's reply: asked, stated, offered, declined, confirmed, answered.

No templates: values come from `scan.py` in any spelling, and each clause is weighed by its cues
(a negation, an offer, a booking word, a question). What has no cue and no value is not
understood, and the user asks back; a value whose slot is unclear is left out rather than guessed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from textgym.tasks.dialogue.cues import (
    ARRIVING,
    COSTLESS,
    DETAILS,
    GRANTS,
    SHALL_I_BOOK,
    TOPIC_WORDS,
    WEAK_ASKS,
    SentenceCues,
    find_clause_cues,
    is_agreed,
)
from textgym.tasks.dialogue.meaning import SLOTS, Meaning, Value
from textgym.tasks.dialogue.notice import (
    NOT_THIS,
    PLAIN,
    Clause,
    Seen,
    drop_contrast,
    find_asks,
    is_amount,
    is_foreign,
    is_joined,
    is_left,
    is_priced_breakfast,
    look,
)
from textgym.tasks.dialogue.scan import (
    AFTER_PEOPLE,
    COUNTED,
    FAMILY_NAMES,
    MOVES,
    NAME_CUES,
    TIME_BEFORE,
    TOWN_NAMES,
    Mention,
    Sentence,
)


@dataclass(frozen=True)
class Understanding:
    """One reply of the assistant as the simulated user takes it."""

    asked: tuple[str, ...] = ()  # slots the user is asked to tell
    stated: Mapping[str, Value] = field(default_factory=dict)  # slot -> value, taken as the user's wish
    offered: tuple[tuple[str, Value], ...] = ()  # values that the user may choose
    denied: tuple[tuple[str, Value], ...] = ()  # values said not to be had
    confirmed: bool = False  # says that it is booked
    readback: bool = False  # repeats values and asks whether they are right, or whether to book
    declined: bool = False  # says that something cannot be had or done, or is sorry
    refuses: bool = False  # says that something other than a rule cannot be had or done
    answers: Mapping[str, int] = field(default_factory=dict)  # topic -> 1 yes, 0 no; "breakfast": euros
    prices: tuple[tuple[str, int], ...] = ()  # (thing, euros); thing is "" where it isn't named
    closing: bool = False
    greeting: bool = False
    helps: bool = False  # "How can I help you?", "Anything else?"
    strangers: tuple[str, ...] = ()  # capitalised words that are no known name or place
    foreign: bool = False  # speaks of what this house does not sell: a train in a restaurant
    inventions: int = 0  # rules that the fact sheet does not mention

    @property
    def understood(self) -> bool:
        return bool(
            self.asked
            or self.stated
            or self.offered
            or self.denied
            or self.confirmed
            or self.readback
            or self.declined
            or self.answers
            or self.prices
            or self.closing
            or self.greeting
            or self.helps
        )

    @property
    def answered(self) -> bool:
        """Says something about a price or a rule of the house."""
        return bool(self.answers or self.prices)


@dataclass(frozen=True, slots=True)
class Context:
    """What a reader needs to know to resolve "when", "half past seven" or "yes"."""

    meaning: Meaning
    told: Mapping[str, Value]
    wants: Mapping[str, Value]
    pending: str | None = None  # the user's open question


def say_clock(hour: int, minute: int, half: str, known: Collection[str], kind: str) -> str:
    """ "HH:MM" for a spoken time. Without "am" or "pm" the known times decide, then what is usual for the house."""
    if half == "pm" and hour < 12:
        hour += 12
    elif half == "am" and hour == 12:
        hour = 0
    elif not half and 0 < hour <= 12:
        early, late = f"{hour % 12:02d}:{minute:02d}", f"{hour % 12 + 12:02d}:{minute:02d}"
        if early in known or late in known:
            return early if early in known else late
        if hour < 7 or hour == 12 or (kind == "restaurant" and hour < 12):
            return late
    return f"{hour % 24:02d}:{minute:02d}"


def list_known_times(context: Context) -> set[str]:
    m = context.meaning
    known = {t for _, times in m.free for t in times} | {t for item in m.items for t in item.times}
    known.update(str(v) for slot, v in m.goal if slot == "time")
    known.update(str(record["time"]) for record in (context.told, context.wants) if "time" in record)
    if m.change and m.change[0] == "time":
        known.add(str(m.change[1]))
    return known


LEAVING = frozenset(("leave", "leaving", "leaves", "depart", "departing", "departs", "checkout"))
BRINGS = re.compile(r"\b(bring|welcome|allowed|high chair|come along)\b")
ASKED_WORDS = {"date": "day", "treatment": "service"}
ANOTHER = re.compile(r"\b(which|what|other|another|different)( \w+)? (day|time|name|class|service|treatment|date)")
ANY_TIME = re.compile(r"any ?time|some time|time being|good time|on time")
HOW_ABOUT = re.compile(r"\bhow (about|does|do|is)\b|what about")
ONLY_OTHER = {  # topic -> what is named in its place, and alone
    "cards": re.compile(r"cash only|only( take| accept)?( in)? cash|cash , (no|not)"),
    "lift": re.compile(r"only( have| the)? stairs"),
    "garden": re.compile(r"\b(inside|indoors|indoor \w+) only\b|\bonly( \w+)? (inside|indoors?)\b"),
    "children": re.compile(r"\b(adults|grown - ups) only\b|\bonly (adults|grown - ups)\b"),
}
COSTS_NOTHING = re.compile(rf"\b{COSTLESS}\b")
FREE_BREAKFAST = re.compile(
    r"\bbreakfast( is| comes|'s)?( always| also)? (included|free|complimentary|gratis|on the house|thrown in)\b"
    r"|\b(free|complimentary|including( the| a)?) breakfast\b"
)
PARTING = frozenset((",", ";", ":", "and", "but", "while", "-", "–", "—"))


def read(text: str, context: Context) -> Understanding:
    """The understanding of one reply of the assistant."""
    return Reader(text, context).result()


class Reader:
    """One pass over the sentences of a reply; the fields collect what is found."""

    def __init__(self, text: str, context: Context) -> None:
        self.context = context
        self.kind = context.meaning.kind
        self.slots = SLOTS[self.kind]
        self.known_times: set[str] | None = None
        self.asked: dict[str, None] = {}
        self.neutral: list[tuple[str, Value, bool]] = []  # (slot, value, in a booking clause)
        self.said: list[tuple[str, Value, Clause, bool]] = []  # and not denied; the last: in a booking clause
        self.doubtful = False
        self.before: list[tuple[str, Value, Mention]] = []  # the values of the sentence before
        self.offered: dict[tuple[str, Value], None] = {}
        self.denied: dict[tuple[str, Value], None] = {}
        self.answers: dict[str, int] = {}
        self.prices: list[tuple[str, int]] = []
        self.strangers: list[str] = []
        self.foreign = self.refuses = self.regrets = False
        self.inventions = 0
        self.carry = ""
        self.confirmed = self.readback = self.declined = self.closing = self.greeting = self.helps = False
        parts = look(text)
        self.has_time = any(part.has_time for part in parts)
        for number, part in enumerate(parts):
            if part.is_echo and number + 1 < len(parts) and parts[number + 1].denies_echo:
                for slot, value, _ in self.resolve(part.sentence):
                    self.denied[slot, value] = None  # "Wednesday? No, nobody is in that day."
                self.declined = self.refuses = True
            else:
                self.take_sentence(part, number == 0)

    def take_sentence(self, part: Seen, is_first: bool) -> None:
        sentence, cues = part.sentence, part.cues
        values = self.resolve(sentence)
        if part.corrects:
            values = self.correct(sentence, values)
        question = sentence.is_question
        before = len(self.asked)
        told_about = {slot for slot, _, _ in values}
        if question or cues.requests:
            self.take_questions(part, told_about)
        asks = len(self.asked) > before
        self.closing = self.closing or cues.closing
        self.greeting = self.greeting or cues.greeting
        self.helps = self.helps or cues.helps
        self.foreign = self.foreign or is_foreign(part.whole, self.kind)
        if cues.rules and not question:
            topics = [topic for topic, _ in self.context.meaning.rules]
            self.inventions += not any(t in topics or t == self.context.pending for t in cues.rules)
        self.carry = ""
        answered = len(self.answers)
        sorry = False
        for clause in part.clauses:
            inside = [v for v in values if clause.start <= v[2].start < clause.end] if values else values
            sorry = self.take_clause(part, clause, inside, asks) or sorry
        if sorry and len(self.answers) == answered:
            self.regrets = True  # of something other than a rule
        if question:
            for slot in (s for s in self.slots if s in told_about):
                if len({v for s, v, _ in values if s == slot and (s, v) not in self.denied}) > 1:
                    self.asked[slot] = None  # "single or double?"
        if question and not asks:
            self.readback = self.readback or bool(told_about) or (cues.right and bool(self.neutral or self.offered))
            self.readback = self.readback or (SHALL_I_BOOK.search(part.whole) is not None and not self.declined)
        self.take_short_answer(cues, is_first, bool(values), len(self.answers) > answered)
        self.before = values or self.before

    def correct(self, sentence: Sentence, values: list[tuple[str, Value, Mention]]) -> list[tuple[str, Value, Mention]]:
        """ "Sorry, I meant three" takes back what the sentence before said of the slot."""
        if not values and self.before and len(sentence.mentions) == 1:
            slot, m = self.before[-1][0], sentence.mentions[0]
            if m.kind in ("bare", "loose", "people") and isinstance(m.value, int) and 0 < m.value <= 24:
                value: Value = self.clock(m.value) if slot == "time" else m.value
                values = [(slot, value, m)] if slot in ("time", "people", "nights") else []
        slots = {slot for slot, _, _ in values}
        self.neutral = [said for said in self.neutral if said[0] not in slots]
        self.said = [said for said in self.said if said[0] not in slots]
        return values

    def resolve(self, sentence: Sentence) -> list[tuple[str, Value, Mention]]:
        """The mentions that fit this kind of house, as (slot, value, mention)."""
        out: list[tuple[str, Value, Mention]] = []
        words = sentence.words
        mentions = sentence.mentions
        for k, m in enumerate(mentions):
            prev = words[m.start - 1] if m.start else ""
            if m.kind == "cap":
                name = self.resolve_capital(sentence, k)
                if name:
                    out.append((*name, m))
            elif m.kind == "time" and self.is_count(words, m):
                out.append(("people", self.context.wants["people"], m))
            elif m.kind == "time":
                if "time" in self.slots and isinstance(m.value, tuple):
                    if self.known_times is None:
                        self.known_times = list_known_times(self.context)
                    out.append(("time", say_clock(m.value[0], m.value[1], m.value[2], self.known_times, self.kind), m))
            elif m.kind == "day" and prev in ("until", "till") and m.start == 1 and len(words) - m.end <= 2:
                out.append(("day", str(m.value), m))  # "Until Thursday!"
            elif m.kind == "day":
                before = words[max(0, m.start - 4) : m.start]
                moved = any(w in MOVES for w in words[: m.start])
                ends_stay = self.kind == "hotel" and not moved and prev in ("to", "until", "till", "through")
                ends_stay = ends_stay or (self.kind == "hotel" and any(w in LEAVING for w in before))
                if not (ends_stay or (prev == "until" and self.kind != "hotel")):
                    out.append(("day", str(m.value), m))
            elif m.kind == "loose":
                loose = self.resolve_loose(int(str(m.value)), sentence)
                if loose:
                    out.append((*loose, m))
            elif m.kind == "bare" and self.is_hour(sentence, m):
                out.append(("time", self.clock(int(str(m.value))), m))
            elif m.kind == "bare":
                # "Thursday, 7:30, four, Baker": taken for people only where it can't be anything else and is right
                kinds = [other.kind for other in mentions]
                following = words[m.end] if m.end < len(words) else ""
                alone = not following.isalpha() or following in AFTER_PEOPLE or following in ("we", "i", "you")
                mine = m.value in (self.context.wants.get("people"), self.context.meaning.limit or None)
                seats = self.kind == "station" and following in ("to", "for") and prev not in ("the", "a", "by")
                seats = seats and bool(words[m.end + 1 : m.end + 2]) and words[m.end + 1].capitalize() in TOWN_NAMES
                if (mine or seats) and alone and "people" not in kinds and self.has_time:
                    out.append(("people", int(str(m.value)), m))
            elif m.kind in self.slots and isinstance(m.value, str | int):
                twice = m.value == "wash" and k > 0 and mentions[k - 1].value == "wash"  # "wash and blow-dry"
                if not twice:
                    out.append((m.kind, m.value, m))
        return out

    def clock(self, hour: int) -> str:
        if self.known_times is None:
            self.known_times = list_known_times(self.context)
        return say_clock(hour % 24, 0, "", self.known_times, self.kind)

    def is_hour(self, sentence: Sentence, m: Mention) -> bool:
        """Whether a number without a unit is an hour: beside a day, among the known times, and no count of people."""
        hour, words = int(str(m.value)), sentence.words
        if "time" not in self.slots or self.has_time or not 0 < hour <= 24 or any(w in COUNTED for w in words):
            return False
        counts = {"people", "nights"} & set(self.slots)
        is_told = self.context.told.get("time") == self.clock(hour)
        if counts and not is_told and not counts & {x.kind for x in sentence.mentions}:
            # nothing else says how many: it may be the number of people
            if hour in (self.context.wants.get("people"), self.context.meaning.limit or None):
                return False
            if "people" in self.context.wants and "people" not in self.context.told:
                return False
        days = [x for x in sentence.mentions if x.kind == "day"]
        beside = any(0 <= m.start - x.end <= 1 or 0 <= x.start - m.end <= 1 for x in days)
        follows = words[m.end] if m.end < len(words) else ""
        alone = not follows.isalpha() or follows in ("on", "for")
        clock = self.clock(hour)
        return beside and alone and self.known_times is not None and clock in self.known_times

    def is_count(self, words: Collection[str], m: Mention) -> bool:
        """Whether a lone number that looks like an hour is the count just changed: "Six is no trouble"."""
        change = self.context.meaning.change
        wanted = self.context.wants.get("people")
        if not change or change[0] != "people" or wanted != change[1] or m.end > m.start + 1:
            return False
        word, prev = tuple(words)[m.start], tuple(words)[m.start - 1] if m.start else ""
        return ":" not in word and prev not in TIME_BEFORE and m.value == (wanted, 0, "")

    def resolve_loose(self, value: int, sentence: Sentence) -> tuple[str, Value] | None:
        """ "Changed to six.": the slot that the user has just changed, or the only one it fits; else nothing."""
        wants = self.context.wants
        leads = {m: " ".join(sentence.words[max(0, m.start - 3) : m.start]) for m in sentence.mentions}
        spoken = {m.kind for m, lead in leads.items() if not is_left(sentence, m) and not NOT_THIS.search(lead)}
        options: dict[str, Value] = {s: value for s in ("people", "nights") if s in wants}
        if "time" in wants and 0 < value <= 24:
            options["time"] = self.clock(value)
        options = {slot: v for slot, v in options.items() if slot not in spoken}
        change = self.context.meaning.change
        if change and wants.get(change[0]) == change[1] and change[0] in (*options, "people", "nights", "time"):
            return (change[0], options[change[0]]) if change[0] in options else None
        fits = [(slot, v) for slot, v in options.items() if wants[slot] == v and slot in self.context.told]
        return fits[0] if len(fits) == 1 else None

    def resolve_capital(self, sentence: Sentence, k: int) -> tuple[str, Value] | None:
        """What a capitalised word stands for: the caller's name, a destination, or nothing that matters."""
        m = sentence.mentions[k]
        word = str(m.value)
        words = sentence.words
        prev = words[m.start - 1] if m.start else ""
        before = words[max(0, m.start - 3) : m.start]
        house = self.context.meaning.house
        if prev in ("dr", "doctor") or word == house[0] or (word == house[1] and self.kind != "station"):
            return None
        mine = self.context.wants.get("name")
        following = sentence.mentions[k + 1] if k + 1 < len(sentence.mentions) else None
        if following is not None and following.kind == "cap" and following.start == m.end and word != mine:
            return None  # a first name
        if word in TOWN_NAMES and not (prev in NAME_CUES and self.kind != "station"):
            if self.kind == "station" and prev not in ("from", "in", "at", "here"):
                return "destination", word
            return None
        if word == mine or word in FAMILY_NAMES:
            return "name", word
        named = "name" in before and prev in ("is", "of", ":", ",", "name")
        if prev in NAME_CUES or named:
            return "name", word
        if m.start:
            self.strangers.append(word)
        return None

    def take_questions(self, part: Seen, told_about: Collection[str]) -> None:
        """Which slots a question or a request asks for, in the order of its words."""
        found = []
        whole, question, asking_word = part.whole, part.sentence.is_question, part.cues.asking
        asks = find_asks(whole, self.kind, question)
        if asks is None:
            return
        for slot, at, said in asks.hits:
            if (
                slot in told_about
                and not said.endswith("or more")
                and (not asking_word or slot in ("name", "class", "service", "time", "day"))
                and not any(ASKED_WORDS.get(other[3], other[3]) == slot for other in ANOTHER.finditer(whole))
            ):
                continue
            if slot == "time" and not asking_word and ANY_TIME.search(whole):
                continue
            found.append((at, slot))
        if asks.when >= 0:
            pair = [s for s in ("day", "time") if s in self.context.wants and s not in told_about]
            missing = [s for s in pair if s not in self.context.told]
            for slot in (missing or pair[:1]) or [s for s in ("day",) if s in self.slots and s not in told_about]:
                if all(slot != s for _, s in found):
                    found.append((asks.when, slot))
        if not found and (asking_word or not question) and not HOW_ABOUT.search(whole):
            for slot, pattern in WEAK_ASKS.items():
                if slot in self.slots and slot not in told_about and pattern.search(whole):
                    found.append((0, slot))
        if not found and DETAILS.search(whole):
            found = [(0, s) for s in self.context.wants if s not in self.context.told]
        for _, slot in sorted(found):
            self.asked[slot] = None

    def take_clause(self, part: Seen, clause: Clause, inside: list[tuple[str, Value, Mention]], asks: bool) -> bool:
        """Weighs one clause; tells whether it is sorry for something."""
        sentence, cues, text = part.sentence, clause.cues, clause.text
        question = sentence.is_question and clause.is_last
        if cues.negated and inside:
            cues = find_clause_cues(drop_contrast(sentence, clause.start, clause.end, inside) or text)
        negated = cues.negated or self.carry == "not"
        limited = cues.limited and not (question and asks)
        books = cues.books or self.carry == "booked"
        denies_hour = cues.negated and not (books or question)
        denies_hour = denies_hour and (clause.that_hour or any(slot == "time" for slot, _, _ in inside))
        confirms = books and not (negated or cues.unsure or cues.doubtful)
        self.doubtful = self.doubtful or cues.doubtful
        # "Your booking is confirmed: a table ..." hands its sense on to what follows the colon
        leads = clause.leads and not inside
        self.carry = ("not" if negated else "booked" if confirms else "") if leads else ""
        about = self.take_rules(text, limited)
        if part.has_price or (self.context.meaning.items and (self.context.pending == "price" or part.has_number)):
            self.take_prices(sentence, clause, inside)
        if not (part.has_price or about or question or cues.negated):
            self.take_gifts(text)
        denies = (negated or cues.hedged) and not question
        if (
            cues.sorry
            or (denies and (inside or about or books or leads or cues.speaker or cues.nothing))
            or (limited and inside and not confirms)
        ):
            self.declined = True
        if negated and not question and not about:
            self.refuses = True
        if confirms and not question:
            self.confirmed = True
        offers = cues.offers and not confirms
        only_these = False
        for slot, value, m in inside:
            marks = part.marks.get(m.start, PLAIN)
            only_these = only_these or (negated and not question and marks.none_but_this)
            if only_these:
                self.offered[slot, value] = None  # "no day other than Thursday"
                continue
            if marks.not_this and not (question and marks.asks_this):
                self.denied[slot, value] = None
                continue
            if marks.left:
                self.denied[slot, value] = None  # "moved from Monday to Thursday", "swapped Monday for Thursday"
                continue
            if slot in ("day", "time") and marks.but_this and not is_agreed(text):
                continue
            if slot == "time" and self.is_just_before(str(value)) and ARRIVING.search(text) and " or " not in text:
                continue  # "Please be here at 7:20" for 7:30
            if not (question or negated or cues.unsure):
                self.said.append((slot, value, clause, confirms))
            if slot == "people" and question and "or more" in text:
                continue  # "Just the two of you, or more?"
            if about and negated and not (slot == "class" and about == "first"):
                continue  # "dogs are not allowed on Friday" denies no day
            if slot == "class" and about == "first" and value == "first" and not question:
                if negated:
                    self.denied[slot, value] = None
                continue
            if denies_hour and slot == "day" and not is_joined(sentence, m, inside):
                continue  # "nothing at nine on Thursday" denies the hour, not the day
            if negated and not question and slot == "name" and value == self.context.wants.get("name"):
                self.neutral.append((slot, value, False))  # spoken to: "Sorry, Klein, that is taken"
            elif negated and not question:
                self.denied[slot, value] = None
            elif (
                (limited and not confirms)
                or (offers and not (asks and question and slot not in self.asked))
                or cues.hedged
                or marks.instead
            ):
                self.offered[slot, value] = None
            else:
                self.neutral.append((slot, value, confirms))
        return cues.sorry

    def is_just_before(self, time: str) -> bool:
        """Whether a time lies in the half hour before the one that the user wants."""
        wanted = str(self.context.wants.get("time", time))
        if time == wanted:
            return False
        hours, minutes = (int(a) - int(b) for a, b in zip(wanted.split(":"), time.split(":"), strict=True))
        return 0 < 60 * hours + minutes <= 30

    def take_rules(self, clause: str, limited: bool) -> str | None:
        """Notes what the clause says of a rule of the house; returns the topic."""
        m = self.context.meaning
        for topic, _ in m.rules:
            is_asked = topic == self.context.pending
            if topic == "garden" and not is_asked and "garden" not in clause:
                continue
            if topic == "children" and not (is_asked or "child" in clause or BRINGS.search(clause)):
                continue
            only_other = topic in ONLY_OTHER and ONLY_OTHER[topic].search(clause) is not None
            if topic == "breakfast" or not (TOPIC_WORDS[topic].search(clause) or (is_asked and only_other)):
                continue
            # a taken table is gone, a taken card is welcome
            plain = clause.replace("taken", "accepted")
            negated = find_clause_cues(plain).negated
            if negated and plain.startswith("no , ") and GRANTS.search(plain):
                negated = find_clause_cues(plain.removeprefix("no , ")).negated  # "No, dogs are welcome": see below
            if topic == "cards" and "cash" in clause and "card" not in clause and "credit" not in clause:
                negated = negated or limited or "cash" in clause
            if only_other:
                negated = True
            self.answers[topic] = 0 if negated else 1
            return topic
        return None

    def take_prices(self, sentence: Sentence, clause: Clause, inside: list[tuple[str, Value, Mention]]) -> None:
        mentions = [m for m in sentence.mentions if clause.start <= m.start < clause.end]
        prices = [m for m in mentions if m.kind == "price"]
        if not prices:
            prices = [m for m in mentions if is_amount(sentence, m, self.context.pending == "price")]
        things = [str(value) for slot, value, _ in inside if slot in ("room", "service", "destination")]
        of_things = []
        for m in prices:
            if (len(prices) > 1 or not things) and self.is_for_breakfast(sentence, m):
                self.answers["breakfast"] = m.value if isinstance(m.value, int) else -1
            else:
                of_things.append(m.value if isinstance(m.value, int) else -1)
        for k, amount in enumerate(of_things):
            thing = things[k] if len(things) == len(of_things) else things[0] if len(things) == 1 else ""
            self.prices.append((thing, amount))

    def is_for_breakfast(self, sentence: Sentence, price: Mention) -> bool:
        """Whether a price is breakfast's: "breakfast is 9 euros", "9 euros for breakfast"; not "80 with breakfast"."""
        words = sentence.words
        if self.context.meaning.kind != "hotel" or "breakfast" not in words:
            return False
        spots = [i for i, w in enumerate(words) if w == "breakfast" and is_priced_breakfast(words, i)]
        before = max((i for i in spots if i < price.start), default=len(words))
        after = min((i for i in spots if i > price.start), default=-1)
        others = [m.start for m in sentence.mentions if m.kind == "price" and m.start != price.start]
        if before < price.start and not any(before < other < price.start for other in others):
            return True
        parted = any(w in PARTING for w in words[price.end : after])  # "80 euros, and breakfast is from seven"
        return after > 0 and not parted and not any(price.start < other < after for other in others)

    def take_gifts(self, clause: str) -> None:
        """Notes that breakfast costs nothing, or the thing whose price is asked."""
        pending = self.context.pending
        if pending not in ("price", "breakfast") and "breakfast" not in clause:
            return
        is_costless = COSTS_NOTHING.search(clause) is not None
        if FREE_BREAKFAST.search(clause) or (is_costless and (pending == "breakfast" or "breakfast" in clause)):
            if any(topic == "breakfast" for topic, _ in self.context.meaning.rules):
                self.answers["breakfast"] = 0
        elif is_costless and pending == "price" and not any(words.search(clause) for words in TOPIC_WORDS.values()):
            self.prices.append(("", 0))

    def take_short_answer(self, cues: SentenceCues, is_first: bool, has_values: bool, is_new: bool) -> None:
        """ "Yes, of course" and "I'm afraid not" answer the question that is open."""
        pending = self.context.pending
        if pending in (None, "price", "breakfast"):
            return
        if pending in self.answers:
            if is_new and cues.no and self.answers[str(pending)] == 1:
                del self.answers[str(pending)]  # "No, dogs are welcome": neither yes nor no
            return
        if cues.no and not has_values:
            self.answers[str(pending)] = 0
            self.declined = True
        elif is_first and cues.yes:
            self.answers.setdefault("?yes", 1)

    def result(self) -> Understanding:
        """Settles what several clauses say of one slot."""
        yes = self.answers.pop("?yes", None)
        pending = self.context.pending
        if yes and pending and pending not in self.answers:
            self.answers[pending] = 1
        by_slot: dict[str, dict[Value, bool]] = {}
        for slot, value, booked in self.neutral:
            values = by_slot.setdefault(slot, {})
            values[value] = values.get(value, False) or booked
        stated: dict[str, Value] = {}
        for slot, values in by_slot.items():
            sure = [v for v, booked in values.items() if booked] or list(values)
            if len(sure) == 1:
                stated[slot] = sure[0]
                for v in values:
                    if v != sure[0]:
                        self.offered[slot, v] = None
            else:
                for v in values:
                    self.offered[slot, v] = None
        wants = self.context.wants
        for slot, value in list(self.offered):
            if slot in stated and stated[slot] == value:
                del self.offered[slot, value]
        self.contradict(stated)
        complete = all(slot in stated for slot in wants) and bool(wants)
        confirmed = self.confirmed and not any(s in wants and s not in self.context.told for s in self.asked)
        if complete and not (self.asked or self.refuses or self.regrets or self.readback or self.doubtful):
            confirmed = True
        return self.report(stated, confirmed)

    def contradict(self, stated: dict[str, Value]) -> None:
        """Heard is what is not so, where two clauses are at odds: "Tuesday at one is booked. See you Saturday!" """
        wants, goal = self.context.wants, dict(self.context.meaning.goal)
        for slot, value, clause, books in self.said:
            if slot not in wants or value == wants[slot]:
                continue
            agreed = is_agreed(clause.text)
            if not (agreed or books) or (value == goal.get(slot) and not agreed):
                continue  # "I had booked Monday, now it's Tuesday"
            elsewhere = any((s, v, b) == (slot, wants[slot], True) and c is not clause for s, v, c, b in self.said)
            if elsewhere or stated.get(slot) == wants[slot]:
                stated[slot] = value
                self.offered.pop((slot, value), None)
                self.offered.pop((slot, wants[slot]), None)

    def report(self, stated: dict[str, Value], confirmed: bool) -> Understanding:
        return Understanding(
            asked=tuple(self.asked),
            stated=stated,
            offered=tuple(self.offered),
            denied=tuple(self.denied),
            confirmed=confirmed,
            readback=self.readback and not confirmed,
            declined=self.declined,
            refuses=self.refuses,
            answers=self.answers,
            prices=tuple(self.prices),
            closing=self.closing,
            greeting=self.greeting,
            helps=self.helps,
            strangers=tuple(self.strangers),
            foreign=self.foreign,
            inventions=self.inventions,
        )
