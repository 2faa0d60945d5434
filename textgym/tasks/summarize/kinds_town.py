# ruff: noqa: E501 (a line of grammar or of words stays a line)
"""Kinds of news about shops, streets and work: opening, closure, move, sale, fair, strike, recall.

Each is written once here: its nouns, its sentence heads, its number, five reasons and five results,
plain wordings first and those too formal for a child marked with `~`.
"""

from __future__ import annotations

from textgym.tasks.summarize.event import Kind, cause, kind, outcome

TOWN_KINDS: tuple[Kind, ...] = (
    kind(
        "opening",
        anonymous="a local owner",
        things={
            "bakery": "bakery bakeries baker baker's bread_shop",
            "café": "cafe café coffee_shop coffee_house coffeehouse",
            "bookshop": "bookshop bookstore book_shop book_store bookseller",
            "gym": "gym fitness fitness_studio",
            "bike workshop": "bike bicycle cycle",
            "kindergarten": "kindergarten nursery daycare day_care preschool",
            "flower shop": "flower florist",
            "youth club": "youth_club club youth",
        },
        verbs="open* launch* started start set_up setting_up founded found_a inaugurat* establish* new unveil*",
        opposite="clos* shut* sold sell*",
        heads="""
        {S} opened {a}
        {S} set up {a}
        {S} started {a}
        """,
        amounts=(4000, 90000, 500),
        adjuncts="""
        for {n} euros
        at a cost of {n} euros
        """,
        sentences="""
        [The work|Fitting it out|The whole thing|Getting it ready] [cost|took] {n} euros[| in all| so far].
        {last} [put|poured] {n} euros into [it|the rooms|the project].
        [It cost|The bill came to] {n} euros[|, paint and all|, tables and all].
        """,
        echoes="""
        [A similar|The last such] [place|project] [in|near] {town2} [cost|swallowed] {n2} euros[| in the end].
        In {town2} the [council|bank] once [paid|lent] {n2} euros for [something like it|a plan of that sort].
        """,
        reasons=(
            cause(
                "gap",
                "the lack of such a place nearby|a gap in the area",
                "there was nothing like it nearby|there was no such place in the area|~residents had long deplored the absence of one",
                "lack* gap nothing_like no_such absen* without_one missing nowhere nearest none_nearby nearby no_other need need* demand",
                "exist* any_other such",
            ),
            cause(
                "job",
                "the loss of an old job",
                "{he} had lost an old job|the old firm no longer needed {him}|~the previous employer had made {him} redundant",
                "job jobs fired redundan* unemploy* laid_off dismiss* employer firm workless out_of_work longer_need* not_need*",
            ),
            cause(
                "dream",
                "an old dream",
                "it was an old dream|{he} had dreamt of it since school|~it had been a lifelong ambition",
                "dream* ambition wish* childhood always_wanted long_wanted",
            ),
            cause(
                "grant",
                "a grant from the state|help from the state",
                "the state offered a grant|the state paid part of it|~a government subsidy had become available",
                "grant* subsid* state government* public_money public_funds funding",
            ),
            cause(
                "aunt",
                "money left by an aunt|an aunt's legacy",
                "an aunt had left {him} money|{he} came into money from an aunt|~an aunt had bequeathed {him} a considerable sum",
                "aunt aunt's legac* inherit* bequea* bequest",
            ),
        ),
        results=(
            outcome(
                "queue",
                "people queued on the first day|there was a long queue on the first day|~customers queued around the corner at the inauguration",
                "queue* queuing lined_up line_up lines long_line waited crowd* line",
            ),
            outcome(
                "helpers",
                "some young people found work there|two school leavers got work there|~several young people obtained employment there",
                "young* work employ* hire* hiring school_leavers staff apprentic* position* jobs",
            ),
            outcome(
                "noise",
                "the neighbours object to the noise|the people next door are cross about the noise|~adjacent residents have lodged a complaint about the noise",
                "nois* loud* object* complain* complaint* cross annoy*",
            ),
            outcome(
                "soldout",
                "everything was taken by noon|nothing was left by noon|~capacity was exhausted by noon",
                "noon midday taken sold_out exhaust* nothing_left fully_booked lunchtime nothing_was_left used_up ran_out all_gone sold",
            ),
            outcome(
                "rents",
                "rents in the street went up|the street now costs more to live in|~rents in the vicinity increased considerably",
                "rent rents dearer expensive costs_more cost_more live_in",
            ),
        ),
    ),
    kind(
        "closure",
        anonymous="the owner",
        things={
            "bakery": "bakery bakeries baker baker's bread_shop",
            "café": "cafe café coffee_shop coffee_house",
            "inn": "inn pub tavern guesthouse guest_house",
            "cinema": "cinema movie film_theatre picture_house",
            "butcher's shop": "butcher butcher's butchery butchers",
            "pharmacy": "pharmac* chemist* drugstore",
            "tool shop": "tool hardware tools",
            "toy shop": "toy toys",
        },
        verbs="clos* shut* gave_up give_up giving_up ceas* folded end_of ended shutter* quit wound_up out_of_business went_under winding_up",
        opposite="open opened launch* reopen* set_up started remain* stay* saved",
        heads="""
        {S} closed {own}
        {S} shut {own} for good
        {S} gave up {own}
        """,
        amounts=(6, 70, 1),
        adjuncts="""
        after {n} years
        after {n} years in business
        """,
        sentences="""
        [It|The place|The business] had [been there|served the town|been going] for {n} years.
        [It|The place|The business] had [stood|been] [there|in that street] for {n} years[|, day in and day out].
        {n} years of [work|business|early mornings] [ended|came to an end] [that day|with it].
        """,
        echoes="""
        {name2}, who runs [the kiosk|a shop|a stall] [opposite|next door|around the corner], has been there for {n2} years.
        A [shop|business] in {town2} [managed|lasted] {n2} years[| before the same thing happened].
        """,
        reasons=(
            cause(
                "rent",
                "the high rent|a sharp rise in rent",
                "the rent was too high|the rent had doubled|~the lease had become unaffordable",
                "rent rents rental lease* landlord*",
            ),
            cause(
                "illness",
                "illness|poor health",
                "{he} had been ill for months|{he} fell ill|~{his} health had deteriorated",
                "ill illness sick* health unwell disease",
            ),
            cause(
                "staff",
                "a lack of staff|a shortage of helpers",
                "{he} could not find staff|no helpers could be found|~suitable personnel could not be recruited",
                "lack_of_staff shortage understaff* helpers personnel recruit* few_workers staff workers employees hands manpower workforce",
            ),
            cause(
                "road",
                "the endless roadworks|long roadworks outside",
                "the road outside was dug up|roadworks kept people away|~prolonged roadworks had deterred customers",
                "road roads roadwork* road_works digging dug construction resurfac* street_works building_site",
            ),
            cause(
                "online",
                "cheap rivals on the internet",
                "people now buy online|the trade had gone online|~customers had migrated to internet suppliers",
                "online internet web e-commerce",
            ),
        ),
        results=(
            outcome(
                "jobs",
                "the people who worked there lost their jobs|the team is out of work|~everyone there was made redundant",
                "lost_their_jobs jobs out_of_work unemploy* dismiss* laid_off redundan* jobless fired let_go their_job lose_their losing_their",
            ),
            outcome(
                "flats",
                "the building will be turned into flats|flats will be built there|~the premises will be converted into apartments",
                "flat flats apartment* housing homes residential",
            ),
            outcome(
                "petition",
                "regulars are signing a petition|a petition is going round|~loyal customers have initiated a petition",
                "petition* sign signing signatures signed",
            ),
            outcome(
                "stock",
                "the last stock went cheaply|what was left was sold cheaply|~the remaining inventory was liquidated at a discount",
                "stock cheap* discount* inventory liquidat* bargain* leftover* sold_off clearance remainder",
            ),
            outcome(
                "successor",
                "the town is looking for someone to take over|a new tenant is wanted|~the municipality is seeking a successor",
                "take_over successor* tenant* replacement taking_over looking_for takes_over new_owner new_operator takeover",
            ),
        ),
    ),
    kind(
        "move",
        anonymous="the owner",
        where="to",
        things={
            "print shop": "print printing printer printer's",
            "dance school": "dance dancing",
            "law office": "law lawyer* legal",
            "music school": "music",
            "dental practice": "dental dentist*",
            "tailor's shop": "tailor tailor's tailoring",
            "software firm": "software",
            "pottery": "potter* ceramic*",
        },
        verbs="mov* relocat* transfer* shift*",
        opposite="clos* shut* stayed stay* remain* sold",
        heads="""
        {S} moved {own}
        {S} relocated {own}
        """,
        amounts=(60, 900, 10),
        adjuncts="""
        , with {n} square metres in the new place
        and now has {n} square metres
        """,
        sentences="""
        The new [place|home|address] [measures|has|offers] {n} square metres.
        [There are|That makes] {n} square metres [there|to work in|to fill|now].
        {last} [now has|rents] {n} square metres[|, with a yard|, with a lift].
        """,
        echoes="""
        [The yard next door|The house across the street] [has|measures|is said to have] {n2} square metres.
        A [store|hall] of {n2} square metres [in|near] {town2} [had been looked at too|was on offer as well].
        """,
        reasons=(
            cause(
                "space",
                "a lack of space",
                "the old rooms were too small|there was no space left|~the previous premises had become insufficient",
                "space small cramped no_room more_room bigger larger insufficient tiny crowded outgrow* outgrew",
            ),
            cause(
                "damp",
                "damp walls|mould in the walls",
                "the walls were damp|there was mould in the walls|~persistent humidity had damaged the building",
                "damp* mould* mold* humid* wet moist* rot",
            ),
            cause(
                "cheap",
                "lower rent there|the lower rent",
                "the rent is lower there|it is cheaper there|~rental costs are considerably lower there",
                "lower cheap* cheaper rent less_expensive save saves saving afford* inexpensive costs_less",
            ),
            cause(
                "trains",
                "a better train link|the station nearby",
                "the station is close by|trains stop right there|~the location is conveniently connected by rail",
                "train trains station rail* transport",
            ),
            cause(
                "fire",
                "a fire in the old building|a fire",
                "the old building had burnt|a fire had gutted the old rooms|~a blaze had rendered the old premises unusable",
                "fire burn* burnt blaze flames",
            ),
        ),
        results=(
            outcome(
                "longer",
                "customers now have a longer way to go|many customers must travel further|~the clientele must accept a longer journey",
                "longer further farther journey travel distance detour far",
            ),
            outcome(
                "trainees",
                "trainees can now be taken on|there is now room for trainees|~additional trainees can be engaged",
                "trainee* apprentic* learners",
            ),
            outcome(
                "phone",
                "the phone was dead for a week|nobody could phone for a week|~telephone communication was interrupted for a week",
                "phone* telephone* call_it line unreach*",
                "reach*",
            ),
            outcome(
                "parking",
                "visitors can park outside at last|there is a car park at last|~visitors finally have adequate parking",
                "park* parking",
            ),
            outcome(
                "empty",
                "the old rooms stand empty|nobody has taken the old rooms|~the former premises remain vacant",
                "empty vacant unused unoccupied deserted nobody",
            ),
        ),
    ),
    kind(
        "sale",
        things={
            "farmhouse": "farm farmhouse farm_house",
            "boat": "boat* ship yacht",
            "vineyard": "vineyard* vines wine",
            "tractor": "tractor*",
            "coin collection": "coin coins",
            "piano": "piano*",
            "orchard": "orchard* fruit_trees",
            "watermill": "watermill mill water_mill",
        },
        verbs="sell* sold sale auction* buyer bought parted_with changed_hands fetched",
        opposite="bought! buys! purchased! kept keep keeps rented gave_away",
        heads="""
        {S} sold {own}
        {S} found a buyer for {own}
        """,
        amounts=(3000, 240000, 500),
        adjuncts="""
        for {n} euros
        at a price of {n} euros
        """,
        sentences="""
        The price was {n} euros[|, paid at once|, in cash|, to be paid in two parts].
        The [buyer|new owner] [paid|put down|handed over] {n} euros.
        It [fetched|brought|made] {n} euros[|, more than hoped|, a fair sum].
        """,
        echoes="""
        In {town2}, {name2} [once got|had asked for] {n2} euros for [one like it|something like that].
        A [cottage|barn] in {town2} [brought|was sold for] {n2} euros[| that week].
        """,
        reasons=(
            cause(
                "debts",
                "old debts|debts at the bank",
                "{he} had debts|{he} owed money to the bank|~{his} debts had accumulated",
                "debt debts owe* owed owing creditor* loan loans indebted bank",
            ),
            cause(
                "abroad",
                "a move abroad",
                "{he} is moving abroad|{he} wants to live abroad|~{he} intends to emigrate",
                "abroad emigrat* overseas another_country foreign leaving_the_country",
            ),
            cause(
                "age",
                "old age",
                "{he} was too old to look after it|{he} felt too old for the work|~maintaining it exceeded {his} strength at {his} age",
                "age old elderly aged ageing aging frail",
            ),
            cause(
                "studies",
                "the cost of {his} daughter's studies",
                "{his} daughter wants to study|{he} is paying for {his} daughter's studies|~{he} must finance {his} daughter's education",
                "daughter daughter's stud* university college education tuition",
            ),
            cause(
                "divorce",
                "a divorce",
                "{he} is getting divorced|{his} marriage was over|~{he} is undergoing a divorce",
                "divorc* marriage separat* split",
            ),
        ),
        results=(
            outcome(
                "restore",
                "the buyer wants to restore it|it will now be restored|~the purchaser plans an extensive restoration",
                "restor* repair* renovat* fix_it do_up fixed refurbish* overhaul*",
            ),
            outcome(
                "museum",
                "it will soon be shown to visitors|visitors can soon see it|~it will be accessible to the public",
                "museum* visitors public show shown exhibit* display*",
            ),
            outcome(
                "brother",
                "{his} brother is angry with {him}|{his} brother is angry|~{his} brother has expressed considerable anger",
                "brother* angry furious sibling",
                "speak* talk*",
            ),
            outcome(
                "charity",
                "part of the money goes to a charity|some of the money goes to good causes|~a proportion of the proceeds goes to charity",
                "charit* good_cause* donat*",
            ),
            outcome(
                "regret",
                "{he} is already sorry about it|{he} would like it back|~{he} already regrets the transaction",
                "sorry regret* want_it_back like_it_back wants_it_back missing_it remorse misses_it",
            ),
        ),
    ),
    kind(
        "fair",
        things={
            "street fair": "street_fair street",
            "jazz night": "jazz",
            "film night": "film* movie* cinema",
            "harvest market": "harvest",
            "book fair": "book books",
            "lantern parade": "lantern* parade*",
            "cheese market": "cheese*",
            "flea market": "flea",
        },
        verbs="organis* organiz* held hold* host* put_on stag* ran took_place celebrat* arrang* drew attract* hosted",
        opposite="cancel* called_off ban* postpon*",
        heads="""
        {S} organised {a}
        {S} held {a}
        {S} put on {a}
        """,
        amounts=(80, 4000, 20),
        adjuncts="""
        for {n} visitors
        with {n} visitors
        """,
        sentences="""
        [About|Some|In all,|Over the day,] {n} [visitors|guests|people] [came|turned up|dropped in].
        The [helpers|stewards] [counted|welcomed] {n} [visitors|guests|people].
        It drew {n} [visitors|people][|, young and old|, many from far away].
        """,
        echoes="""
        A similar [evening|day] in {town2} [drew|had attracted] {n2} [people|visitors][| in spring| last year].
        [The last concert|The Easter ride|The garden show] there drew {n2} [people|visitors][|, says {name2}].
        """,
        reasons=(
            cause(
                "roof",
                "the need for a new school roof",
                "the school needs a new roof|the school roof leaks|~funds were required for the school roof",
                "roof school",
            ),
            cause(
                "jubilee",
                "the town's big birthday",
                "the town has a big birthday|the town turned a round number of years old|~the town commemorates its anniversary",
                "birthday anniversar* jubilee commemorat* years_old centen*",
            ),
            cause(
                "lonely",
                "lonely neighbours|the many lonely people",
                "many neighbours are lonely|people there hardly know each other|~social isolation had increased there",
                "lonel* isolat* know_each alone strangers get_to_know company meet_each acquainted",
                "know",
            ),
            cause(
                "newcomers",
                "the many newcomers",
                "many newcomers had moved in|new families should feel at home|~recently arrived residents were to be integrated",
                "newcomer* new_families new_residents integrat* new_people welcome feel_at_home moved_in families",
            ),
            cause(
                "gone",
                "the end of the old fair",
                "the old fair had been dropped|the town had not had one for years|~the traditional event had been discontinued",
                "dropped old_fair old_one discontinu* for_years missed revive tradition*",
            ),
        ),
        results=(
            outcome(
                "again",
                "it will be held again next year|next year there will be another|~a continuation is scheduled for next year",
                "again next_year repeat* another continu* annual yearly",
            ),
            outcome(
                "jam",
                "the roads were jammed until night|cars stood in a long jam|~considerable traffic congestion ensued",
                "jam jams jammed traffic congest* cars roads",
            ),
            outcome(
                "rubbish",
                "a lot of rubbish was left behind|heaps of rubbish lay about|~substantial quantities of refuse remained",
                "rubbish litter trash garbage refuse waste mess",
            ),
            outcome(
                "food",
                "the food ran out early|there was soon nothing left to eat|~catering supplies were exhausted prematurely",
                "food eat eaten catering meals hungry",
            ),
            outcome(
                "playground",
                "the money buys a new playground|a playground will be built|~the proceeds finance a playground",
                "playground* play_area swings",
            ),
        ),
    ),
    kind(
        "strike",
        anonymous="a union speaker",
        plural=True,
        things={
            "bus drivers": "bus buses",
            "nurses": "nurse* nursing hospital",
            "kitchen staff": "kitchen cook* canteen",
            "cleaners": "clean* cleaning",
            "teachers": "teacher* teaching",
            "postal workers": "post postal mail postmen",
            "train drivers": "train trains",
            "dustmen": "dustm* bin_men refuse garbage",
        },
        verbs="strik* strike* walkout* walk_out walked_out struck stoppage* stopped_work downed_tools picket* industrial_action",
        opposite="returned_to_work back_to_work ended! averted",
        heads="""
        {S} led a strike by {thing}
        {S} called a strike by {thing}
        {S} led a walkout by {thing}
        """,
        amounts=(20, 900, 10),
        adjuncts="""
        , with {n} people taking part
        , joined by {n} people
        """,
        sentences="""
        [About|Some|In all,|By noon,] {n} [people|workers] [took part|joined in|had joined].
        The union [counted|spoke of] {n} [people|workers][| at the gates| that morning].
        {n} people [stayed out|stood outside|stopped work][| all day| until evening].
        """,
        echoes="""
        In {town2}, a [vote|march] [had brought out|was backed by] {n2} people[| in spring| weeks before].
        The union in {town2} has {n2} [members|people][|, says {name2}].
        """,
        reasons=(
            cause(
                "pay",
                "low pay|poor pay",
                "the pay is too low|they want better pay|~remuneration is regarded as inadequate",
                "pay paid wage* salar* remunerat* earn*",
            ),
            cause(
                "hours",
                "long shifts",
                "the shifts are too long|they work too many hours|~working hours have become excessive",
                "shift shifts hours long_hours excessive overwork*",
            ),
            cause(
                "cuts",
                "planned job cuts",
                "jobs are to be cut|many are to lose their jobs|~a reduction of personnel is planned",
                "cut cuts job jobs cutting layoff* dismiss* redundan* personnel reduction",
            ),
            cause(
                "safety",
                "unsafe equipment",
                "the equipment is unsafe|the equipment is dangerous|~the equipment violates safety regulations",
                "unsafe safe* safety equipment danger* hurt injur*",
            ),
            cause(
                "cold",
                "the broken heating",
                "the heating had been broken for weeks|it was far too cold inside|~the heating system remained defective",
                "heating cold freez* heater* defective",
            ),
        ),
        results=(
            outcome(
                "talks",
                "the bosses agreed to talk|talks will start soon|~the management consented to negotiations",
                "talk talks negotiat* discuss*",
            ),
            outcome(
                "halt",
                "nothing moved all day|everything stood still for a day|~all operations were suspended for a day",
                "nothing_moved still halt* standstill suspend* paralys* stopped nothing_worked shutdown shut_down",
            ),
            outcome(
                "deal",
                "a deal was signed at night|both sides soon signed a deal|~an agreement was concluded at night",
                "deal agreement settle* signed accord compromise contract",
            ),
            outcome(
                "court",
                "a court stopped it|a judge put an end to it|~a court prohibited the action",
                "court judge judges prohibit* injunction illegal",
            ),
            outcome(
                "more",
                "a second one is planned|there will be another soon|~further action has been announced",
                "second another further more_strikes next_week again",
            ),
        ),
    ),
    kind(
        "recall",
        anonymous="a producer",
        plural=True,
        things={
            "jam": "jam jams marmalade",
            "honey": "honey",
            "goat cheese": "cheese goat",
            "sausages": "sausage*",
            "apple juice": "juice apple",
            "muesli": "muesli cereal granola",
            "biscuits": "biscuit* cookie*",
            "mustard": "mustard",
        },
        verbs="recall* called_back calls_back call_back calling_back withdr* took_back takes_back take_back pulled pulls took_off",
        opposite="launch* releas*",
        heads="""
        {S} recalled {thing}
        {S} called back {thing}
        {S} took back {thing} from the shops
        """,
        amounts=(200, 9000, 50),
        adjuncts="""
        , with {n} packs affected
        , {n} packs in all
        """,
        sentences="""
        [About|Some|In all,|So far,] {n} packs are [affected|concerned|on the list].
        It [concerns|is about|affects] {n} packs[|, sold since spring|, most of them sold].
        The list [names|shows] {n} packs[| from one week| of one batch].
        """,
        echoes="""
        The [plant|factory] in {town2} fills {n2} packs [a day|an hour|a week].
        [In spring|Years ago], a firm in {town2} had [lost|thrown away] {n2} packs[| after a flood].
        """,
        reasons=(
            cause(
                "glass",
                "bits of glass|splinters of glass",
                "there was glass in some packs|a customer found glass|~fragments of glass had been detected",
                "glass splinter* shard*",
            ),
            cause(
                "label",
                "a wrong label",
                "the label was wrong|nuts were not named on the label|~the label failed to declare allergens",
                "label* nuts nut allerg* declar* mislabel*",
            ),
            cause(
                "mould",
                "mould",
                "mould had been found|some packs had gone mouldy|~contamination with mould had occurred",
                "mould* mold*",
            ),
            cause(
                "metal",
                "bits of metal|metal chips",
                "there was metal in some packs|a machine had lost bits of metal|~metallic particles had been detected",
                "metal* steel",
            ),
            cause(
                "soap",
                "traces of soap",
                "soap had got into the mix|some packs tasted of soap|~residues of detergent had been detected",
                "soap* detergent* cleaning",
            ),
        ),
        results=(
            outcome(
                "refund",
                "buyers get their money back|shops pay the money back|~customers will be reimbursed",
                "money_back refund* reimburs* their_money pay_back paid_back repaid",
            ),
            outcome(
                "ill",
                "several buyers fell ill|some buyers fell ill|~several consumers required treatment",
                "ill sick illness treat* hospital unwell poison*",
            ),
            outcome(
                "halt",
                "the machines are standing still|work has stopped for now|~production has been suspended",
                "machines stopped halt* suspend* still production standstill paus*",
            ),
            outcome(
                "inspect",
                "inspectors are checking the place|the place is being checked|~the authorities are inspecting the facility",
                "inspect* check* authorit* examin* investigat*",
            ),
            outcome(
                "shelves",
                "the shelves are empty|none is left on any shelf|~retailers have removed the goods from sale",
                "shel* empty remov* cleared off_sale stopped_sell* stop_sell* stops_sell* longer_sell* longer_sold longer_on_sale",
            ),
        ),
    ),
)
