# ruff: noqa: E501 (a line of patterns stays a line)
"""The plain opposites of what a summary should say, in words that no negation betrays.

`reading` sees "did not open" by its negation; "stayed shut", "the brigade gave her 900 euros" and
"work went on as usual" have none. Three tables of patterns find them: of a whole event, of who did
it to whom, and of single reasons and results. They run over the lower-case tokens joined by spaces,
in which the person is `N`, the thing `T` and the town `W` (upper-case letters stand for nothing else).
"""

from __future__ import annotations

import re
from functools import cache

from textgym.tasks.summarize.event import Event
from textgym.tasks.summarize.lexicon import CLAUSE_BREAKS, NEGATIONS

_BREAK = r"\b"
_SUM = r"(?:\S+ ){0,3}?(?:[0-9]\S*|euros?|money|gift|donation|sum|cheque|reward)\b"
_GETS = r"(?:gets?|got|receives?|received|will (?:get|receive)|earns?|earned|claims?|claimed|demands?|is offered|was (?:given|paid|offered)|collect(?:s|ed))"
_MATE = r"(?:(?!rival|oppon|other|guest|visit|side\b|and\b|as\b|because\b|when\b|after\b|that\b|,|;|\.)\S+ ){0,4}"

# Who did it to whom, turned around.
_REVERSED: dict[str, tuple[str, ...]] = {
    "match": (
        rf"\b(?:N|N's|T) {_MATE}(?:was|were|got|get|been|being) (?:\w+ly )?(?:beaten|defeated|overcome|edged|outplayed|thrashed|crushed|knocked out)\b(?! opp)",
        r"\b(?:beat|beats|defeated|overcame|edged|edged out|downed|outplayed|thrashed|overpowered) (?:the |a )?(?:T (?:team |side |club )?(?:of |led by |captained by |under |around ))?N\b",
        r"\b(?:win|victory|triumph|success) (?:over|against) (?:the )?(?:N|T)\b",
        r"\b(?:defeat|loss) (?:for|of) (?:the )?(?:N|T)\b|\bled (?:the |her |his )?T (?:\S+ )?(?:to|into) (?:a |an )?(?:\w+ )?(?:defeat|loss)",
        rf"\b(?:N|N's|T) {_MATE}(?:lost|loses|suffered|conceded|went down|fell to|crashed out|failed|threw away|squandered|gave away)\b",
        r"\blost (?:their|the|her|his|its|a) (?:\w+ )?(?:match|game)\b|\b(?:match|game) (?:ended|finished) in (?:a )?(?:defeat|loss|draw)",
    ),
    "donation": (
        r"\b(?:gave|gives|given|donat\w+|handed|paid|sent|transferred|presented|contributed|granted|offered) (?:\S+ ){0,4}?(?:euros|money|gift|donation|sum|cheque|[0-9]\S*)(?: \S+){0,3}? (?<!thanks )to N\b(?!')",
        r"\b(?:gave|gives|handed|paid|sent|offered|granted|awarded) N (?!')",
        rf"\bN (?:\w+ )?(?:{_GETS}|accepts?|accepted) {_SUM}",
        r"\b(?:gift|donation|cheque|sum|money)(?: of \S+(?: euros)?)? (?:went |goes )?(?:to|for) N\b(?!')|\b(?:from|by) (?:the )?T(?: \S+)? (?:to|for) N\b",
        r"\bN (?:\w+ )?(?:took|takes|borrowed|stole|kept|demanded|asked for|withheld|was helped with) (?:\S+ ){0,3}?(?:euros|money|[0-9]\S*)(?: \S+){0,2}? from\b",
        r"\b(?:gift|donation)(?: of \S+(?: euros)?)? (?:from|by) (?:the )?T\b",
    ),
    "sale": (
        r"\bN (?:\w+ )?(?:bought|buys|purchas\w+|acquir\w+|is the (?:buyer|new owner))",
        r"\b(?:sold|sells|sale)(?: \S+){0,6}? to N\b(?!')|\b(?:bought|purchased|acquired)(?: \S+){0,3}? by N\b(?!')|\bN (?:was|were) sold\b",
    ),
    "giveaway": (
        r"\bN (?:\w+ )?(?:received|receives|was given|is given|got|gets|collect\w+|accept\w+|picked up|fetched|acquir\w+|obtained|took)(?: (?!new\b)\w+){0,3}? T\b(?! back)",
        r"\b(?:gave|given|gives|donated|handed|passed)(?: \S+){0,6}? to N\b(?!')|\b(?:gave|handed) N (?:a|an|the|his|her|their) (?:\w+ )?T\b",
    ),
    "prize": (
        r"\bN (?:\w+ )?(?:came (?:second|third|last)|finished (?:second|third|last)|was (?:beaten|runner-up|second|disqualified)|lost|presented|handed out|judged|sponsored|awarded) ",
        r"\b(?:lost|losing|lose|lost out|second|runner-up)(?: \S+){0,3}? to (?:a |another |someone |some )|\bmissed (?:out )?(?:on )?|\b(?:beat|beats|defeated|ahead of) N\b(?!')|\b(?:prize|cup|contest|award)(?: \S+){0,3}? (?:went to|was won by|was given to|was awarded to|goes to) (?:a |another |someone|some|the |his |her )(?:\w+ )?(?:rival|else|other|competitor|stranger|compet\w+)",
    ),
    "accident": (
        r"\b(?:hit|hits|struck|rammed|ran over|knocked down|knocked over|crashed into|collided with|drove into|ran into|smashed into|slammed into) N\b(?!')",
        r"\bN (?:\w+ )?(?:was|is|got) (?:\w+ly )?(?:hit|struck|run over|rammed|knocked|knocked down)",
        r"\b(?:avoid\w*|prevent\w*|averted|escaped)(?: \w+){0,3}? (?:crash|accident|collision|wall)\b|\bnearly (?:crashed|hit|had)\b|\balmost (?:crashed|hit|had)\b",
    ),
    "break-in": (
        r"\bN (?:\w+ed )?(?:broke|breaks|burgled|robbed|stole|raided|looted|ransacked|forced)\b",
        r"\bN (?:\w+ )?(?:was|is|has been|got) (?:\w+ )?(?:arrested|caught|detained|convicted|suspected|accused)|\b(?:break-in|burglary|theft|robbery|raid)(?: \S+){0,4}? by N\b(?!')|\b(?:arrested|caught|detained) N\b(?!')",
        r"\b(?:failed|tried in vain|unable|attempted|tried)(?: \w+)? to (?:break|get|force|burgle|rob|enter)|\b(?:foiled|thwarted|prevented|fended off)\b|\bwent away empty-handed\b|\bleft empty-handed\b",
    ),
    "lost pet": (
        rf"\b(?:N|she|he|and) (?:\w+ )?{_GETS} {_SUM}",
        r"\bN (?:\w+ )?(?:found|finds|recovered|caught|rescued|bought|adopted|spotted)\b|\bN (?:\w+ )?(?:got|gets|has)(?: \w+){0,3}? back\b(?! for)|\b(?:was|is|has been|been) (?:found|returned|reunited|caught)\b|\b(?:back home|came home|came back|safely back|is back|has returned)\b",
    ),
    "lost thing": (
        rf"\b(?:N|she|he|and) (?:\w+ )?{_GETS} {_SUM}",
        r"\bN (?:\w+ )?(?:found|finds|recovered|discovered|bought|picked up|handed in|stole)\b|\bN (?:\w+ )?(?:got|gets|has)(?: \w+){0,3}? back\b(?! for)|\b(?:was|has been|been) (?:found|recovered|returned)\b|\bfound by N\b",
    ),
    "found": (
        r"\bN (?:\w+ )?(?:lost|loses|left|forgot|dropped|mislaid|misses|is missing|is looking|wants it back|stole|threw|bought)\b",
        r"\b(?:found|discovered|picked up|returned)(?: \w+)? N's (?:\w+ )?T\b|\breturned to N\b|\bN's (?:lost|missing)\b|\bN's (?:\w+ )?T (?:was|has been|is|were) (?:found|lost|gone|missing)\b|\blost by N\b",
    ),
    "complaint": (
        r"\b(?:complain\w*|complaint|protest\w*|moan\w*|grumbl\w*)(?: \w+)? (?:about|against|of|over|at|on) N\b(?!')|\bcritici\w+ N\b(?!')|\bN (?:was|is|has been|got) (?:critici\w+|accused|blamed|sued)",
        r"\bN (?:\w+ )?(?:apologi[sz]\w+|said sorry|rejected|dismissed|refunded|paid (?:\S+ ){0,3}?back|gave (?:\w+ ){0,3}(?:voucher|refund|apology|back))|\bN (?:was|is|were) (?:\w+ )?(?:happy|pleased|satisfied|delighted|content)|\bN (?:\w+ )?(?:praised|praises|thanked|commended|lauded|complimented)",
        r"\bapolog\w+ (?:from|by) N\b(?!')",
    ),
    "advice": (
        r"\bN (?:\w+ )?(?:gave|gives|offered|offers|provided|provides) (?:\w+ ){0,3}(?:advice|help|tips?|guidance|suggestions?)\b|\bN (?:advised|advises|recommended|recommends|helped|helps|answered|suggested|counselled) |\b(?:asked|ask|consulted|approached) N\b(?!')|\b(?:advice|help|tips?) (?:from|by|of) N\b(?!')|\bN (?:\w+ )?(?:turned down|rejected|refused|declined|needs no|needed no|wanted no) (?:\w+ )?(?:advice|help)",
    ),
    "strike": (
        r"\bN (?:\w+ )?(?:ended|ends|stopped|opposed|opposes|prevented|averted|condemned|banned|prohibited|called off|calls off|broke up|ruled out|talked (?:\S+ ){0,3}out of)\b",
        r"\b(?:strike|walkout|stoppage) (?:was |has been |is )?(?:averted|called off|cancelled|avoided|prevented|against N)|\b(?:averted|avoided|prevented|called off|cancelled)(?: \w+){0,2} (?:strike|walkout)|\block(?:ed)? out\b|\b(?:kept|went on|carried on|continued) working\b|\bworked (?:as|on)\b(?! usual until)|\bagainst (?:a|the) strike\b|\bback to work\b",
    ),
    "move": (
        r"\b(?:mov\w+|relocat\w+|transfer\w+|shift\w+|T)(?: \w+){0,3}? (?:out of|away from|from) W\b(?! to W)",
        r"\b(?:left|leaves|leaving|quits?|abandon\w*|turned (?:his|her|their) back on) W\b|\bstay(?:s|ed|ing)? (?:put|where|in|at)\b|\bremain(?:s|ed)? in\b|\bruled out (?:a |the )?mov\w+",
    ),
    "fair": (
        r"\bN (?:\w+ )?(?:attended|attends|visited|visits|watched|went to|dropped in|stopped|opposed|left)\b|\b(?:fell through|did not happen|called off|was scrapped|had to be cancelled|was banned)\b|\bN (?:\w+ )?(?:cancell?ed|cancels|called off|postponed|scrapped|dropped)",
    ),
    "recall": (
        r"\bN (?:\w+ )?(?:bought|buys|ate|launched|launches|released|returned|was recalled|complained|brought back to)\b|\bback on (?:the market|sale|shelves|the shelves)\b|\b(?:stays?|stayed|remains?|remained|kept|keeps|left|leaves)(?: \S+){0,4}? on (?:the market|sale|the shelves|offer)\b|\bput (?:\S+ ){0,4}?(?:on the market|on sale|on the shelves)",
    ),
    "opening": (
        r"\bN (?:\w+ )?(?:closed|closes|shut|shuts|gave up|gives up|sold|abandoned|dropped)\b|\b(?:stay\w*|remain\w*|kept) (?:closed|shut)\b|\bput off (?:the )?opening|\bopening (?:was |has been |is )?(?:cancelled|postponed|called off|put off)\b|\bshut down (?:a|an|the|his|her) T\b",
    ),
    "closure": (
        r"\bN (?:\w+ )?(?:opened|opens|reopened|reopens|saved|saves|launched|started|founded|took over|set up|bought|kept|keeps)\b|\b(?:kept|keeps|keep|stay\w*|remain\w*|keeping) (?:\S+ ){0,4}?(?:open|running|going|in business)\b|\bsaved from\b",
    ),
    "cancellation": (
        r"\b(?:went|goes|go|going|gone) ahead\b|\btook place\b(?! in autumn)|\b(?:was|were) (?:held|staged) as\b|\bas (?:planned|scheduled)\b(?! but)|\bN (?:\w+ )?(?:held|performed|sang|played|hosted|gave) (?:a|an|the|his|her) T\b|\bafter all\b|\bin spite of everything\b|\bcarried on\b",
    ),
}  # fmt: skip
_KEPT = r"\b(?:kept|keeps|keep|held on to|holds on to|hold on to) (?:his|her|the|their|a) (?:\w+ )?T\b"
for _kind in ("sale", "giveaway"):
    _REVERSED[_kind] = (
        *_REVERSED[_kind],
        _KEPT,
        r"\bunsold\b|\bfound no (?:buyer|taker)|\bno one wanted\b|\bnobody wanted\b",
    )

