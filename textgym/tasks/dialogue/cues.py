"""The cues by which a clause or a sentence is taken: refusals, offers, bookings, questions, rules of the house.

Regular expressions over lower-case words joined by blanks, compiled once. What they find in a
clause does not depend on the booking, so it is remembered between turns.
"""

# ruff: noqa: SIM905 (word lists read better as text)
from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

# "not full" is free
DOUBLE_NEGATION = re.compile(
    r"(\bnot|n't|\bnever)( yet| all| at all)?( been)? (full|taken|gone|closed|shut|off|sold out|booked (out|up)"
    r"|unavailable|impossible|forbidden|prohibited|banned|occupied|forbid|prohibit|ban|refuse|turn(ed)? away)\b"
    r"|\b(nobody|no one) (has |'s )?(yet )?(taken|booked|reserved)\b"
    r"|\bno (\w+ )?(is|are|gets?|was|were) (ever )?(turned away|refused|forbidden|banned)\b"
    r"|\bno (rules?|laws?|ban) (against|on)\b"
)
FOREIGN = {
    "restaurant": re.compile(
        r"\b(tickets?|trains?|appointments?|nights?|(single|double|twin) (rooms?|is|or)|haircuts?|perm)\b"
    ),
    "hotel": re.compile(r"\b(tickets?|trains?|appointments?|tables?|haircuts?|perm|shave|colouring|wash)\b"),
    "station": re.compile(
        r"\b(appointments?|tables?|haircuts?|perm|shave|nights|(single|double|twin|family) rooms?)\b"
    ),
    "salon": re.compile(r"\b(tickets?|trains?|nights|tables?|(single|double|twin|family) rooms?)\b"),
    "doctor": re.compile(
        r"\b(tickets?|trains?|nights|tables?|(single|double|twin|family) rooms?|haircuts?|perm|shave)\b"
    ),
}
COSTLESS = (  # costs nothing
    r"((costs?( you| us)?|pay|charged?|for) nothing|nothing to pay|free of charge"
    r"|(won't|doesn't|don't|wouldn't|will not|does not|do not) (cost|charge|pay|(have|need) to pay)"
    r"( you| us| guests| anyone)?( (for )?(anything|extra|it|that)|( a)?( single)? (thing|cent|penny|euro)"
    r"| for( the| your| a)? [a-z]+)"
    r"|(no|without( a| any)?)( extra| additional| further)? (charges?|fees?|costs?|payment))"
)
FACT = r"(name|surname|time|hour|day|date|number|headcount)"  # what an assistant may still have to be told
HARMLESS = re.compile(
    rf"\b({COSTLESS}"
    r"|(no need|(don't|do not) (have|need)|needn't|need not) (to )?(leave|keep) ([a-z']+ ){1,3}at home"
    r"|no (\w+ ){1,2}(needed|required|necessary)|no rush|no hurry|no fuss|no fewer than|never (fear|mind)"
    rf"|(no|not an?) {FACT} (yet|so far)|without (a|an|any|your|the) {FACT}"
    r"|(can't|cannot|can not|couldn't|could not|won't|will not) (\w+ ){1,12}?(without|until|till|unless|before)"
    rf" (i|we|you|your|knowing|hearing|having|(a|an|any|the) {FACT})"
    r"|(couldn't|could not|can't|cannot) (be|get) (\w+er|more \w+)|(won't|will not|don't|do not) (forget|object|fret)"
    r"|(didn't|did not) (catch|get|hear|tell|say|mention)|don't (yet )?(know|have) (your|the|how|which)"
    r"|no problem|no worries|not a problem|no trouble|no bother|can't wait|cannot wait|don't hesitate"
    r"|don't worry|(do not|don't) (wear|be (late|early)|eat|drink|lose|miss)"
    r"|do not hesitate|no need|not only|nothing else|no extra|no doubt|why not|no later|no matter"
    r"|if (that|it|this) (doesn't|isn't|does not|is not)|if not|isn't it|is it not|aren't you|right , no|not to worry"
    r"|don't forget|do not forget|full name|once full|in full|nothing (about|regarding|against)"
    r"|gone (from|down|up)|(nobody|no one) (here )?(will )?minds?|(don't|do not) mind|no objections?)\b"
)
NEEDED_BY_HARMLESS = re.compile("n[o']|never|of charge|without|full|gone")  # so too by DOUBLE_NEGATION
NEGATION = re.compile(
    r"\b(no|nobody|not|nothing|none|never|cannot|can't|couldn't|won't|isn't|aren't|wasn't|don't|doesn't|didn't"
    r"|haven't|hasn't"
    r"|wouldn't|neither|nor|full|taken|gone|unavailable|impossible|closed|occupied|unable|sold out|(booked"
    r"|run) (out|up)"
    r"|out of the question"
    r"|(is|are|'s) out(?! (of|for|in|by|on|to)\b)"
    r"|fully booked|(we're|we are) (all |already )?booked(?! you)|booked solid|forbidden|prohibited|banned"
    r"|against|scrapped|withdrawn|unfortunately|sadly|regret|non|fresh out"
    r"|shut(?! (up|at)\b)"
    r"|(?<!you )(?<!we )(?<!i )(is|are|'s) off(?! (to|from|the|at (?!present|the moment)|for (?!now))\b)|off limits"
    r"|forbids?|prohibits?|bans?|disallows?|disallowed"
    r"|out of order|(stay|stays|remain|wait) (outside|at home)|must stay|(leave|keep) ([a-z']+ ){1,3}at home"
    r"|refuse|without|decline|exceeds?"
    r"|too (big|large|many))\b"
)
SORRY = re.compile(
    r"\b((?<!s are )sorry|afraid|unfortunately|apologies|(?:i|we|must|do|sincerely|to) apologi[sz]e|regret|sadly"
    r"|pity|alas)\b"
)
# A refusal that names no value: "no such train exists", "nothing is left", "the hour can't be had"
NOTHING_LEFT = re.compile(
    r"\b(no such|scrapped|withdrawn|(not|n't) (on|in) (the|our) (schedule|timetable|list|menu|book)|no can do"
    r"|no (luck|chance|go)|not possible|impossible|out of the question|sold out|fully booked"
    r"|(nobody|no one) is (in|here|free|available|working|on duty)"
    r"|(no|not an?|not any|not a single|n't (have|run|offer|see) (an?|any)) ((more|other|free|empty|spare|open) )?"
    r"(trains?|tables?|rooms?|seats?|tickets?|places?|slots?|appointments?|chairs?|space|vacanc\w+|availability"
    r"|openings?)"
    r"|(nothing|none)( \w+)? (left|free|available|open|going|to be had|then|exists|remains)"
    r"|(can't|cannot|can not) be (done|had|booked|arranged|offered))\b"
)
LIMIT = re.compile(r"\b(only|at most|up to|no more than|maximum|max|largest|biggest|limit)\b")
CONFIRM = re.compile(
    r"\b(booked|reserved|confirmed|i confirm|we confirm|confirming|all set|you're set|you are set|set for"
    r"|all done|done|(?<!can )(?<!could )(?<!to )see you"
    r"|(put|got|have|written|noted|pencilled|wrote|marked|jotted|signed|taken|fitted|squeezed) (you|it|that"
    r"|this|them|your party)"
    r"( all)? (down|in|up)|down for|(look|looking) forward|(expect|expecting|await|awaiting) you"
    r"|waiting for you|is yours|'s (all )?yours"
    r"|(there's|there is|there will be|there'll be|you have|you've got) an? .*(in|under) (the|your) name"
    r"|sorted|secured|arranged|scheduled|in the book|i'll book|i will book|we'll book|will be booked"
    r"|i'm booking|is made(?! (of|from|with|up|to)\b)"
    r"|has been made|have made|made (the|your|a) (booking|reservation)|is complete|is fixed|all fixed"
    r"|settled|is held|(kept|keeping|keep|saved|hold|holding|held|set aside|save|saving|blocked)"
    r" (for you|a|an|your|the|it|that)|issued|(ticket|tickets|table|room|seat|seats|appointment|booking"
    r"|reservation) (is|are) (all )?(ready|waiting|in)"
    r"|here (is|are) your|here you (are|go)|consider it|registered|entered|i'll put|i will put|i've put|i have put"
    r"|your booking is|all yours"
    r"|printed|on (our|the|my) list|goes in the book|on file|(is|are|that's|it's) (all )?(in|final|fixed"
    r"|agreed)|fixed|(moved|changed|switched|updated|corrected|shifted|amended|altered|adjusted|reduced|lowered"
    r"|knocked|trimmed|swapped|replaced|rebooked|rescheduled) (it|that|you|your|the|to))\b"
)
UNSURE = re.compile(
    r"\b(if|once|before i|before we|so (that )?i can|to (book|reserve|confirm|complete|finish|finalise"
    r"|finalize)|please confirm"
    r"|can be|could be|shall|should i|would you|as soon as|then i can|i can (book|reserve|confirm|put)"
    r"|let me (check|see|look))\b"
)
# Booked perhaps, or later: "it will be booked tomorrow, maybe", "I think it is reserved", "it could be booked"
BOOKING = r"(book(ed|ing)?|reserved?|confirm(ed)?|arranged|scheduled|settled|registered|entered|hold|held|kept|saved)"
POSSIBLY = (
    r"(maybe|perhaps|possibly|probably|hopefully|presumably|supposedly|likely|(might|may|should|could|can|ought to) be"
    r"|(i|we)( do)? (think|guess|hope|believe|suppose|assume|reckon)|not (quite |so |entirely )?(sure|certain)"
    r"|(i'll|we'll|will|i'd|we'd|going to) try|trying)"
)
LATER = r"(tomorrow|later|sometime|some time|some day|another (day|time)|next week|eventually|at some point|one day)"
DOUBTS = frozenset(  # DOUBTFUL needs one of them
    "maybe perhaps possibly probably hopefully presumably supposedly likely be think guess hope believe suppose assume "
    "reckon sure certain try trying if tomorrow later sometime time day week eventually point".split()
)
DOUBTFUL = re.compile(
    rf"\b{POSSIBLY}( [a-z0-9:']+){{0,12}}? {BOOKING}\b|\b{BOOKING}\b.*\b(maybe|perhaps|possibly|probably|hopefully|i "
    rf"(think|guess|hope|believe|suppose)|if (all goes well|we can|i can))\b|\b(will|i'll|we'll|going to|shall)\b"
    rf"( [a-z']+){{0,2}}? {BOOKING}\b.* {LATER}\b"
)
# Meant of what was agreed, in parting or as a reminder: "See you Saturday", "Thank you, Mr Baker", "Be here at 3"
AGREED = re.compile(
    r"\b((?<!can )(?<!could )see(ing)? you|look(ing)? forward|expect(ing)? you|good ?bye|bye|enjoy|have an? \w+|safe"
    r"|thanks?( you)?(?! (for calling|, this))|take care|(please|do) (come|arrive|be)|(be|get) (here|there)"
    r"|come (on|at)|remember|(don't|do not) (forget|be late|miss)|(we|we'll|i) expect|you (leave|depart|arrive|travel)"
    r"|your (train|table|room|seats?|appointment|haircut|visit|stay|booking|reservation|tickets?)"
    r" (is|are|leaves?|departs?|goes|starts?|begins?|will))\b|^(until|till) "
)
ARRIVING = re.compile(r"\b(early|earlier|(be|get) (here|there|on|at)|arrive|come|before|platform|doors?|minutes)\b")
GOOD_WISH = re.compile(r"\bhave an? (nice|good|great|lovely|pleasant|safe|wonderful|fine)\b")
CORRECTS = re.compile(r"\b(i (mean|meant)|i should (say|have said)|correction|oops|make that|or rather|no , wait)\b")
OFFER = re.compile(
    r"\b(how about|what about|would|could|can|offer|free|available|availability"
    r"|(?<!you )(?<!you'll )(?<!you will )have|has|we've|there"
    r"|there's|instead|alternatively|alternative"
    r"|possible|suggest|left|open|or|only|prefer|suit|suits|works|work|next|earliest|latest|still|either"
    r"|move|choose|fit|leaves|leave|goes|go|runs|run"
    r"|departs|depart|at most|up to|maximum|nearest|closest|else|otherwise|remaining|remain|perhaps|maybe|take)\b"
)
REQUEST = re.compile(
    r"\b(didn't|did not) (catch|get|hear|tell|say|mention)\b|\bdon't (yet )?(know|have) (your|the|how|which)\b|"
    r"\b(please|need|needs|tell me|let me know|missing|may i|could you|can you|would you|give me|just|still"
    r"|send me|wondering"
    r"|like to know|looking for|require|let me have|want to know|want to come|ask|i miss|lack|lacking"
    r"|remains is|remaining|once i (know|have|hear)|(as soon as|when|until|till|after) i (know|hear)"
    r"|(once|as soon as|when) you (tell|give|let)|depends on"
    r"|all i need|leaves|what's left|only the|last thing|remind me|share|same for|like to have)\b|^(and "
    r"|now |then |so )?(your|the|a) "
)
GRANTS = re.compile(
    r"\b(are|is|can|may) (\w+ )?(welcome|allowed|offered|accepted|possible|fine|free|available|used|had|given)\b"
    r"|\b((nobody|no one) (here )?(minds|objects|will mind)|go ahead|feel free|no objections?|by all means)\b"
)
LEAD = r"^((oh|well|hello|hi|ah|hm) |, |\. |! )*"
YES = re.compile(LEAD + r"(yes|yeah|yep)\b")
SOFT_YES = re.compile(LEAD + r"(of course|sure|certainly|absolutely|definitely|by all means|naturally|gladly)\b")
AGREES = re.compile(
    r"\b(you (can|may)|is fine|fine|possible|welcome|allowed|bring|do so|we do|there is|it is"
    r"|that is)\b|^(of course|sure|certainly|absolutely) [.!]$"
)
NO = re.compile(
    LEAD + r"(no|nope)( [,.!;]|$| (sorry|i'm|unfortunately|you|we|that|it|they)\b)"
    r"|\b(afraid not|unfortunately not|sorry , no|sadly not|not allowed|not permitted"
    r"|i'm afraid (we|that) (can't|cannot|isn't|is not|won't)"
    r"|that (isn't|is not|won't be) (possible|allowed|permitted))\b"
)
CLOSING = re.compile(
    r"\b(goodbye|good bye|bye|(?<!can )(?<!could )see you|look forward|looking forward|have a (nice|good"
    r"|great|lovely|pleasant|safe|wonderful|fine)"
    r"|enjoy|take care|until then|you're welcome|you are welcome|till then|safe (trip|travels|journey))\b"
)
GREETING = re.compile(
    r"\b(hello|hi|good (morning|evening|afternoon|day)|welcome (to|at)|thank you for calling|thanks for calling)\b"
)
HELPS = re.compile(
    r"\b(can|may|could) i (help|assist|do for)|anything else|something else|further|how can we help"
    r"|what can (i|we) do for|at your service"
)
DETAILS = re.compile(r"\b(details|particulars|(rest|more) (of the )?information|(the )?rest of)\b")
RIGHT = re.compile(
    r"\b(right|correct|correctly|okay|ok|fine|alright|agreed|confirm|shall i|shall we|should i"
    r"|do you want me to|would you like me to|can i book"
    r"|may i book|is that|does that|that's it|yes|go ahead)\b"
)
SHALL_I_BOOK = re.compile(
    r"\b((shall|should|may|can) (i|we) (book|reserve|confirm|go ahead)|(want|like) (me|us) to (book|reserve|confirm))\b"
)

