# ruff: noqa: E501 (a line of grammar stays a line)
"""Sentence frames of prompts: how a lead, a reason, a result or a day is put, whatever the event.

Slots: {head} who did what, {where} "in Ulm", {there} " there" after a verb of moving, {on} "on Friday", {cl} a clause, {ph} a noun phrase.
"""

from __future__ import annotations

from textgym.tasks.summarize.grammar import compile_all

REASON_NEWS = compile_all("""
[The reason|The cause|What lay behind it|What led to this] was {ph}.
[It came to this|This happened|It all came about|All this was] because {cl}.
{last} [said|explained|told the paper|made it clear] that {cl}.
{last} [named|gave|mentioned] {ph} as the [reason|cause].
It was {ph} that [led to this|set it off|made the difference].
[The background|The story behind it|The explanation] is [simple|short|quickly told]: {cl}.
""")
REASON_POST = compile_all("""
[You see|The thing is|To explain|In short], {cl}.
[It came to this|This happened|It was] because {cl}.
[The reason|The cause|What lay behind it] was {ph}.
[It is all because of|It happened because of|It has to do with] {ph}.
""")
RESULT_NEWS = compile_all("""
[As a result|In the end|Finally|In consequence], {cl}.
[The upshot|The outcome|What came of it|The result]: {cl}.
{last} [reports|adds|tells us] that {cl}.
[Also,|It must be said that|One thing is sure:|And] {cl}.
""")
RESULT_POST = compile_all("""
[As a result|In the end|Anyway|So far], {cl}.
[The upshot|The outcome|What came of it|An update]: {cl}.
[I can report|I should add|You may have heard] that {cl}.
""")
DAY_SENTENCES = compile_all("""
[It|All this|That] [happened|took place|was] {on}[|, of all days|, by all accounts|, as it happens|, if the notes are right|, to be precise].
[The day was|The day to note is|The day in question was] {day}[|, as the log shows|, if memory serves|, to be exact].
[Mark|Note] the [day|day well]: [it was on |on ]{day}[|, to be exact|, as the log shows].
""")
LEADS = compile_all("""
{On}, {head} {where}.
{head} {where} {on}.
{head} {where} {on}[, we hear|, as was reported|, the local page writes|, it is now known].
[News|Word|A short note] from {town}: {head}{there} {on}.
[As many have heard|As is now known|As the local page reports], {head} {where} {on}.
{On}, {head} {where}, [to the surprise of some|as readers tell us|as several people report].
""")
LEADS_POST = compile_all("""
{On}, {head} {where}.
{head} {where} {on}.
[As some of you know|As some of you have heard|As my friends know], {head} {where} {on}.
[I do not write here often|I seldom post anything|I am not one to post much], but {on} {head} {where}.
""")
GREETINGS = compile_all("""
[Hello everyone|Hello all|Dear neighbours|Hi there|Good evening], [this is {who}|my name is {who}|{who} here|I am {who}].
[{who} here|This is {who}], [with a short note|with some news|with a message|from {town}|a reader of this board|a reader in {town}].
[My name is {who}|I am {who}][, and I live in {town}| and I live in {town}|, a reader from {town}|, and here is a short note].
""")
FAREWELLS = compile_all("""
[Regards|Thanks|Best wishes|Yours|Kind regards|Many thanks|All the best], {who}[|, {town}].
[Signed|Posted by|Written by|From]: {who}[|, {town}|, a neighbour].
""")