# Reasons and results, turned around.
_CONTRARY: dict[tuple[str, str], str] = {
    ("match", "cup"): r"\bout of (?:the )?(?:cup|final)|\b(?:miss|missed|misses|eliminated|knocked out|crash\w* out|drop\w* out)\b",
    ("match", "top"): r"\bbottom\b|\blast place\b|\bsecond\b|\bdrop\w*\b|\bslip\w*\b|\boff the top\b",
    ("match", "up"): r"\brelegat\w+|\bdemot\w+|\b(?:go|goes|went|going|move|moves|moved|drop|drops|dropped) down\b|\bstays? in\b|\bremains? in\b|\bmiss\w* (?:out )?(?:on )?promotion",
    ("match", "coach"): r"\bcoach (?:of the rivals |of the other team )?(?:is |will |has |was )?(?:stay\w*|remain\w*|keep\w*|kept)|\bkeep\w* (?:the|their) coach|\b(?:our|their own|N's|her own|his own) coach (?:left|quit|resigned)",
    ("match", "party"): r"\b(?:went home|wept|cried|mourn\w*|were sad|fans left|left early|stayed away)\b",
    ("match", "defence"): r"\bweak defen|\bdefen\w+ (?:was|were|is) (?:weak|poor|bad|leaky|shaky)|\bpoor defen",
    ("match", "fitness"): r"\bunfit\b|\bhardly train|\bbadly prepared|\bpoor(?:ly)? (?:prepar|train)|\binferior\b",
    ("match", "tired"): r"\b(?:fresh|rested|energetic) (?:rivals|opponents)|\b(?:rivals|opponents|others) (?:were|are) (?:fresh|rested|fitter|energetic)|\bT (?:was|were) tired",
    ("match", "keeper"): r"\b(?:N's|their own|own) (?:\w+ )?(?:goal)?keeper|\bfine (?:goal)?keeper",
    ("match", "tactics"): r"\b(?:same|unchanged|old) (?:plan|tactics|strategy)|\b(?:stuck|kept) to (?:the|their)",
    ("strike", "halt"): r"\b(?:went|goes|carried|ran|running|continued|continues|moved|worked)(?: on)?(?: just| exactly)? (?:as (?:usual|normal|ever|before|planned)|normally|smoothly)|\bwork (?:went on|continued|carried on)|\bnothing (?:\w+ ){0,3}(?:standstill|halt|stopped|still|disrupt\w*)|\bunaffected\b|\bkept (?:going|running|moving)|\bno (?:disruption|standstill|halt)|\bbusiness as usual",
    ("strike", "talks"): r"\b(?:refus\w+|reject\w+|declin\w+|broke off|collapsed|ruled out|unwilling)\b|\btalks (?:failed|ended|collapsed|are off|broke)",
    ("strike", "deal"): r"\b(?:no deal|without (?:a |an )?(?:deal|agreement)|collapsed|fell through|failed|rejected|broke down)\b",
    ("strike", "court"): r"\b(?:may|can|could|lets? them) (?:go on|continue|carry on|strike)|\b(?:allowed|permitted|approved|upheld|let it|legal|lawful|in favour)\b|\brefused to (?:stop|ban)",
    ("strike", "more"): r"\b(?:last one|the last strike|call(?:ed)? off|cancelled|ruled out|one-off)\b",
    ("strike", "pay"): r"\b(?:high|good|generous|excessive|fair) (?:pay|wages)|\b(?:pay|wages) (?:is|was|are|were) (?:too high|good|high|fine)|\blower (?:pay|wages)\b",
    ("strike", "hours"): r"\b(?:too short|short shifts|too few hours|shorter)\b(?! shifts| hours)",
    ("strike", "cuts"): r"\b(?:new|more|extra|creat\w+) jobs\b|\bjobs (?:are|were) safe",
    ("strike", "cold"): r"\btoo (?:hot|warm)\b|\b(?:heating|heater) (?:works?|worked|was fine|was on)",
    ("opening", "soldout"): r"\b(?:plenty|most|much|a lot|everything) (?:\w+ ){0,2}(?:left|unsold|remained)|\bunsold\b|\bnothing (?:\w+ ){0,3}(?:taken|sold|bought|gone|exhausted)|\bno one bought|\bnobody bought|\bleft over\b|\blittle (?:was|had been) (?:sold|taken)",
    ("opening", "queue"): r"\b(?:nobody|no one|hardly anyone|few people|few customers|no customers|no queue|stayed away|deserted|empty|stood empty)\b",
    ("opening", "helpers"): r"\blost (?:their )?(?:work|jobs?)|\b(?:fired|dismissed|laid off|sacked|no work|no jobs)\b",
    ("opening", "noise"): r"\b(?:neighbours|neighbors|residents) (?:\w+ ){0,2}(?:like|love|welcome|enjoy|praise|happy|pleased|delighted|not mind)|\bquiet(?:er)?\b",
    ("opening", "rents"): r"\brents? (?:\w+ ){0,6}(?:fell|fallen|dropped|down|sank|sunk|decreas\w+|lower|unchanged|stable|same)|\b(?:lower|falling|stable) rents|\b(?:cheaper|costs? less)\b",
    ("opening", "job"): r"\b(?:found|got|started|has|took) (?:a |an |his |her )(?:new |good |better )?job\b|\bpromot\w+",
    ("opening", "grant"): r"\b(?:refused|denied|without|cut|rejected|no) (?:\w+ ){0,2}(?:grant|subsid\w+|help)",
    ("opening", "gap"): r"\b(?:plenty|many|enough|several) (?:of )?(?:such|other|similar)|\bone more\b",
    ("opening", "aunt"): r"(?<!due )(?<!owing )(?<!thanks )\bto (?:an|his|her) aunt\b(?!')|\bdisinherit\w*",
    ("closure", "jobs"): r"\b(?:keep|keeps|kept|retain\w*|saved?) (?:all )?(?:their|the|his|her) (?:jobs?|work)|\bjobs (?:were|are|have been) (?:saved|safe|kept|secure)|\bfound (?:new )?(?:jobs|work)|\bnew jobs\b|\bhired?\b",
    ("closure", "flats"): r"\b(?:stand|stands|stay\w*|remain\w*) empty|\b(?:no|instead of) (?:flats|apartments)|\bflats (?:\w+ )?(?:ruled out|rejected|scrapped|will not|into)",
    ("closure", "petition"): r"\b(?:refus\w+|rejected|no one signed|nobody signed|withdr\w+|happy|pleased|welcome\w*|glad)\b",
    ("closure", "stock"): r"\b(?:full price|high price|dear|dearly|thrown away|destroyed|unsold|expensive|at a premium)\b",
    ("closure", "successor"): r"\b(?:has been found|was found|found a|found someone|already has a|no longer looking|not looking|has taken over|took over)\b",
    ("closure", "rent"): r"\brent (?:\w+ ){0,3}(?:low|lower|fell|halved|dropped|cheap)|\b(?:low|lower|cheap) rent",
    ("closure", "illness"): r"\b(?:healthy|fit again|recover\w*|good health|in the best of health)\b",
    ("closure", "staff"): r"\b(?:plenty of|enough|too many) (?:staff|helpers|personnel|workers)",
    ("closure", "online"): r"\b(?:stopped|no longer) buy\w* online|\baway from (?:the )?(?:internet|online)",
    ("move", "longer"): r"\b(?:shorter|nearer|closer)\b",
    ("move", "trainees"): r"\b(?:no room for|let go|dismiss\w*|fired|laid off|fewer) (?:\w+ )?(?:trainees?|apprentices?)|\btrainees? (?:\w+ ){0,3}(?:dismissed|let go|fired|laid off|leave)",
    ("move", "phone"): r"\bphone (?:\w+ ){0,2}(?:worked|works|stayed on|fine)|\bstayed reachable|\breachable throughout|\bcould be (?:phoned|reached)",
    ("move", "parking"): r"\b(?:no|nowhere|lack of|without|less) (?:\w+ )?(?:to )?park\w*|\blost (?:\w+ )?(?:car park|parking)|\bforbidden\b",
    ("move", "empty"): r"\b(?:already|soon|quickly|immediately|now) (?:been )?(?:taken|let|rented|occupied|in use)|\bnew tenant\b|\bhave been (?:taken|let|rented)|\bfound (?:a )?new (?:tenant|user|use)",
    ("move", "space"): r"\btoo (?:big|large|spacious)\b|\btoo much (?:space|room)|\bplenty of (?:space|room)",
    ("move", "cheap"): r"\b(?:higher|dearer|more expensive|costs? more)\b|\brents? (?:is|are|was|were) high",
    ("move", "trains"): r"\bfar from (?:the )?(?:station|train|rail)|\bno (?:station|trains?)",
    ("move", "damp"): r"\b(?:dry|dried) walls|\bwalls (?:are|were) dry",
    ("sale", "restore"): r"\b(?:tear|pull|knock|torn|pulled|knocked)(?:s|ing)? (?:it )?down|\bdemolish\w*|\bscrap\w*|\bleft to (?:rot|decay)",
    ("sale", "museum"): r"\b(?:closed to|hidden|private|off limits|no longer)\b",
    ("sale", "brother"): r"\bbrother (?:\w+ ){0,3}(?:happy|pleased|glad|delighted|congratulat\w+|agrees?|agreed|helped|supports?|ruled out)|\bruled out\b|\bsu(?:e|es|ing) (?:his|her) brother|\bmade peace|\breconcil\w+",
    ("sale", "charity"): r"\bcharity (?:gets|receives|sees) (?:nothing|none)|\bkeep\w* (?:all|everything|the money|it all)",
    ("sale", "regret"): r"\b(?:glad|happy|pleased|relieved|delighted|satisfied|no regret\w*|content)\b",
    ("sale", "debts"): r"\b(?:out of|free of|paid off|no|without) (?:\w+ )?debts?\b|\bthe bank owe[sd]",
    ("sale", "abroad"): r"\b(?:back from|returned? from|returning from|coming back from|home from) (?:\w+ )?abroad|\bback home\b",
    ("sale", "age"): r"\btoo young\b",
    ("sale", "divorce"): r"\b(?:getting|is|got) married|\bmarr(?:ies|ied|ying)\b|\bwedding\b",
    ("fair", "again"): r"\b(?:last|final|only) (?:one|time|fair|edition|of its kind)\b|\bone-off\b|\bno (?:more|repeat|continuation)|\bnever again\b|\bnot be (?:repeated|held again)",
    ("fair", "jam"): r"\b(?:traffic|cars|roads) (?:\w+ ){0,2}(?:flowed|ran smoothly|clear|empty|free|moved)|\bno (?:jam|traffic|congestion)|\bempty roads|\bclear roads",
    ("fair", "rubbish"): r"\b(?:clean|spotless|tidy|tidied|no rubbish|no litter|without litter|cleaned up|litter-free|hardly any)\b",
    ("fair", "food"): r"\b(?:plenty|enough|too much|lots|more than enough) (?:of )?(?:food|left|to eat)|\bleftovers?\b|\bfood (?:\w+ ){0,2}(?:left over|lasted)|\beveryone had enough",
    ("fair", "playground"): r"\bplayground (?:\w+ ){0,3}(?:closed|removed|scrapped|torn|rejected|lost|shut)|\bno playground",
    ("fair", "lonely"): r"\b(?:already )?knew each other|\bknow each other (?:well|already)",
    ("fair", "newcomers"): r"\bmoved (?:away|out)\b",
    ("recall", "refund"): r"\b(?:no refund|without (?:a )?refund|keep the money|no money|not get|get nothing|must pay)\b",
    ("recall", "ill"): r"\b(?:no one|nobody|none) (?:\w+ ){0,3}(?:ill|sick|unwell|harm\w*|treat\w*)|\bhealthy\b|\brecover\w*|\bno (?:illness|one was|victims|cases)",
    ("recall", "halt"): r"\b(?:production|work|machines) (?:\w+ ){0,2}(?:goes on|go on|going on|went on|continues?|continued|running|resumed|run)|\bkeeps? (?:running|producing|working|going)|\bas usual\b",
    ("recall", "inspect"): r"\b(?:refus\w+|no inspection|passed|cleared|all clear|left alone|dropped the)\b",
    ("recall", "shelves"): r"\b(?:full|well stocked|restocked|filled|on sale again|back on)\b",
    ("prize", "final"): r"\b(?:out of|miss\w*|knocked out|pulled out|withdr\w+|give up|gave up|drops? out|dropped out|skip\w*)\b",
    ("prize", "gift"): r"\b(?:keep|keeps|kept|keeping|spend|spends|spent)\b|\bfrom (?:a )?charity",
    ("prize", "offer"): r"\b(?:lost|loses|fired|turned (?:\w+ )?down|rejected|dismissed|quit|sacked|laid off)\b|\bapplied\b",
    ("prize", "hall"): r"\b(?:refus\w+|rejected|removed|hide|hidden|took down|turned (?:\w+ )?down)\b",
    ("prize", "doubt"): r"\b(?:congratulat\w+|accept\w+|undisputed|unchallenged|praised|agrees?|conceded|withdr\w+|no objections?)\b",
    ("prize", "practice"): r"\b(?:without|hardly|no|little|lack of) (?:any )?(?:practi\w+|training)|\bbeginner\b|\bfirst attempt\b|\bnever practi\w+",
    ("prize", "simple"): r"\b(?:complicated|complex|elaborate|unclear|not simple)\b(?! elegance)",
    ("prize", "fresh"): r"\b(?:old|stale|tired|unoriginal|borrowed) ideas",
    ("prize", "courage"): r"\b(?:cautio\w+|coward\w*|lack of courage|timid\w*|played it safe)\b",
    ("donation", "van"): r"\bvan (?:\w+ ){0,3}(?:sold|scrapped|lost|stolen|cancelled)|\bno (?:new )?van|\bold van\b|\bsell (?:its|the) van",
    ("donation", "room"): r"\b(?:remov\w+|strip\w*|renam\w+|anonymous\w*|without (?:his|her) name)\b",
    ("donation", "others"): r"\b(?:stopped giving|fewer|stop giving|withdr\w+|nobody else|no one else|refus\w+)\b|\bothers (?:now )?(?:want|ask for|demand)\w* (?:money|their)",
    ("donation", "roof"): r"\broof (?:\w+ ){0,3}(?:leaking still|still leaks|collapsed|cannot|stays|remains)|\bstill leaks",
    ("donation", "hours"): r"\b(?:close|closes|closed|shut|shuts|closing) (?:\w+ ){0,3}(?:earlier|early|in the evening|evening|sooner)|\b(?:shorter|shorten\w*|reduced|fewer) (?:opening )?hours|\bhours (?:\w+ ){0,2}(?:cut|shortened|reduced)",
    ("donation", "thanks"): r"\b(?:ungrateful|ingratitude|angry|anger|revenge|refused to help|no help)\b",
    ("donation", "lottery"): r"\b(?:lost|losing|loses|bad luck|unlucky|no luck)\b",
    ("donation", "memory"): r"\bforget\b|\bliving friend|\bfriend'?s? (?:birth|wedding)",
    ("donation", "state"): r"\bstate (?:\w+ ){0,2}(?:pays more|increased|raised|gave more)|\bmore (?:money )?from the state|\b(?:increase|rise) in (?:state|public)|\bhigher subsid",
    ("donation", "firm"): r"\b(?:bought|founded|opened|started|purchase of) (?:a|his|her|the) (?:new )?(?:firm|company|business)",
    ("accident", "unhurt"): r"\b(?:(?<!not )(?:badly|seriously|slightly|lightly|severely) (?:hurt|injured)|(?<!no )(?<!not )(?:one|two|three|four|several|some|many) (?:people |persons |passengers |others )?(?:were|was|got) (?:\w+ly )?(?:hurt|injured|killed)|died|killed|dead|deaths?)\b|(?<!no )(?<!neither )(?<!nor )\b(?:N|driver|he|she|passengers?) (?:was|were|got) (?:\w+ly )?(?:hurt|injured|killed)\b",
    ("accident", "arm"): r"\b(?:unhurt|unharmed|uninjured|unscathed|nobody was|no one was|without injur\w+|no injur\w+|leg|ribs?)\b",
    ("accident", "road"): r"\broad (?:\w+ ){0,3}(?:open|free|clear|passable|reopened at once)|\btraffic (?:\w+ )?(?:flowed|unaffected|ran|continued)|\bunaffected\b|\bno (?:delays|jam|traffic)",
    ("accident", "licence"): r"\b(?:keep|keeps|kept|retain\w*|got back|gets back|allowed to drive|may drive|can drive|still drive)\b",
    ("accident", "power"): r"\b(?:lights|power|electricity) (?:\w+ )?(?:stayed on|came on|restored|unaffected|on)\b|\bunaffected\b",
    ("accident", "ice"): r"\b(?:dry|clear|perfect|warm) (?:road|conditions|weather)|\broad was dry|\bice-free\b|\bmelted\b",
    ("accident", "brakes"): r"\bbrakes (?:did not|didn't|never) (?:fail|malfunction)|\bbrakes (?:worked|were fine|held|were good|were new)|\b(?:good|working|new|perfect) brakes",
    ("break-in", "arrest"): r"\b(?:escaped|got away|at large|released|let go|fled|still looking|still hunting|freed|without a trace)\b|\bno (?:suspect|arrest|trace)",
    ("break-in", "river"): r"\b(?:nothing|none) (?:\w+ ){0,3}(?:found|recovered|turned up)|\bvanished\b|\bstill missing\b",
    ("break-in", "watch"): r"\b(?:stopped|refus\w+|no longer|ignored|moved away)\b",
    ("break-in", "insurance"): r"\b(?:refus\w+|reject\w+|declin\w+|pays? nothing|uninsured|no insurance|turned (?:\w+ )?down|unwilling)\b",
    ("break-in", "dog"): r"\b(?:sold|sells|lost|gave away|gives away|gave up|getting rid|decided against|ruled out)\b",
    ("break-in", "window"): r"\bwindows? (?:\w+ )?(?:was |were )?(?:closed|shut|locked)|\b(?:closed|shut|locked) window",
    ("break-in", "lock"): r"\b(?:new|strong|modern|good) lock|\block was (?:new|strong|modern)",
    ("break-in", "alarm"): r"\balarm (?:\w+ ){0,2}(?:went off|rang|worked|sounded|was on)|\bset off (?:the|an) alarm",
    ("break-in", "dark"): r"\b(?:bright\w*|well[- ]lit)\b|\blamp (?:was )?(?:on|working|worked)|\bnew (?:street )?lamp",
    ("break-in", "away"): r"\b(?:was|were) (?:at home|asleep|in bed|inside|there|present)\b(?<!nobody was at home)(?<!no one was at home)(?<!nobody was there)(?<!no one was there)(?<!nobody was inside)(?<!no one was inside)(?<!one was present)(?<!nobody was present)",
    ("cancellation", "refund"): r"\b(?:no refunds?|without (?:a )?refund|keeps? the money|not (?:be )?refunded|no money|lose their money|lost their money)\b",
    ("cancellation", "autumn"): r"\b(?:spring|summer|winter|for good|no new date|permanently|never be|forever)\b",
    ("cancellation", "outside"): r"\b(?:warm inside|let in|stayed at home|waited inside|nobody (?:was|waited|came)|no one (?:was|waited|came))\b",
    ("cancellation", "drinks"): r"\b(?:pay for (?:their )?drinks|no (?:free )?drinks|without (?:a )?drink\w*|drinks were (?:sold|dear|expensive))\b",
    ("cancellation", "rent"): r"\b(?:waive\w*|gave up|forgo\w*|no rent|renounc\w*|lets? (?:him|her|N) off|free of charge|paid back|refund\w*|do without|does without)\b",
    ("cancellation", "storm"): r"\b(?:sun|sunny|sunshine|fine weather|good weather|calm|clear sky)\b",
    ("cancellation", "permit"): r"\bpermit (?:was |had been |came |has been )?(?:granted|given|arrived|in time)|\b(?:got|received|had|with) (?:a|the) permit",
    ("cancellation", "voice"): r"\b(?:strong|good|fine|recovered|regained|great) (?:\w+ )?voice|\b(?:got|found) (?:his|her) voice",
    ("cancellation", "water"): r"\bdry\b|\bno water\b",
    ("lost pet", "search"): r"\b(?:refus\w+|nobody (?:\w+ )?(?:looks|looking|helps|helping|searches)|stopped|gave up|given up|called off|ended)\b",
    ("lost pet", "sleep"): r"\b(?:sleep|slept|sleeping) (?:well|soundly|fine|peacefully)|\bchildren (?:\w+ )?(?:happy|glad|relieved|indifferent|laugh\w*|smil\w*|fine|calm)",
    ("lost pet", "seen"): r"\b(?:no one|nobody|never|without) (?:\w+ ){0,2}(?:saw|seen|spotted|a trace|trace|sighted)|\bno (?:sign|trace|sighting)",
    ("lost pet", "posters"): r"\bno posters|\bposters (?:\w+ )?(?:removed|taken down|torn down|forbidden|banned)",
    ("lost pet", "shelter"): r"\bshelter (?:has|had|found|took|keeps|refus\w+|knows nothing)(?! been| it on| a note| been told)",
    ("lost pet", "gate"): r"\bgate (?:\w+ )?(?:was |were )?(?:closed|shut|locked)|\b(?:closed|shut|locked) gate",
    ("lost thing", "insurance"): r"\b(?:insur\w+) (?:\w+ )?(?:will pay|pays|paid|covers?|covered|agreed|compensat\w+)(?! nothing| no| out nothing| for nothing| compensation)\b(?! him nothing| her nothing| not)",
    ("lost thing", "exam"): r"\b(?:pass\w*|on time for|in time for|made it to|sat|sits|took|takes|reached)\b",
    ("lost thing", "grandmother"): r"\bgran\w*(?:'s)? (?:\w+ ){0,2}(?:happy|glad|pleased|relieved|delighted|indifferent|laugh\w*|not mind|joy)",
    ("lost thing", "police"): r"\bpolice (?:\w+ ){0,2}(?:know nothing|refus\w+|have not|not (?:been )?(?:told|informed)|found|ignored|has it|unaware)|\bkeep\w* (?:it )?from the police|\bwithout (?:telling|informing|calling) the police",
    ("lost thing", "office"): r"\boffice (?:\w+ ){0,2}(?:has it|found|refus\w+|knows nothing|closed|returned)",
    ("lost thing", "rush"): r"\b(?:plenty of time|no hurry|missed no train|in no hurry|early for)\b",
    ("lost thing", "asleep"): r"\b(?:awake|woke|wide awake)\b",
    ("lost thing", "bags"): r"\b(?:no|without|too few|only one|not enough) (?:\w+ )?(?:bags?|luggage)",
    ("found", "calls"): r"\b(?:nobody|no one|none) (?:\w+ ){0,3}(?:called|claim\w*|rang|phoned|come forward|asked|contact\w*)|\bno (?:claims?|calls?|claimants?|one has)",
    ("found", "proof"): r"\b(?:no proof|without (?:any )?(?:proof|description|describing)|no description|no questions)\b",
    ("found", "cake"): r"\b(?:wants? no|refus\w+|no cake|no reward|without (?:a )?reward|turned (?:\w+ )?down|declin\w+)\b",
    ("found", "police"): r"\bpolice (?:\w+ ){0,2}(?:know nothing|refus\w+|have not|not (?:been )?(?:told|informed)|ignored|unaware)|\bkeep\w* (?:it )?from the police|\bwithout (?:telling|informing|calling) the police",
    ("found", "river"): r"\briver (?:\w+ ){0,2}(?:high|rose|risen|flooded|swollen|burst)|\bhigh (?:river|water)|\bflood\w*",
    ("found", "snow"): r"\bfresh snow|\bsnow (?:\w+ )?(?:fell|fallen|began|came)|\bsnowed\b",
    ("complaint", "sorry"): r"\b(?:no apology|refus\w+|without (?:an )?apology|never apolog\w+|nobody (?:said|apologised)|no one (?:said|apologised))\b",
    ("complaint", "refund"): r"\b(?:does not want|paid again|paid more|waiv\w+|wants no|gave up)\b",
    ("complaint", "switch"): r"\b(?:stays?|stayed|remain\w*|loyal|come back|comes back|keeps? (?:using|going|coming)|stick\w*|return again)\b",
    ("complaint", "lawyer"): r"\b(?:no lawyer|without (?:a )?lawyer|ruled out|lawyer refused|decided against|dropped)\b",
    ("complaint", "voucher"): r"\b(?:no voucher|refused|without (?:a )?voucher|empty-handed|voucher was (?:refused|taken)|bought a voucher)\b",
    ("complaint", "dirt"): r"\b(?:spotless|very clean|was clean|were clean|too clean)\b",
    ("complaint", "rude"): r"\b(?:friendly|polite|kind|helpful) (?:staff|man|personnel)|\bstaff (?:was|were) (?:friendly|polite|kind|helpful)|\bshouted at (?:the|a) (?:staff|man)",
    ("complaint", "late"): r"\b(?:too early|on time|punctual\w*|early)\b",
    ("complaint", "bill"): r"\b(?:correct|right|accurate|flawless) (?:bill|invoice)|\bbill was (?:right|correct|fine)",
    ("complaint", "silence"): r"\b(?:answered (?:all|every|promptly|at once)|quick repl\w+|prompt (?:answer|reply))\b|\bN (?:ignored|did not answer)",
    ("advice", "lawyer"): r"\b(?:no lawyer|without (?:a )?lawyer|against (?:seeing |going to |hiring )?(?:a |any )?lawyers?|avoid (?:a )?lawyers?)\b",
    ("advice", "visit"): r"\b(?:nobody (?:offered|wants|came)|no one (?:offered|wants|came)|refus\w+ to (?:come|look|visit)|declined to|no reader|stay away)\b",
    ("advice", "patience"): r"\b(?:act (?:at once|now|quickly|fast|immediately)|hurry|not (?:to )?wait|stop waiting|at once|immediately|without delay|no time to wait|against waiting|lose no time|urgent\w*)\b",
    ("advice", "talk"): r"\b(?:against talking|not (?:to )?talk|stop talking|without talking|say nothing|keep silent|avoid talking)\b",
    ("advice", "photos"): r"\b(?:no (?:photos?|pictures?)|without (?:any )?(?:photos?|pictures?)|not want(?: any)? (?:photos|pictures))\b",
    ("advice", "landlord"): r"\blandlord (?:\w+ )?(?:answer(?:s|ed)|repl(?:ies|ied)|acts|acted|helps|helped|repaired|responded)\b(?<!never answered)(?<!never replied)(?<!hardly answers)",
    ("advice", "repair"): r"\brepair (?:\w+ )?(?:worked|succeeded|helped|was a success)|\bsuccessful(?:ly)? repair",
    ("advice", "insurer"): r"\binsur\w+ (?:\w+ )?(?:pays|agreed|covers|covered|said yes|approved|accepted)(?! nothing)",
    ("advice", "winter"): r"\bwinter (?:is|was) over|\bsummer\b|\bspring is|\bend of winter",
    ("giveaway", "quarrel"): r"\b(?:agreed|amicabl\w+|peacefully|without (?:any |a )?(?:quarrel|dispute)|no quarrel|no dispute|made friends|shared it)\b",
    ("giveaway", "back"): r"\b(?:never (?:came|come|returned)|kept it|not (?:come|came) back|for good)\b",
    ("giveaway", "student"): r"\b(?:student (?:\w+ )?(?:refused|did not|turned|rejected)|from a student)\b",
    ("giveaway", "nurse"): r"\b(?:nurse (?:\w+ )?(?:refused|did not|turned|rejected)|from a nurse)\b",
    ("giveaway", "school"): r"\b(?:school (?:\w+ )?(?:refused|did not|turned|rejected)|from a school)\b",
    ("giveaway", "smaller"): r"\b(?:bigger|larger|too big) (?:flat|apartment|home)|\bflat is (?:bigger|larger)",
    ("giveaway", "grown"): r"\b(?:newborn|expecting|small children|still small|still need)\b",
    ("giveaway", "stairs"): r"\b(?:wide|broad) stair|\bstairs (?:are|were) wide|\beasily fit",
    ("giveaway", "newone"): r"\b(?:could not afford|no new one|without a new|no replacement)\b",
}  # fmt: skip