RULE_WORDS = re.compile(
    r"\b(dogs?|pets|smoking|parking|credit cards?|cards|vegan|bicycles|refunds?|internet|wifi|breakfast"
    r"|lift|elevator|terrace)\b"
)

ASKS: dict[str, re.Pattern[str]] = {
    "day": re.compile(
        r"\b(which|what) (evening|night|morning|afternoon)\b"
        r"|(?<!that )(?<!same )(?<!whole )(?<!of )(?<!of the )(?<!per )(?<!in the )(?<!all )"
        r"(?<!during the )(?<!every )(?<!each )(?<!on the )(?<!on the new )(?<!on your new )"
        r"\b(day|days|date|weekday|dates)\b"
        r"|\b(part|end) of the week\b|(early|late|later) in the week"
    ),
    "time": re.compile(
        r"(?<!this )(?<!next )(?<!first )(?<!every )\b(time|times|hour|what o'clock|(which|what) point in|slot"
        r"|departure)\b"
        r"|how (late|early|soon)|(which|what) (train|one)\b"
        r"|\b(early|earlier|mornings?|lunch|lunchtime|noon|midday|afternoons?)( on)? or (\w+ )?(the )?"
        r"(late|later|afternoons?|evenings?|dinner|night)\b(?! in the week)"
    ),
    "people": re.compile(
        r"how many(?= [^a-z]|$| (people|persons?|guests?|seats?|tickets?|covers?|chairs?|places?|diners?|passengers?"
        r"|travell?ers?|adults?|heads?|folks?|friends?|mouths?|of|will|are|should|shall|do|would|in|may|can|for|at"
        r"|on|is"
        r"|to|am|might|could|we|you|i|and|altogether|please|first|second|standard|single|return|there|exactly|then"
        r"|this|that|have|others?|more|under|with|hungry|souls|bodies|spots|stools|settings|be|ought|must|come"
        r"|coming|so"
        r"|were|was|did|does|travel|sit|eat)\b)|how (big|large)(?! (is|are) (an?|the moon|the sun)\b)|party size"
        r"|size of (the"
        r"|your) (party|group)"
        r"|(number|count) of (the |your )?(people|guests|persons|tickets|seats|diners|passengers|travell?ers|chairs"
        r"|places"
        r"|covers|heads|adults|friends|folks)|(give me|tell me|know|have|need|missing) (the|a|your) (exact "
        r"|total )?number"
        r"(?! of)|(what|which) number (shall|should|do|may|can|will|would)|(large|big|small) (party|group) or"
        r"|are you alone|will you be many"
        r"|(one|two|1|2|you|tickets?|persons?|guests?)( ,)? or more\b"
        r"|head ?- ?count|head ?count|how numerous"
        r"|who else is|(people|guests|seats|tickets|persons) (do you|will you|should|shall)|your (party"
        r"|group)$|with how many"
    ),
    "nights": re.compile(
        r"how many (nights|days)|how long|number of nights|until (when|which day)|length of (the|your)"
        r"|till (when|which day)|duration"
        r"|when (do|will|would|are) you .*(leave|leaving|check out|checking out|depart)|check ?-? ?out"
    ),
    "name": re.compile(
        r"\b(name(?! of the (?!guest|party|booking|person|caller|customer|travell|passenger|patient|client))|names"
        r"|surname"
        r"|whom|(?<=for )who|who(?= [^a-z]|$| (is|are|am|should|shall|may|do|will|would|was|can|could|has|have|to"
        r"|might|must|it)\b)"
        r"|called|whose|who's|(should|shall|may|can|do) (i|we) call you)\b"
        r"|\b(and|,) you (are|'re) \?|^you are \?"
    ),
    "room": re.compile(
        r"(which|what)( (kind|type|sort|size|category))?( of)?( a)? (rooms?|bed)\b|(kind|type|sort"
        r"|category) of rooms?|room (type|kind)|what kind\b|which kind\b|what sort\b|how big a room"
    ),
    "class": re.compile(r"\bclass\b"),
    "destination": re.compile(
        r"\bwhere\b(?! (we|i) )|destination|(which|what) (town|city|place|station|stop)|(travelling"
        r"|traveling|going|heading|ticket) to (which|what|\?)|where to|to where"
    ),
    "service": re.compile(
        r"\b(which|what)( (kind|type|sort))?( of)?( a)? (service|treatment|services|haircut|style)"
        r"|\b(service|treatment)\b|what (would|do|can|should|shall|may|are|is|will) (you|we|i"
        r"|it)\b.*\b(done|do|like|need|want|have|be|having)\b"
        r"|what kind\b|what sort\b"
    ),
}
WHEN = re.compile(r"\bwhen\b(?! (i|you|we) (know|hear|have|tell|let|give)\b)")
# "What time do spoons sleep?" asks nothing of the caller: the one who does something is neither "you" nor a booking
STRANGE = re.compile(
    r"\b(does|do|did|can|could|would|will|should|must) (?!((an?|the|my) )?(guests|tickets|party|booking|table|group"
    r"|seats|trip|journey|reservation|others|visit|name|stay|days|nights|this"
    r"|us|train|trains|friends|children|kids|appointment|room|times|yours|customer|caller|guest|hours|family)\b)"
    r"((an?|the|my) [a-z]+|[a-z]{3,}s) (?!on\b|at\b|for\b|to\b|or\b)[a-z]+"
)
WEAK_ASKS = {
    "room": re.compile(r"\brooms?\b"),
    "nights": re.compile(r"\bnights\b"),
    "people": re.compile(r"\b(people|guests|persons|of you|party)\b"),
}
SHORT_ASKS = {"name", "day", "time", "class", "destination", "date"}

