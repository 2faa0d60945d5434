# ruff: noqa: E501 (a line of grammar stays a line)
"""Sentence frames of prompts: how a lead, a reason, a result or a day is put, whatever the event.

Slots: {head} who did what, {where} "in Ulm", {on} "on Friday", {cl} a clause, {ph} a noun phrase.
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
[I put it down to|I blame|It was down to] {ph}.
""")
RESULT_NEWS = compile_all("""
[As a result|In the end|To close the matter|In consequence], {cl}.
[The upshot|The outcome|What came of it|The result]: {cl}.
{last} [reports|adds|can now say] that {cl}.
[All the same,|It must be said that|One thing is sure:|And] {cl}.
""")
RESULT_POST = compile_all("""
[As a result|In the end|Anyway|So far], {cl}.
[The upshot|The outcome|What came of it|News]: {cl}.
[I can report|I should add|You may have heard] that {cl}.
""")
DAY_SENTENCES = compile_all("""
[It|All this|That] [happened|took place|was] {on}[| in the morning| in the afternoon| around noon| in the evening| in bright sunshine].
[The day|The date|The day of it] [was|to note is|to remember is] {day}[|, as the log shows|, a quiet day|, to be exact].
[Mark|Note] the [day|date]: [it was |]{day}[|, to be exact|, a quiet day].
""")
LEADS = compile_all("""
{On}, {head} {where}.
{head} {where} {on}.
{head} {where} {on}[, it was announced|, as was reported|, the local page writes|, it is now known].
[News|Word|A short note] from {town}: {head} {where} {on}.
[As many have heard|As is now known|As the local page reports], {head} {where} {on}.
{On}, {head} {where}, [to the surprise of some|as expected|as had been rumoured].
""")
LEADS_POST = compile_all("""
{On}, {head} {where}.
{head} {where} {on}.
[As some of you know|As some of you have heard|As my friends know], {head} {where} {on}.
[I never thought I would write this|I am new here|This is not easy to write], but {on} {head} {where}.
""")
GREETINGS = compile_all("""
[Hello everyone|Hello all|Dear neighbours|Hi there|Good evening], [this is {who}|my name is {who}|{who} here|I am {who}].
[{who} here|This is {who}|My name is {who}], [with a short note|with some news|writing for the first time|from {town}|a regular reader|living in {town}].
""")
FAREWELLS = compile_all("""
[Regards|Thanks|Best wishes|Yours|Kind regards|Many thanks|All the best], {who}[|, {town}].
[Signed|Posted by|Written by|From]: {who}[|, {town}|, a neighbour].
""")