_UNCHANGED = r"\b(?:stay|remain)\w* (?:the same|unchanged)|\bnothing (?:changed|happened|came of it)|\bc[ao]me to nothing|\bto no avail\b"


@cache
def _compile(kind: str, reason: str, result: str) -> tuple[re.Pattern[str] | None, ...]:
    outcome = f"{_CONTRARY[kind, result]}|{_UNCHANGED}" if (kind, result) in _CONTRARY else _UNCHANGED
    sources = ("|".join(_REVERSED.get(kind, ())), _CONTRARY.get((kind, reason), ""), outcome)
    return tuple(_start_at_words(source) if source else None for source in sources)


def _start_at_words(source: str) -> re.Pattern[str]:
    """A blank before each word spares the search most positions; the tables' leading word breaks do the same slowly."""
    return re.compile(f" (?:{source.removeprefix(_BREAK).replace('|' + _BREAK, '|')})")


def find_contraries(event: Event, marked: list[str], prompt: str) -> tuple[bool, bool, bool]:
    """Whether the tokens turn the event, the reason and the result around, in words that are not the prompt's."""
    text = " " + " ".join(marked)
    reversed_, reason, result = (
        pattern is not None and _is_contrary(pattern, text, prompt)
        for pattern in _compile(event.kind, event.reason, event.result)
    )
    return reversed_, reason, result


def _is_contrary(pattern: re.Pattern[str], text: str, prompt: str) -> bool:
    hit = pattern.search(text)
    return hit is not None and hit.group() not in prompt and not _is_denied(pattern, hit, text)


def _is_denied(pattern: re.Pattern[str], hit: re.Match[str], text: str) -> bool:
    """Whether the text denies the opposite: "no permit was granted", "the river was not high"."""
    before = text[: hit.start()].split()[-3:]
    for at in range(len(before) - 1, -1, -1):
        if before[at] in CLAUSE_BREAKS or before[at] in ".,;:!?()":
            break
        if before[at] in NEGATIONS:
            return True
    words = hit.group().split()
    if NEGATIONS.isdisjoint(words):
        return False
    # A negation that the pattern does not ask for
    return pattern.search(" " + " ".join(w for w in words if w not in NEGATIONS) + " ") is not None