TOPIC_WORDS: dict[str, re.Pattern[str]] = {
    "dogs": re.compile(r"\b(dogs?|pets?|animals?|puppy|puppies|cats?|four - legged)\b"),
    "smoking": re.compile(r"\b(smok\w*|cigarettes?|non - smoking|pipe)\b"),
    "children": re.compile(r"\b(child|children|kids?|baby|babies|son|daughter|little ones?|toddlers?|infants?)\b"),
    "parking": re.compile(r"\b(park|parking|parked|car|cars)\b"),
    "cards": re.compile(r"\b(cards?|cash|credit)\b"),
    "garden": re.compile(r"\b(garden|outside|outdoors?|terrace)\b"),
    "vegan": re.compile(r"\b(vegan|vegans|plant - based)\b"),
    "bicycles": re.compile(r"\b(bicycles?|bikes?|cycles?|scooters?)\b"),
    "refunds": re.compile(
        r"\b(refund\w*|cancel\w*|money back|exchange[sd]?|return(ed)? (your |the )?tickets?|tickets? back"
        r"|pay you back)\b"
    ),
    "internet": re.compile(r"\b(internet|wifi|wi - fi|wireless|online|wlan)\b"),
    "lift": re.compile(r"\b(lift|elevator|wheelchairs?|stairs)\b"),
    "breakfast": re.compile(r"\bbreakfast\b"),
    "first": re.compile(r"\bfirst (- )?class\b"),
}


