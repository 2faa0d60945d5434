# ruff: noqa: E501 (a line of grammar or of words stays a line)
"""Kinds of news about people: prize, match, donation, accident, break-in, cancelled evening.

Written like `kinds_town`: plain wordings first, those too formal for a child marked with `~`.
"""

from __future__ import annotations

from textgym.tasks.summarize.event import Kind, cause, kind, outcome

PEOPLE_KINDS: tuple[Kind, ...] = (
    kind(
        "prize",
        things={
            "poetry prize": "poet* poem* verse",
            "baking contest": "bak*",
            "science prize": "scien* research",
            "garden contest": "garden*",
            "photo contest": "photo* picture*",
            "chess cup": "chess",
            "cooking contest": "cook*",
            "singing contest": "sing* song*",
        },
        verbs="won win wins winning winner victory victories victorious award* got_first took_first first_prize first_place honour* honor* triumph* came_first champion* clinch* scoop* crown* claimed",
        opposite="lost lose* came_last miss* second_place",
        heads="""
        {S} won {a}
        {S} was the winner of {a}
        """,
        amounts=(150, 9000, 50),
        adjuncts="""
        with {n} euros in prize money
        worth {n} euros
        """,
        sentences="""
        [It comes with|It is worth|With it come|The prize money is] {n} euros[|, paid by a bank|, paid by the state].
        {last} [gets|takes home] {n} euros[| and a bunch of flowers| and a cup].
        The [winner's cheque|cheque|winner's envelope] [is for|shows|holds] {n} euros.
        """,
        echoes="""
        In {town2}, [something similar|such an honour] [brought|was worth] {n2} euros[| and a book].
        The [evening|hall|whole event] [cost|swallowed] {n2} euros[| in all].
        """,
        reasons=(
            cause(
                "fresh",
                "fresh ideas|original ideas",
                "the jury liked the fresh ideas|the ideas were new|~the jury commended remarkable originality",
                "fresh ideas original* new_idea* creativ* novel idea",
            ),
            cause(
                "practice",
                "years of practice",
                "{he} had practised for years|{he} practised every day|~{he} had trained with extraordinary discipline",
                "practi* train* disciplin* years_of every_day",
            ),
            cause(
                "simple",
                "a clear and simple style",
                "the jury liked the simple style|the style was clear and simple|~the jury appreciated uncomplicated elegance",
                "simpl* clear* uncomplicat* plain",
            ),
            cause(
                "children",
                "the work with children",
                "{he} had let children help|children had been part of it|~{he} had involved disadvantaged children",
                "child* kids",
            ),
            cause(
                "courage",
                "courage",
                "the jury liked {his} courage|{he} dared something risky|~the jury was impressed by exceptional courage",
                "courag* dare* daring dared risk* brave* bold*",
            ),
        ),
        results=(
            outcome(
                "final",
                "{he} goes on to the national final|the national final comes next|~{he} qualifies for the national final",
                "final* national nationals",
            ),
            outcome(
                "gift",
                "the money goes to a charity|{he} is giving the money to charity|~the sum will benefit a charitable foundation",
                "charit* giving gives give_away donat* foundation",
            ),
            outcome(
                "offer",
                "a big firm offered {him} a job|{he} was offered a job|~a company proposed a permanent position",
                "job offer* position hire* firm",
            ),
            outcome(
                "hall",
                "the town hall will show the prize|the prize can be seen in the town hall|~the prize will be exhibited in the town hall",
                "town_hall hall exhibit* shown show display*",
            ),
            outcome(
                "doubt",
                "a rival wants the vote checked|a rival has asked for a recount|~a competitor has challenged the decision",
                "rival* recount challeng* competitor* checked dispute* contest_the protest* appeal* object* recheck*",
            ),
        ),
    ),
    kind(
        "match",
        anonymous="the captain",
        things={
            "handball team": "handball",
            "football team": "football soccer",
            "hockey team": "hockey",
            "volleyball team": "volleyball",
            "rugby team": "rugby",
            "tennis team": "tennis",
            "basketball team": "basketball",
            "water polo team": "polo water_polo",
        },
        verbs="win wins won winning victory victories victorious beat beats triumph* success* defeated overcame overcome edged beaten",
        opposite="lost lose loses loss defeat draw drew",
        heads="""
        {S} led {the} to a win
        {S} captained {the} to victory
        {S} and {the} won their match
        """,
        amounts=(90, 6000, 10),
        adjuncts="""
        before {n} fans
        in front of {n} people
        """,
        sentences="""
        [About|Some|In all,|That day,] {n} [fans|people] [watched|had come|filled the stands].
        The [hall|ground] [held|saw|counted] {n} [fans|people][|, a record|, more than usual].
        {n} [fans|people] [cheered|sang|stood up] [to the end|at the whistle|for minutes].
        """,
        echoes="""
        [The cup game|A friendly match] in {town2} [drew|had drawn] {n2} [fans|people].
        The [new stand|old hall] [seats|holds] {n2} people[|, says {name2}].
        """,
        reasons=(
            cause(
                "defence",
                "a strong defence",
                "the defence was strong|hardly a ball got past the defence|~the defensive performance was exceptional",
                "defen*",
            ),
            cause(
                "keeper",
                "the rivals' missing keeper",
                "the rivals had no keeper|the other keeper was hurt|~the opposing goalkeeper was unavailable",
                "keeper* goalkeeper* goalie",
            ),
            cause(
                "tactics",
                "a new plan at half-time|new tactics",
                "they changed the plan at half-time|they changed tactics|~they had revised the strategy",
                "tactic* plan half-time halftime strateg* coach_changed change",
            ),
            cause(
                "tired",
                "tired rivals",
                "the rivals were tired|the others were tired from the day before|~the opponents were physically exhausted",
                "tired exhaust* fatigue* played_the_day weary",
            ),
            cause(
                "fitness",
                "hard training all summer",
                "they had trained hard all summer|they could simply run longer|~their physical preparation was superior",
                "train* fit fitter fitness run_longer preparation summer",
            ),
        ),
        results=(
            outcome(
                "top",
                "the club is now top of the table|they are now in first place|~the club now occupies the leading position",
                "top first lead* table",
            ),
            outcome(
                "cup",
                "they are in the cup final|the cup final is next|~they have qualified for the cup final",
                "cup final",
            ),
            outcome(
                "up",
                "the club goes up a league|they move up a league|~the club achieves promotion",
                "league promot* go_up goes_up going_up move_up moves_up",
            ),
            outcome(
                "coach",
                "the other coach left the same night|the rivals need a new coach|~the opposing coach resigned immediately",
                "coach resign* quit manager trainer",
            ),
            outcome(
                "party",
                "the fans danced until morning|there was a party until morning|~the supporters celebrated until morning",
                "danc* party part* celebrat* morning",
            ),
        ),
    ),
    kind(
        "donation",
        anonymous="a donor",
        things={
            "hospital": "hospital* clinic",
            "animal shelter": "animal* shelter",
            "fire brigade": "fire_brigade firem* firefighter* brigade fire_service fire_department",
            "school library": "library libraries",
            "choir": "choir* singers",
            "food bank": "food_bank food foodbank",
            "sports club": "sport* club",
            "old theatre": "theatre theater",
        },
        verbs="donat* gave give* giving gift* contribut* grant present* handed pledge*",
        opposite="stole* took borrow* refus* sued lost",
        heads="""
        {S} gave money to {the}
        {S} made a gift to {the}
        {S} donated money to {the}
        """,
        amounts=(500, 60000, 100),
        adjuncts="""
        , {n} euros in all
        , a sum of {n} euros
        """,
        sentences="""
        The [gift|sum|cheque] [comes to|is for|amounts to] {n} euros[|, paid at once].
        {last} [handed over|brought] {n} euros[| in an envelope| in cash].
        It is {n} euros, [no more and no less|and no strings attached|a record for the place].
        """,
        echoes="""
        [A raffle|A bake sale|A club] in {town2} [raised|had raised] {n2} euros.
        {name2} had [promised|collected|lent them] {n2} euros[| the year before| in spring].
        """,
        reasons=(
            cause(
                "thanks",
                "a wish to say thanks for help",
                "{he} was thankful for help in a bad year|they had helped {him} in a bad year|~{he} wished to express gratitude for past support",
                "thank* grat* helped_him helped_her helped support* appreciat*",
            ),
            cause(
                "lottery",
                "a win in the lottery",
                "{he} had won the lottery|{he} had been lucky in the lottery|~{he} had obtained a fortune in the lottery",
                "lotter* lotto jackpot",
            ),
            cause(
                "memory",
                "a wish to remember a dead friend",
                "{he} wanted to remember a dead friend|a close friend had died|~{he} commemorates a deceased friend",
                "memor* dead died death remember* friend friend's commemorat* deceased",
            ),
            cause(
                "state",
                "cuts by the state",
                "the state pays less now|the state had cut its share|~public subsidies had been reduced",
                "state cut cuts government* subsid* public",
            ),
            cause(
                "firm",
                "the sale of {his} firm",
                "{he} had sold {his} firm|{he} has no firm to run any more|~{he} had disposed of {his} company",
                "firm company business sold sale",
            ),
        ),
        results=(
            outcome(
                "van",
                "a new van can be bought|there will be a new van|~a vehicle can be acquired",
                "van vehicle*",
            ),
            outcome(
                "room",
                "a room will bear {his} name|a room is named after {him}|~a room will be dedicated to {him}",
                "room name named dedicat*",
            ),
            outcome(
                "others",
                "others have started to give too|more people now want to give|~further contributions have been announced",
                "others too more_people further follow* more_donat* also",
            ),
            outcome(
                "roof",
                "the roof can be mended|the leaking roof will be mended|~the roof can be refurbished",
                "roof",
            ),
            outcome(
                "hours",
                "the office there can stay open in the evening|the office there will open for longer|~the office hours there can be extended",
                "open opening longer evening* hours",
            ),
        ),
    ),
    kind(
        "accident",
        anonymous="a driver",
        things={
            "van": "van",
            "tractor": "tractor*",
            "bus": "bus buses",
            "lorry": "lorr* truck*",
            "motorbike": "motorbike* motorcycle* bike",
            "taxi": "taxi* cab",
            "milk float": "milk",
            "camper": "camper* motorhome caravan",
        },
        verbs="crash* accident* collid* collision hit hits wreck* drove wall ran_into smash* overturn* lost_control went_off skid* slid slammed rammed ploughed veer* bump* driven",
        opposite="avoid* repair*",
        heads="""
        {S} crashed {a}
        {S} had an accident with {a}
        {S} drove {a} into a wall
        """,
        amounts=(600, 40000, 100),
        adjuncts="""
        , causing {n} euros of damage
        , with damage of {n} euros
        """,
        sentences="""
        [The damage|The repair|The bill for it all] [comes to|is put at|is] {n} euros.
        Police [put the damage at|speak of a loss of|wrote down] {n} euros.
        [Mending it|The repair] will [cost|take] {n} euros[|, if it can be done at all].
        """,
        echoes="""
        [A crash|A skid] in {town2} had [cost|caused damage of] {n2} euros[| the week before].
        The [wall|fence|bridge] there had been [rebuilt|put up] for {n2} euros[| in spring].
        """,
        reasons=(
            cause(
                "ice",
                "ice on the road|black ice",
                "the road was icy|there was ice on the road|~the surface was treacherously icy",
                "ice icy frozen slippery frost*",
            ),
            cause(
                "deer",
                "a deer on the road",
                "a deer ran across the road|a deer jumped out|~a deer unexpectedly crossed the carriageway",
                "deer animal",
            ),
            cause(
                "tyre",
                "a burst tyre",
                "a tyre burst|a tyre lost its air|~a tyre had disintegrated",
                "tyre* tire tires blowout",
            ),
            cause(
                "phone",
                "a look at the phone",
                "{he} was looking at the phone|{he} was typing on the phone|~{he} was distracted by a telephone",
                "phone* telephone* texting typing distract* mobile",
            ),
            cause(
                "brakes",
                "bad brakes",
                "the brakes failed|the brakes did not work|~the braking system malfunctioned",
                "brake* braking",
            ),
        ),
        results=(
            outcome(
                "unhurt",
                "nobody was hurt|no one was injured|~there were no casualties",
                "unhurt unharmed uninjured unscathed safe escap*",
                "hurt injur* harm* wound* casualt* victim*",
            ),
            outcome(
                "arm",
                "{he} broke an arm|{he} has a broken arm|~{he} sustained a fractured arm",
                "arm arms fractur*",
            ),
            outcome(
                "road",
                "the road was shut for hours|cars had to wait for hours|~the carriageway remained inaccessible for hours",
                "shut closed blocked clos* hours inaccessible wait* sealed traffic",
            ),
            outcome(
                "licence",
                "{he} lost {his} driving licence|{he} may not drive for now|~{his} driving licence was revoked",
                "licen* revok* ban* disqualif*",
                "may_not_drive drive",
            ),
            outcome(
                "power",
                "a street was without power|the lights went out in a street|~the electricity supply was interrupted",
                "power electric* lights blackout outage",
            ),
        ),
    ),
    kind(
        "break-in",
        things={
            "garage": "garage*",
            "kiosk": "kiosk newsstand stall",
            "garden shed": "shed garden",
            "workshop": "workshop*",
            "wine cellar": "wine cellar",
            "boathouse": "boathouse boat_house boat",
            "office": "office*",
            "summer house": "summer_house summer holiday_home holiday_house",
        },
        verbs="break-in* broke_into broken_into break_into break_in broke_in burgl* rob* steal* stole* thie* theft raid* forced force got_into get_into ransack* loot* intrud*",
        opposite="repair* return*",
        heads="""
        thieves broke into {whos} {thing}
        burglars broke into {whos} {thing}
        thieves forced the door of {whos} {thing}
        """,
        amounts=(150, 9000, 50),
        adjuncts="""
        and took goods worth {n} euros
        and stole things worth {n} euros
        """,
        sentences="""
        [The loss|What is gone] [comes to|is worth|is put at] {n} euros.
        [Things|Tools and other things|Goods] worth {n} euros [are gone|were taken|have vanished].
        Police [speak of|put the loss at] {n} euros[|, not counting the door].
        """,
        echoes="""
        [A theft|A similar night] in {town2} had [cost {name2}|cost the owner] {n2} euros.
        A [shop|farm] in {town2} [once lost|had lost] {n2} euros [that way|in one night].
        """,
        reasons=(
            cause(
                "window",
                "an open window",
                "a window had been left open|a window was open|~a window had inadvertently remained open",
                "window*",
            ),
            cause(
                "lock",
                "an old lock",
                "the lock was old|the lock was easy to open|~the lock was technically obsolete",
                "lock locks lock's",
            ),
            cause(
                "alarm",
                "a dead alarm",
                "the alarm was switched off|the alarm did not work|~the alarm system had been deactivated",
                "alarm*",
            ),
            cause(
                "dark",
                "a broken street lamp",
                "the street lamp was broken|it was dark in the street|~street illumination was defective",
                "lamp* dark* streetlight* illuminat* street_light",
            ),
            cause(
                "away",
                "an empty house",
                "{he} was on holiday|nobody was at home|~{he} was temporarily absent",
                "holiday* away absen* vacation* empty",
                "home there",
            ),
        ),
        results=(
            outcome(
                "arrest",
                "police caught a man|a man was caught the next day|~the police arrested a suspect",
                "caught arrest* suspect* catch* custody detain*",
            ),
            outcome(
                "river",
                "most of it was found in a river|some of it lay in the river|~part of it was recovered from the river",
                "river recover*",
            ),
            outcome(
                "watch",
                "the neighbours now take turns to watch|the neighbours now go on night watch|~residents have established nocturnal patrols",
                "neighbour* neighbor* watch* patrol*",
            ),
            outcome(
                "insurance",
                "the insurance will pay|the insurance pays for it|~the insurance company will compensate the loss",
                "insur* compensat*",
            ),
            outcome(
                "dog",
                "{he} is getting a dog|a big dog will guard the place|~{he} intends to acquire a guard dog",
                "dog dogs",
            ),
        ),
    ),
    kind(
        "cancellation",
        anonymous="the host",
        things={
            "concert": "concert* gig",
            "reading": "reading* book",
            "dance evening": "danc*",
            "puppet play": "puppet*",
            "lecture": "lecture* talk",
            "circus show": "circus",
            "choir evening": "choir*",
            "quiz night": "quiz*",
        },
        verbs="cancel* called_off call_off calls_off scrap* drop* axed off postpon* shelv* abandon* axe",
        opposite="went_ahead goes_ahead go_ahead held took_place perform* hosted",
        heads="""
        {S} cancelled {a}
        {S} called off {a}
        """,
        amounts=(30, 900, 10),
        adjuncts="""
        , with {n} tickets sold
        , although {n} tickets had been sold
        """,
        sentences="""
        [About|Some|By then,|Up to then,] {n} tickets had been [sold|bought|paid for].
        {n} tickets were [already sold|gone|already paid for][| at that point| by noon].
        {last} had [sold|given out] {n} tickets[| since spring| in two weeks].
        """,
        echoes="""
        The hall in {town2} [once sold|sells] {n2} tickets [a night|for such things|on good days].
        [The year before|Last time|In spring|Once], {name2} [had sold|was proud to have sold|gave away] {n2} tickets.
        """,
        reasons=(
            cause(
                "storm",
                "a storm",
                "a storm was coming|a storm had been forecast|~meteorologists had issued a storm warning",
                "storm* weather wind* gale",
            ),
            cause(
                "voice",
                "a lost voice|a sore throat",
                "{he} had lost {his} voice|{he} had a sore throat|~{he} was suffering from laryngitis",
                "voice throat hoarse laryng*",
            ),
            cause(
                "water",
                "water in the hall",
                "the hall was under water|a pipe had burst in the hall|~the venue had been inundated",
                "water pipe flood* inundat* leak*",
            ),
            cause(
                "permit",
                "a missing permit",
                "there was no permit|the town gave no permit|~official authorisation had been refused",
                "permit* permission authoris* authoriz* licen*",
            ),
            cause(
                "power",
                "a power cut",
                "the power was off|there was a power cut|~the electricity supply had failed",
                "power electric* blackout",
            ),
        ),
        results=(
            outcome(
                "refund",
                "guests get their money back|the tickets will be paid back|~admission will be reimbursed",
                "money_back refund* reimburs* their_money paid_back pay_back repaid",
            ),
            outcome(
                "autumn",
                "a new date is planned for autumn|it will be made up for in autumn|~it has been rescheduled for autumn",
                "autumn new_date fall reschedul* later",
            ),
            outcome(
                "outside",
                "many guests stood outside in the cold|guests waited outside for nothing|~numerous visitors waited outside unnecessarily",
                "outside cold door doors",
            ),
            outcome(
                "drinks",
                "the guests got free drinks|there were free drinks for all|~complimentary refreshments were served",
                "drink* free compliment* refresh*",
            ),
            outcome(
                "rent",
                "the owner of the hall still wants the rent|the hall must still be paid for|~the venue nevertheless demands the rent",
                "rent owner paid_for must_be_paid pay_for hall_must landlord",
            ),
        ),
    ),
)
