# ruff: noqa: E501 (a line of grammar or of words stays a line)
"""Sentences that a summary should leave out: plausible, with other names and numbers in them.

They avoid every noun and verb by which an event's own facts are recognised where that is possible.
`{name2}`, `{first2}`, `{town2}`, `{day2}` and `{n2}` are never the event's own.
"""

from __future__ import annotations

from textgym.tasks.summarize.grammar import compile_all

ANYWHERE = compile_all("""
{name2}, [who lives|a retired clerk who lives|a beekeeper who lives] [across the street|two doors down|near the bridge], [saw it all from a balcony|only heard about it from a cousin|says it is all anyone mentions|had been baking all day|shrugged and went on sweeping].
[On {day2}|The day before|Two days earlier|That week], [rain fell|fog hung over the valley|the sun shone] [for {n2} minutes|without a pause|from dawn to dusk|as it rarely does].
[The street|The square|The old bridge|The lane behind it] was [paved|painted|measured|photographed] [{n2} years ago|back in the days of {name2}|by someone called {name2}|one rainy spring].
{first2}, [a cousin from {town2}|who comes from {town2}|a relative by marriage|a former classmate], [sent a postcard|brought plum cake|told an endless joke|slept through the whole afternoon|is learning the trumpet].
[The mayor of {town2}|A priest from {town2}|A former minister], {name2}, [sent regards|was seen with an ice cream|wore a bright yellow hat|made a short remark about the moon|spoke at length about geese].
[The next council meeting|The next blood drive|The monthly chess lesson|The parish coffee morning] is on {day2}[| in {town2}| as usual| at {n2} Mill Lane].
[Asked about it|Meanwhile|Over coffee|At the bus stop], {name2} [only smiled|just counted the pigeons|talked about {town2} instead|recalled a trip to {town2}|praised the local plums].
[The way from {town2}|The walk from the harbour|The path from {town2}] takes [about {n2} minutes|{n2} minutes on foot|a good while|most of a morning][|, as {first2} knows|, uphill all the way|, if the wind is kind].
[Some say|It is said|Legend has it|{name2} insists] that [the river once ran here|a castle stood on that hill|Napoleon slept nearby|the first potatoes grew here|{town2} was once the larger place].
[Coffee|A slice of cake|A bowl of soup|A pretzel] at the corner [costs {n2} cents more than in {town2}|is best on {day2}|comes with a biscuit|has been praised by {name2}|tastes better in this wind].
[A swarm of bees|A stray balloon|A brass band|A flock of geese] [passed|went by|crossed the square] [at about that time|on {day2}|soon afterwards|to the delight of {first2}].
{name2} [collects|paints|repairs|photographs] [clocks|old radios|weather vanes|dolls from {town2}|garden gnomes] and [owns {n2} of them|has done so for {n2} years|keeps them in the attic|showed one around].
[By the way|In passing|On another note|Incidentally], [the clock in the library|the clock on the tower|the clock on the square|the old chapel clock] [works again|is {n2} minutes slow|was a present from {town2}|will be cleaned on {day2}|still needs oil].
[The photo|The picture|The drawing] [on the board|in the window|by the door] shows [{name2} with a goat|the harbour of {town2}|a snowman with {n2} buttons|the same spot {n2} years ago|nothing but fog].
[The sister of {name2}|{first2}'s teacher|A lady from {town2}|The twin of {name2}] [turned {n2} on {day2}|just became a judge|runs marathons|plays the organ|once met an astronaut].
[Next to it|Further down|Around the corner|Behind the church] [stands a chestnut {n2} years old|there is a well|grows a fig tree|lies a pond with {n2} ducks][|, admired by {name2}|, famous as far as {town2}|, loved by painters].
[Line {n2}|The old tram|The last tram|The night train] [to {town2}|across the river|up the hill] [leaves on time again|runs on {day2} too|was full of hikers|smelt of oranges|has new seats].
[Radio {town2}|A blog from {town2}|The parish letter|A magazine] [was all about waltzes that day|offered a riddle instead|had a piece about beetles|shared a recipe by {name2}|got the name wrong].
[The new bell|The oak door|The market cross|The bronze bear] [in {town2}|by the chapel|on the square] [weighs|is said to weigh] {n2} kilos[|, says {name2}|, a record for the valley].
[{first2} and {name2}|The {last2} twins|Old Mrs {last2}|Young Mr {last2}] [played cards|ate plums|fed the swans|kept busy elsewhere|watched the clouds] [until dusk|all along|that afternoon|near the fountain].
[A tourist from {town2}|A man with a map|A cyclist|A student of music] [asked the way|took {n2} photographs|wanted a stamp|bought a newspaper][| and left| and thanked {name2}| on {day2}| in the rain].
[Page {n2} of the chronicle|A plaque|The guidebook|An old letter] [mentions|praises|describes] [{name2}|a visit from {town2}|the smell of the tannery|the bells of {town2}|a very cold Easter].
""")

POSTS_ONLY = compile_all("""
[By the way|Oh|And yes], [I am also on the choir board|my number ends in {n2}|I am up late most days|I work in {town2} these days][|, if anyone wonders|, as {first2} can tell you|, as some of you know].
[Warm thanks to {name2}|Thanks to {name2}|Thank you, {first2},] for [the jam|the lovely postcard|the lift on {day2}|the tulips|the long chat about {town2}].
[I have lived here|My family has been around|We have had this board] [for {n2} years|since the days of {name2}|longer than the plum tree|since {first2} left {town2}][|, happily|, as you may know].
""")
