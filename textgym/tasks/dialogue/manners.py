"""Is a reply rude, and does it hang up? Said of the words alone, whatever was booked.

Rudeness has few shapes and many words: names called, the caller belittled, scolded, hurried, mocked,
shrugged off or cursed at. Each shape has its list. What a polite clerk says of itself ("silly me",
"thank you for your patience", "I hate to disappoint you") is taken out first.
"""

from __future__ import annotations

import re
from functools import lru_cache

SELF_BLAME = re.compile(  # of oneself, or in kindness
    r"\b(silly|stupid|foolish|clumsy|dumb|slow|careless) (me|of (me|us)|mistake|error|slip)\b|\b(my|our) (own )?"
    r"(silly|stupid|foolish|dumb|slow|fault|mistake)( \w+)?"
    r"|\bi hate (to|that i|having to|disappointing)\b|\b(i|we) (must have been|was|were|am|are) (so |too |a bit |very )?"
    r"(slow|stupid|silly|rude|careless|deaf|blind|late|useless|hopeless)\b"
    r"|\bi know (that is|that's|it's|it is|this is) (annoying|tiresome)\b|\bsorry (for|about) [^.!?]*"
    r"|\b(apologies|apologi[sz]e) [^.!?]*|\bdon't (worry|hesitate|mention it)[^.!?]*|\bno (bother|nuisance|hassle) at all\b"
    r"|\b(thank you|thanks) for (your )?(patience|asking|calling|waiting|ringing|telling)\b"
)
PERSON = r"(people|folks?|guests?|callers?|customers?|clients|someone|somebody|anyone|patients|travellers|passengers)"
INSULTS = (
    r"(idiot|moron|fool|cheapskate|imbecile|nitwit|dimwit|halfwit|dummy|blockhead|numbskull|dunce|freeloader|scrounger"
    r"|skinflint|tightwad|penny ?- ?pincher|miser|loser|jerk|clown|cretin|twit|buffoon|simpleton|ignoramus|lout|oaf"
    r"|brat|peasant|slob|bore|whiner|moaner|time ?- ?waster|crybab(?:y|ie)|windbag|airhead|pest|parasite|weirdo)e?s?",
    r"stupid|dumb|daft|clueless|brainless|witless|pathetic|ridiculous|laughable|tiresome|tedious|annoying|irritating"
    r"|insufferable|unbearable|hopeless|useless(?! to)|ignorant|disgusting|revolting|nonsense|riff ?- ?raff|rabble"
    r"|dim ?- ?witted|slow ?- ?witted|thick ?- ?headed|lazybones|sloppy|good ?- ?for ?- ?nothing",
    PERSON + r" (like|such as) (you|yours|them|that|these|those)\b|the likes of you|your (sort|kind|type|lot|ilk)\b"
    r"(?! of (room|table|ticket|haircut|service|train))|you (people|lot)\b|one of (those|them|these) (?:\w+ )?"
    + PERSON
    + r"|one of those\b(?! (days|times|rooms|trains|tables|two|three|suits?|suit|fit|work|will|would|is|for|on|at|and|slots))",
    r"(you're|you are|you were|you must be|aren't you|are you|you sound|you seem|how) (?:always |really |so |too |very "
    r"|just |a bit |rather |quite |being |such |terribly |awfully |clearly |obviously |not very |not too |simply )*"
    r"(?:an? )?(?:\w+ )?(slow|thick|dense|lazy|rude|blind|deaf|drunk|mad|crazy|nuts|fussy|picky|greedy|cheap|mean|silly"
    r"|spoil(?:ed|t)|demanding|difficult|hard work|pain|nuisance|bother|joke|disgrace|bright|clever one|genius|confused"
    r"|hard of hearing|stingy|childish|impossible|bothersome|a handful|forgetful|scatterbrained|incapable|unable to"
    r"|boring|pushy|impatient|cheeky|worse|mess|waste)\b",
    r"(what|such|quite|only) an? (?:\w+ )?(nuisance|pain|bore|bother|drag|hassle|idea|pest|mess|joke|cheek|nerve|waste|fuss"
    r"|moaner|silly|stupid|dumb|circus|headache|chore)\b(?! (we|that) (can|could))|pain in the|(some|the) (cheek|nerve)\b"
    r"|you('ve| have) (got )?(a |some )?(nerve|cheek)|(silly|foolish|idiotic|childish|moronic|absurd) (question|idea|people|"
    r"request|wish|man|woman|thing|fuss|name|of you)|(odd|funny|silly|ugly|awful|terrible|horrible) (little )?name",
)
HURRY = (
    r"hurry( up)?\b(?! (on|for) (our|my))|make up your mind|get on with it|get to the point|get a move on|make it (snappy|quick"
    r"|fast)|out with it|spit it out|chop chop|step on it|look sharp|look lively|move it|speed it up|keep it short"
    r"|(?:^|[.,!?;-] |and |so |just |now |then )(be|make it) (quick|brief|fast|snappy)|quick(ly)? (about it|now)\b"
    r"|(haven't|have not|don't have|hasn't|ain't) (got )?(all|the whole) (day|night|evening|morning|week|afternoon)"
    r"|(lose|losing|lost|run out of|running out of|end of|tries|try|trying|testing|test) (my|our|all) (\w+ )?patience"
    r"|patience (is|has) (running|run|wearing|worn|limits|its limits|gone)|took you (long|ages|forever|a while|your time)"
    r"|(about|high) time (you|too)|took (you )?long enough|(^|[.!?] )(finally|at last|come on|quick|quickly|faster|next)"
    r" (! |[.] (?:took|so|now|what|and you))|(come|go) on ,? (then )?(spit|say|tell|out|speak|hurry)|stop (dithering|wasting"
    r"|dawdling|messing|mumbling|rambling|moaning|whining|complaining|asking|pestering|bothering|calling|talking|babbling"
    r"|changing|fussing|interrupting)|(dithering|dawdling|waffling|waffle|blathering|babbling|mumbling|whining|moaning)"
    r"|wast\w+ (of )?(my|our|everyone's|everybody's|any more of my|so much of my|more of our|more)\b|waste of (time|breath|space)"
    r"|some of us (have|are|work)|(got|have) better things|(busy|other|real|important|more important|proper|paying|better) "
    r"(?:people|guests|customers|callers|things|work|clients|patients) (to (?:see|do|serve|look|attend|worry)|waiting|than)"
    r"|for the (last|umpteenth|hundredth|tenth|thousandth|second|third|fourth|fifth|nth) time\b(?! (this|in|today))"
    r"|once and for all|how (long|much longer) (do|must|will|is|are) (i|you|we|this) (have to |going to |gonna )?(wait|take|keep|need)"
)
SCOLDS = (
    r"you (should|could|might|ought to|must)(n't)? ?have (looked|told|said|thought|read|called|known|asked|come|been|checked"
    r"|listened|booked|mentioned|decided|planned|phoned|rung|written|tried|picked|made|saved|had|given|paid)"
    r"|(why|how come) (can't|couldn't|didn't|don't|won't|haven't|must|do|are|is it) (you|that you|always)\b(?! (try|take|come|have a|go for|join))"
    r"|how many times|how often (do|must|should)|(told|said|asked) you (already|before|once|twice|that|this|so)"
    r"|(i|we)('ve| have)? (already|just) (told|said|asked|explained|answered)( you| that| this)?\b|as i (already |just )?(said|told)"
    r"|(next|this|another) time (?:,? ?(?:please )?)(say|think|tell|read|ask|call|listen|decide|make|try|look|use|speak|know|bring|learn"
    r"|get|have|remember|do|you|don't|just|be)\b|(pay|paying) attention|(can|could|can't|couldn't|cannot|don't|do|didn't|did|aren't|are) you"
    r" (even |ever |never |not |really |at all |actually |just )?(read(?! out)|hear (me|us|yourself|what)|see that|count|spell|listen(ing)?"
    r"|think|remember (any|what)|decide|make up|know (anything|what you)|understand|speak (english|properly|clearly|up)|behave|afford"
    r"|manage (that|to))\b|do i (look|have to|need to|really)|what do you (think (this|we|i)|expect|want now|take (us|me))|what (did|were) you (expect|think)\w*"
    r"|(if you|when you) (can|could|would|had|ever|finally|manage|managed|bothered|must|really must|insist|knew|were able)"
    r"( (even|ever|only|really|to|actually))? ?(read|count|listen(ed)?|afford|be bothered|decide|make up|think|manage|know|remember|spell|keep"
    r"|insist|stop|learn|pay|looked|paid|get it|you must|, fine)\b|if you (really )?must\b|if you insist|(read|use|open|clean|wash) (the sign|your (head"
    r"|brain|brains|eyes|ears|common sense|loaf))|(learn|try) to (read|count|listen|think|speak|spell|behave|plan|decide|remember|be on time"
    r"|make up)|(speak|spell|say|ask|answer|do) (\w+ ){0,4}(properly|clearly for once|sensibly|like a grown)|speak up\b|stop mumbling|do (your"
    r" homework|you even|you ever|it right)|think (first|before|twice|harder|next time)|(i'm|i am|we're|we are) not (your|a) (servant|slave|maid|mother"
    r"|mum|nanny|secretary|babysitter|charity|zoo|mind ?- ?reader|calendar|kindergarten|nursery|bank|butler|search engine|assistant|doormat)"
    r"|for once\b|(is|was) that (so|too) (hard|difficult|much to)|how (hard|difficult) (can|could|is|was) (it|that|this)|(that|too) much to ask"
    r"|(isn't|not|wasn't) (that|so|too|exactly)? ?(hard|difficult|rocket)\b(?! to find| to reach)|rocket science|(even|any|every) (?:a |an )?(child|fool|idiot|toddler"
    r"|monkey|dog|baby|five - year - old) (can|could|knows|would|understands)|how dare|don't you dare|(you'd|you had|you) better (not|be|show|come|pay"
    r"|hurry|make|bring|behave|turn|know|remember|write)\b|behave yourself|mind your (manners|tone|language|own)|none of your|(your|the) own (fault|problem|stupid\w*)"
    r"|(is|was|are) (that|this|it|we|you) (clear|understood|deaf)( enough)?\b(?! to)|(got|understand|understood) (it|that|me)? ?(now|this time|yet)? ?\? ?!|don't be (late|rude|silly"
    r"|difficult|stupid|a|so)\b,? (?:again|people|as|like|this time|for once|or)|be on time for|don't (even )?(expect|you|keep me|keep us|call|bother|waste|come crying|argue"
    r"|complain|blame|ask me|make me|start|play|try to be|you know)\b(?! (to be|a reply|an answer|any (delay|trouble|noise))| us for| ahead)|(always|never) (late|listening|listen|ready|sure|know|the same with|something with)"
    r"|again \? ?!|again with|not (again|you|another|this again)\b [.!?]|changing your mind (again|all|every)|change your mind (again|every|all|one more|yet)"
    r"|you (keep|always|never|can't even|couldn't even|don't even|forgot|clearly|obviously|still haven't|won't even) (?:to )?(call|chang|mak|ask|forget|say|get|listen|read|think|decid|want|know|mumbl|talk|complain|have no|need|did|didn't|can|are|learn|understand|tell|told)\w*"
)
SHRUGS = (
    r"(i|we|nobody|no one) (really |honestly |frankly )?(don't|do not|doesn't|does not|couldn't|could not|cares?|gives?) (really |honestly )?(care|give (a|two))( less)?"
    r"|who (cares|asked|do you think)|nobody (cares|asked|likes|wants|needs)|no one (cares|asked|likes)|(not|isn't|is not|hardly) (my|our) (problem|fault|job|concern|business|worry)"
    r"|(your|that's your|sounds like your) (problem|bad luck|tough luck|loss|funeral)|take it or leave it|like it or (lump|not|leave)|tough (luck|for you|[.!])|hard (luck|cheese)"
    r"|deal with it|live with it|get over it|suit yourself|too bad (for you|then|[.!])|(^|[.!?,] )(whatever|duh|so what|and so|big deal|blah) [.,!?]"
    r"|(?:go|try|eat|sleep|ask|look|call|bother|find|phone|annoy) (?:\w+ )?(elsewhere|somewhere else|someone else|somebody else)\b(?=[^?]*[.!]).{0,12}[!]"
    r"|(then )?(go|eat|sleep|stay) (somewhere else|elsewhere|at home then|under a bridge|in your car)|get (lost|stuffed|out|a life|a grip|real)|go away|beat it|buzz off|clear off|bugger"
    r"|push off|leave (me|us) (alone|in peace)|shut (up|it|your)|be quiet|(^|[.!?] )silence|zip it|hush|bother(ing|ed)? (me|us|to ask|someone)|why bother|can't be bothered|don't bother"
    r"|(not|hardly) in the mood|just \w+ (it|that) yourself|do it yourself|work it out yourself|figure it out|find out (for )?yourself|see for yourself|(look|read) it (up )?yourself"
    r"|(count|consider) yourself(ves)? (lucky|fortunate)|(be|you should be|you ought to be) (grateful|glad|thankful|happy (we|with|that))|you're lucky|lucky (for )?you\b|beggars"
    r"|cry (me|about|baby)|boo hoo|poor (thing|you|baby|dear|little)|(was|were) you (born|raised|brought up)|your (highness|majesty|lordship|ladyship|royal)|genius|einstein|sherlock|princess"
    r"|congratulations (,|you|on (finally|managing))|bravo|well done for|(^|[.!?] )(oh )?(great|wonderful|brilliant|fantastic|lovely|marvellous|super) , (another|more|you|just what|one more|again|now you)"
    r"|just what (i|we) needed|(another|yet another) (one|genius|\w+ caller|idiot|customer|of those)\b(?! (at|on|for|is|leaves|to))|you again|what (now|is it (now|this time)|do you want( now)?)\b (again )?[!?]"
    r"|(?:^|[.!?] )(ugh|argh|pff+t?|tsk|meh|yawn|sigh|typical|figures|obviously|oh please|good grief|good lord|my god|oh god|jesus|christ|heavens|seriously|really now|honestly) [.,!?]"
    r"|for (god's|heaven's|goodness'?|pity's|christ's|crying out|the love of)( sake)?|good grief|god help|(sick|sick and tired|fed up|tired|had enough) (of|with) (you|people|your|this|these|it|all|calls|callers|hearing|repeating)"
    r"|(drive|drives|driving) (me|us) (mad|crazy|nuts|up)|(get|gets|getting) on (my|our) nerves|i hate|(damn|damned|bloody|hell|crap|bullshit|fuck\w*|shit\w*|arse|ass|bastard\w*|wretched|blasted|sodding|bugger\w*)"
    r"|listen (to me|here|up|carefully|for once)|now (you )?listen|(no|without) (fuss|whining|nonsense|excuses|moaning|complaints|arguing|arguments|drama) (this time|now|please|, |[.!])|spare (me|us)|save (your|me the|us the) (breath|story|stories|life|sob|tears|details)"
    r"|(nobody|no one|who) (needs|wants) (to hear|to know|your)|your (life story|sob story|little|precious|stupid|silly|filthy|dirty|smelly|mangy|ugly|noisy|screaming|rotten|so ?- ?called|whims|drama|dithering|nonsense|attitude|endless|stinking|flea)"
    r"|(smell\w*|stink\w*|filthy|mangy|mutts?|flea\w*|vermin|brats)\b|(hardly|barely|scarcely|never) (pays?|tips?|buys?|worth|spend)|can't afford|(too|how) (cheap|mean|poor|stingy) to|(pay|tip|spend) (properly|more than|like)|(if|since) you('re| are) (too|so) "
    r"(?:\w+ )(to|for)|(grown|big) (man|woman|boy|girl|adult)s? (can|could|should)|and (don't|no) (whine|moan|complain\w*|argu\w*|fuss)|(i'd|we'd|i would) rather (you didn't|not serve|not have you|serve anyone)|rather (?:\w+ )?without you"
    r"|small talk|chit ?- ?chat|(want|need) (a|some) (medal|applause)|try (being|to be) (less|more|a bit|nice|on time)|grow up|calm down|relax ,|watch (it|your)|(back|end) of the queue|not (born|here) to serve|(i'm|i am) (bored|not impressed|tired of)|bores? me|yawn"
)