HEDGE = re.compile(r"\b(unfortunately|sadly|regret)\b")  # sorry words that deny nothing by themselves
ASKING = re.compile(r"\b(which|what|how|when|who|where|whom|whose|what's|who's)\b")
FIRM_REQUEST = re.compile(
    r"\b((once|as soon as|when|until|till|after) i (know|hear)|once i have|need|tell me|give me|may i|let me|missing"
    r"|(just|only) (your|the|a) \w+ , please)\b"
)
SPEAKER = re.compile(r"\b(we|i|there|that)\b")


RUDE = re.compile(
    r"\b("
    r"you people|why (can't|couldn't|didn't) you"
    r"|you should have (looked|told|said|thought|read|called|known|asked|come|been|checked|listened|booked)"
    r"|wast\w+ (of )?(my|our) time|i hate (you|this|callers|people|it)|how many times"
    r"|just \w+ (it|that) yourself|your own fault|(not|isn't) my (problem|fault|job)|your problem|shut up"
    r"|stupid|idiots?|dumb|ridiculous|annoying|hurry up|make up your mind|i (don't|do not) care|who cares"
    r"|get lost|go away|take it or leave it|told you (already|before)|already told you|pay attention"
    r"|can't you (read|hear|see)|deaf|get on with it|for (god's|heaven's|goodness) sake|pathetic"
    r"|what's wrong with you|sick of|bothering (me|us)|you again|listen to me|tough luck|deal with it"
    r"|people like you|you lot|(?<!sorry for )(a|what) nuisance|cheapskates?|misers?|morons?|fools"
    r"|foolish (question|idea|man|woman|people)|clueless|hopeless|brainless|imbeciles?"
    r"|(lose|losing|losing all|out of) (my|our) patience|took you long enough"
    r"|wast\w+ (my|our) (evening|morning|afternoon|day|breath|energy)"
    r"|(next time|and) (be quick|say everything)|be quick about it"
    r"|(haven't|have not|don't have) (got )?all day|use your (head|brain|eyes|ears)"
    r"|are you (blind|slow|listening|serious|kidding)|(not|n't) you listening"
    r"|(how|so) hard (can|is) (it|that)|spit it out|nobody cares|no one cares|couldn't care less"
    r"|don't care|some of us (have|work)|lazy|greedy"
    r"|(stop|quit) (bothering|wasting|pestering|whining|complaining)|bother (somebody|someone|anyone) else"
    r"|leave (me|us) alone|oh great|not you|here we go"
    r"|(silly|dumb|daft|strange|pointless) (question|idea|wish|request)|learn to|never (listen|read)"
    r"|what now|typical|beggars|spare me|don't push (me|it|your luck)|grow up|mind your (own|manners)"
    r"|if you (must|really must|can even|could even|can manage)|can you even|do you even|for once"
    r"|is it that hard|big deal|cry about it|fussy|a pain|honestly , (what|how|who)"
    r"|what a (pain|bother|pest|mess you)"
    r")\b"
    r"|(^|[.!?] )((whatever|duh|so what|ugh) [.,!?]|(well , )?finally [.!])"
)