def compile_any(*parts: str) -> re.Pattern[str]:
    return re.compile(r"(?:(?<![\w'])(?:" + "|".join(parts) + r")(?![\w']))")


RUDE = compile_any(*INSULTS, HURRY, SCOLDS, SHRUGS)
GOODBYE = re.compile(
    r"\b(good ?bye|bye|farewell|so long|cheerio|take care|have (a|an) \w+( \w+)? ?(day|evening|time|trip|journey|night|week|weekend"
    r"|morning|afternoon|stay|one|meal)|safe (trip|travels|journey)|until then|till then|see you|speak soon|talk soon"
    r"|(call|ring|phone|try|come)( us| me)? (back|again|later|tomorrow|another)|another time|get back to you|that's all|that is all"
    r"|that will be all|that would be all|thanks? (you )?for (calling|ringing|your (call|interest))|goodnight|good night|all the best)\b"
)


@lru_cache(maxsize=16384)
def is_rude(text: str) -> bool:
    """Whether a reply insults, scolds, hurries, mocks or shrugs off the caller."""
    return bool(RUDE.search(SELF_BLAME.sub("", fold(text))))


@lru_cache(maxsize=16384)
def is_goodbye(text: str) -> bool:
    """Whether a reply takes its leave or puts the caller off."""
    return bool(GOODBYE.search(fold(text)))


def fold(text: str) -> str:
    """Lower-case words and marks joined by blanks."""
    return " ".join(re.findall(r"[^\W_]+(?:'[^\W_]+)*|[.,!?;-]", text[:3000].lower().replace("’", "'").replace("—", "-")))