@lru_cache(maxsize=16384)
def is_rude(text: str) -> bool:
    """Whether a reply insults, scolds or shrugs off the caller."""
    words = re.findall(r"[\w'’]+|[.,!?]", text[:3000].lower().replace("’", "'"))
    return bool(RUDE.search(" ".join(words)))


class ClauseCues(NamedTuple):
    negated: bool  # by a word that really denies
    hedged: bool  # only by "unfortunately" and its like
    sorry: bool
    limited: bool
    books: bool
    unsure: bool
    doubtful: bool  # booked perhaps, or later
    offers: bool
    speaker: bool
    nothing: bool  # refuses without naming a value


def is_agreed(clause: str) -> bool:
    """Whether a clause speaks of what was agreed, and holds out no choice."""
    return " or " not in clause and AGREED.search(clause) is not None


@lru_cache(maxsize=16384)
def find_clause_cues(clause: str) -> ClauseCues:
    text, doubled = clause.strip(), 0
    if NEEDED_BY_HARMLESS.search(text):
        text, doubled = DOUBLE_NEGATION.subn("free", HARMLESS.sub("", clause).strip())
    books = bool(CONFIRM.search(text))
    negation = NEGATION.search(text)
    negated = bool(negation) and bool(NEGATION.search(HEDGE.sub("", text)))
    return ClauseCues(
        negated=negated,
        hedged=bool(negation) and not negated,
        sorry=bool(SORRY.search(text)),
        limited=bool(LIMIT.search(text)),
        books=books,
        unsure=bool(UNSURE.search(text)),
        doubtful=books and not DOUBTS.isdisjoint(text.split()) and bool(DOUBTFUL.search(text)),
        offers=bool(doubled) or bool(OFFER.search(GOOD_WISH.sub("", text) if "have a" in text else text)),
        speaker=bool(SPEAKER.search(text)),
        nothing=bool(NOTHING_LEFT.search(text)),
    )


class SentenceCues(NamedTuple):
    closing: bool
    greeting: bool
    helps: bool
    right: bool
    requests: bool  # asks for something without a question mark
    asking: bool  # has a question word
    yes: bool
    no: bool
    rules: tuple[str, ...]  # topics that could be an invented rule


def find_sentence_cues(whole: str) -> SentenceCues:
    rules: tuple[str, ...] = ()
    if RULE_WORDS.search(whole):
        outside = ("garden", "children", "first")
        rules = tuple(t for t, pattern in TOPIC_WORDS.items() if t not in outside and pattern.search(whole))
    return SentenceCues(
        closing=bool(CLOSING.search(whole)),
        greeting=bool(GREETING.search(whole)),
        helps=bool(HELPS.search(whole)),
        right=bool(RIGHT.search(whole)),
        requests=bool(REQUEST.search(whole)) and not (CONFIRM.search(whole) and not FIRM_REQUEST.search(whole)),
        asking=bool(ASKING.search(whole)),
        yes=bool(YES.search(whole)) or bool(SOFT_YES.search(whole) and AGREES.search(whole)),
        no=bool(NO.search(whole)),
        rules=rules,
    )
