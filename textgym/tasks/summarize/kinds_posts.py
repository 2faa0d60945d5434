# ruff: noqa: E501 (a line of grammar or of words stays a line)
"""Kinds of community posts, told in the first person: lost, found, complaint, advice, giveaway.

Written like `kinds_town`. A prompt says "I"; a summary says who it was.
"""

from __future__ import annotations

from textgym.tasks.summarize.event import Kind, cause, kind, outcome

POST_KINDS: tuple[Kind, ...] = (
    kind(
        "lost pet",
        post=True,
        things={
            "grey cat": "cat cat's",
            "brown dog": "dog dog's",
            "green parrot": "parrot* bird",
            "tortoise": "tortoise* turtle",
            "white rabbit": "rabbit* bunny",
            "ferret": "ferret*",
            "goose": "goose",
            "hedgehog": "hedgehog*",
        },
        verbs="lost lose* losing missing disappear* ran_away run_away runaway vanish* escap* gone went_missing bolted stray* fled slipped",
        opposite="found! found bought adopt* finds!",
        heads="""
        {S} lost {a}
        {S} lost {own}
        {S} reported {a} missing
        """,
        amounts=(20, 400, 5),
        adjuncts="""
        and offered the finder {n} euros
        and promised the finder {n} euros
        """,
        sentences="""
        [There is a reward of|The finder gets|I promise the finder|I have put aside] {n} euros[| as a thank you|, no questions asked].
        Whoever [brings news|helps] [gets|will get] {n} euros[| from me].
        """,
        echoes="""
        [The vet|The garden fence|A bigger cage] [cost me|cost] {n2} euros[| in spring| last month].
        [My neighbour|My friend] {name2} [paid|had to pay] {n2} euros for [a search dog|a night of searching].
        """,
        reasons=(
            cause(
                "gate",
                "an open gate",
                "the gate was open|someone had left the gate open|~the gate had inadvertently remained open",
                "gate* left_open door",
            ),
            cause(
                "fireworks",
                "fireworks",
                "there were fireworks|fireworks went off nearby|~unexpected fireworks caused a panic",
                "firework* rocket* bang*",
            ),
            cause(
                "thunder",
                "thunder",
                "it thundered|the thunder was so loud|~a violent thunderstorm occurred",
                "thunder* lightning storm*",
            ),
            cause(
                "builders",
                "loud builders",
                "the builders were so loud|builders were drilling next door|~construction noise was intolerable",
                "builder* drill* construction building_site",
            ),
            cause(
                "basket",
                "a broken basket",
                "the basket broke on the way to the vet|the carrying basket had come open|~the transport basket was defective",
                "basket* carrier vet",
            ),
        ),
        results=(
            outcome(
                "posters",
                "posters hang all over town|there are posters on every tree|~posters have been distributed everywhere",
                "poster* flyer* notices leaflet*",
            ),
            outcome(
                "search",
                "the neighbours are helping to look|many neighbours are out looking|~the neighbourhood participates in the search",
                "neighbour* neighbor* neighbourhood search* look_for hunt* looking",
            ),
            outcome(
                "sleep",
                "the children cannot sleep|the children cry every night|~the children are inconsolable",
                "child* kids cry* inconsolab*",
                "sleep*",
            ),
            outcome(
                "seen",
                "someone saw the animal by the river|the animal was seen by the river|~a witness observed the animal by the river",
                "river saw seen spotted sight* witness*",
            ),
            outcome(
                "shelter",
                "the animal shelter has been told|the shelter knows about it|~the animal shelter has been notified",
                "shelter*",
            ),
        ),
    ),
    kind(
        "lost thing",
        post=True,
        things={
            "silver ring": "ring rings",
            "leather wallet": "wallet* purse",
            "blue rucksack": "rucksack* backpack* bag",
            "violin": "violin* fiddle",
            "camera": "camera*",
            "laptop": "laptop* computer*",
            "red umbrella": "umbrella*",
            "hearing aid": "hearing",
        },
        verbs="lost lose* losing missing left leave behind mislaid misplac* dropped gone forgot* disappear*",
        opposite="found! found bought stole finds!",
        heads="""
        {S} lost {a}
        {S} left {a} behind
        """,
        amounts=(20, 400, 5),
        adjuncts="""
        and offered the finder {n} euros
        and promised the finder {n} euros
        """,
        sentences="""
        [There is a reward of|The finder gets|I promise the finder|I have put aside] {n} euros[| as a thank you|, no questions asked].
        Whoever [brings it back|hands it in] [gets|will get] {n} euros[| from me].
        """,
        echoes="""
        [A new one|The repair] [costs|would cost] {n2} euros[|, I was told|, says {name2}].
        [My neighbour|My friend] {name2} [once paid|had to pay] {n2} euros [in such a case|for a search].
        """,
        reasons=(
            cause(
                "hole",
                "a hole in the pocket",
                "there was a hole in the pocket|{his} pocket had a hole|~the pocket was in a deplorable condition",
                "hole* pocket*",
            ),
            cause(
                "rush",
                "the rush for a train",
                "{he} had to run for a train|{he} was late for the train|~{he} hurried to a departing train",
                "rush* run train late hurr*",
            ),
            cause(
                "asleep",
                "a nap on the bus",
                "{he} fell asleep on the bus|{he} had slept on the bus|~{he} had been dozing on public transport",
                "asleep sle* nap* doz* bus",
            ),
            cause(
                "call",
                "a phone call",
                "{he} was on the phone|a phone call came at the wrong moment|~a telephone conversation had distracted {him}",
                "phone* call* telephone* distract*",
            ),
            cause(
                "bags",
                "too many bags",
                "{he} had too many bags|{he} was carrying too many bags|~{he} was overburdened with luggage",
                "many_bags bags luggage carry* overburden*",
            ),
        ),
        results=(
            outcome(
                "police",
                "the police have been told|the police know about it|~the police have been notified",
                "police*",
            ),
            outcome(
                "insurance",
                "the insurance will not pay|the insurance pays nothing|~the insurance company refuses compensation",
                "insur*",
            ),
            outcome(
                "exam",
                "{he} missed an exam|{he} missed an important exam|~{he} was absent from an important examination",
                "exam* test",
            ),
            outcome(
                "office",
                "the lost property office has a note of it|a note is at the lost property office|~a report has been filed with the lost property office",
                "property office",
            ),
            outcome(
                "grandmother",
                "{his} grandmother is sad about it|{his} grandmother is very sad|~{his} grandmother is deeply disappointed",
                "grandmother* grandma* gran granny",
            ),
        ),
    ),
    kind(
        "found",
        post=True,
        things={
            "gold watch": "watch*",
            "black umbrella": "umbrella*",
            "red purse": "purse* wallet",
            "child's bike": "bike* bicycle*",
            "phone": "phone* mobile smartphone",
            "camera": "camera*",
            "wedding ring": "ring rings",
            "pair of glasses": "glasses spectacles",
        },
        verbs="found find finds finding discover* came_across come_across comes_across came_upon picked_up pick_up picks_up spotted finder turned_up unearth*",
        opposite="lost! lose! stole bought sold lose!",
        heads="""
        {S} found {a}
        {S} came across {a}
        {S} picked up {a}
        """,
        amounts=(5, 60, 1),
        adjuncts="""
        and will keep it for {n} days
        and can keep it for {n} days
        """,
        sentences="""
        I [will keep it|can keep it|am keeping it] for {n} days[|, not longer|, then it goes].
        The [owner|right person] has {n} days[| to get in touch| to ring me].
        [It stays|It can stay] [with me|on my shelf|in my drawer] for {n} days.
        """,
        echoes="""
        [Last time|With a hat in {town2}|With a scarf], it took {n2} days until [someone called|anybody asked].
        {name2} says [the office keeps such things|you must wait] for {n2} days[| or so].
        """,
        reasons=(
            cause(
                "dog",
                "a digging dog",
                "{his} dog dug it up|the dog would not stop digging|~the dog had unearthed it",
                "dog dog's dug digging unearth*",
            ),
            cause(
                "river",
                "the low river",
                "the river was so low|the river had gone down|~the river had receded considerably",
                "river water_level stream",
            ),
            cause(
                "bench",
                "a forgetful person on a bench",
                "someone had left it on a bench|it lay on a bench|~it had been abandoned on a bench",
                "bench*",
            ),
            cause(
                "snow",
                "the melting snow",
                "the snow had melted|it came out under the snow|~the thaw had exposed it",
                "snow* melt* thaw*",
            ),
            cause(
                "hedge",
                "work on a hedge",
                "{he} was cutting the hedge|{he} was trimming the hedge|~{he} was trimming the overgrown hedge",
                "hedge* trim*",
            ),
        ),
        results=(
            outcome(
                "hall",
                "it will then go to the town hall|the town hall gets it next|~it will subsequently be deposited at the town hall",
                "town_hall hall deposit*",
            ),
            outcome(
                "calls",
                "two people say that it is theirs|two people have already called|~two claimants have already appeared",
                "two_people claim* called theirs rang phoned",
            ),
            outcome(
                "proof",
                "the owner must describe it|the owner must say what it looks like|~the owner must furnish a description",
                "describ* descri* looks_like prove proof",
            ),
            outcome(
                "cake",
                "a cake would be a nice reward|{he} asked for a cake as a reward|~a cake would constitute a suitable reward",
                "cake*",
            ),
            outcome(
                "police",
                "the police have a note of it|the police have been told|~the police have been notified",
                "police*",
            ),
        ),
    ),
    kind(
        "complaint",
        post=True,
        anonymous="a customer",
        things={
            "bus service": "bus buses",
            "parcel service": "parcel* delivery courier package*",
            "swimming pool": "pool swimming swim*",
            "phone company": "phone* telephone* mobile telecom*",
            "hotel": "hotel*",
            "canteen": "canteen* cafeteria",
            "dentist": "dentist* dental",
            "car park": "car_park parking carpark",
        },
        verbs="complain* complaint* critici* grumbl* unhappy angry annoyed dissatisf* upset moan* protest* furious displeas* fed_up let_down",
        opposite="prais* thank* pleased satisfied recommend* happy",
        heads="""
        {S} complained about {the}
        {S} made a complaint about {the}
        {S} was unhappy with {the}
        """,
        amounts=(15, 600, 5),
        adjuncts="""
        , after paying {n} euros
        , having paid {n} euros
        """,
        sentences="""
        I had [paid|handed over|spent] {n} euros[| for that| in advance| all the same].
        [It cost me|They charged me|They took] {n} euros[|, in advance|, would you believe it].
        [For this|And for that|For such a thing], I [paid|had to pay] {n} euros.
        """,
        echoes="""
        In {town2}, [a friend|my sister|my colleague] [pays|paid] {n2} euros [and is happy|for the same|and has no trouble].
        [In spring|The year before] I was [charged|asked for] {n2} euros[| and said nothing].
        """,
        reasons=(
            cause(
                "dirt",
                "the dirt",
                "everything was dirty|there was dirt everywhere|~hygiene was completely inadequate",
                "dirt* filth* hygien* unclean",
                "clean",
            ),
            cause(
                "rude",
                "rude staff",
                "the staff were rude|a man there shouted at {him}|~the personnel behaved disrespectfully",
                "rude* shout* unfriendly impolite disrespect* behav*",
                "friendly polite",
            ),
            cause(
                "late",
                "a delay of many hours|hours of waiting",
                "{he} had to wait for hours|it all came hours too late|~an unreasonable delay had occurred",
                "late delay* wait* hours",
            ),
            cause(
                "bill",
                "a wrong bill",
                "the bill was wrong|the bill had mistakes|~the invoice contained errors",
                "bill invoice* overcharg* mistake* billing",
            ),
            cause(
                "silence",
                "unanswered letters",
                "nobody answered {his} letters|{his} letters were not answered|~{his} correspondence had been ignored",
                "unanswer* letter* ignor* correspond* silence",
                "answer* repl* respon*",
            ),
        ),
        results=(
            outcome(
                "sorry",
                "{he} got an apology|someone said sorry to {him}|~{he} received a formal apology",
                "apolog* sorry",
            ),
            outcome(
                "refund",
                "{he} asked for the money back|{he} wrote to get the money back|~{he} demanded reimbursement",
                "money refund* reimburs* return_of",
            ),
            outcome(
                "switch",
                "{he} will go somewhere else|{he} went somewhere else|~{he} will choose an alternative",
                "somewhere_else elsewhere switch* alternative another_one different never_return",
            ),
            outcome(
                "lawyer",
                "{he} found a lawyer|{he} went to a lawyer|~{he} obtained legal representation",
                "lawyer* legal sue sues court attorney solicitor",
            ),
            outcome(
                "voucher",
                "{he} was given a voucher|{he} got a small voucher|~{he} was compensated with a voucher",
                "voucher* coupon*",
            ),
        ),
    ),
    kind(
        "advice",
        post=True,
        things={
            "leaking roof": "roof*",
            "noisy neighbour": "neighbour* neighbor*",
            "dying apple tree": "tree* apple*",
            "damp cellar": "cellar* basement",
            "broken heater": "heater* heating boiler",
            "barking dog": "dog dogs dog's",
            "rusty car": "car cars",
            "squeaky staircase": "stair*",
        },
        verbs="advice advis* ask* help* question* seek* sought tip tips wonder* want_to_know wants_to_know guidance suggestion* recommend*",
        opposite="sold bought gave_advice",
        heads="""
        {S} asked for advice about {a}
        {S} asked for help with {a}
        {S} asked what to do about {a}
        """,
        amounts=(80, 5000, 20),
        adjuncts="""
        , with {n} euros to spend
        with a budget of {n} euros
        """,
        sentences="""
        I [have|can spend|have saved] {n} euros[| for it| and no more|, that is all].
        [My budget is|All I have is|I could pay] {n} euros[|, not a cent more|, at most].
        [There are|I have put aside|I can give] {n} euros for [this|it|the whole thing].
        """,
        echoes="""
        [One firm|A man] from {town2} [wanted|asked for] {n2} euros[| just to look| and then laughed].
        {name2} [paid|had to pay] {n2} euros for [something similar|the same thing|such a case].
        """,
        reasons=(
            cause(
                "landlord",
                "a silent landlord",
                "the landlord does not answer|the landlord does nothing|~the landlord remains unresponsive",
                "landlord* owner",
            ),
            cause(
                "repair",
                "a first attempt that failed",
                "the first attempt failed|an earlier attempt changed nothing|~previous attempts proved ineffective",
                "repair* mend* fix* attempt*",
            ),
            cause(
                "insurer",
                "an insurer that refuses to pay",
                "the insurance will not pay|the insurer said no|~the insurance company rejected the claim",
                "insur*",
            ),
            cause(
                "baby",
                "a baby that cannot sleep|the new baby",
                "a baby is on the way|the baby cannot sleep|~an infant is affected",
                "baby baby's infant* newborn",
            ),
            cause(
                "winter",
                "the coming winter",
                "winter is coming|it will soon be winter|~winter is approaching rapidly",
                "winter* cold_season",
            ),
        ),
        results=(
            outcome(
                "lawyer",
                "most readers said to see a lawyer|readers told {him} to see a lawyer|~legal assistance was recommended",
                "lawyer* legal solicitor attorney",
            ),
            outcome(
                "visit",
                "a reader offered to come and look|one reader will come and look|~a reader volunteered to inspect it",
                "come_and offered visit* look inspect* volunteer* come_by comes_by",
            ),
            outcome(
                "patience",
                "most readers said to wait|readers told {him} to wait|~patience was recommended",
                "wait* patien*",
            ),
            outcome(
                "talk",
                "most readers said to talk first|readers told {him} to talk to people first|~a personal conversation was recommended",
                "talk* conversation speak* discuss*",
            ),
            outcome(
                "photos",
                "readers asked for photos first|readers want to see photos|~photographic evidence was requested",
                "photo* picture*",
            ),
        ),
    ),
    kind(
        "giveaway",
        post=True,
        things={
            "green sofa": "sofa* couch*",
            "old piano": "piano*",
            "bunk bed": "bed beds bunk",
            "rabbit hutch": "hutch* rabbit*",
            "sewing machine": "sewing",
            "oak table": "table* oak",
            "pram": "pram* pushchair stroller",
            "wood stove": "stove* wood",
        },
        verbs="gave_away give_away gives_away giving_away given_away giveaway for_free free for_nothing donat* parted_with gave give gives given giving passed_on handed",
        opposite="sold sell* sale bought kept",
        heads="""
        {S} gave away {a}
        {S} gave {a} away for free
        """,
        amounts=(5, 90, 1),
        adjuncts="""
        , after {n} replies
        , having got {n} replies
        """,
        sentences="""
        [There were|I got|My note brought] {n} replies[| in one day| within an hour|, which was a surprise].
        {n} replies [came in|were in my box|arrived] [by noon|overnight|before breakfast].
        I [counted|read] {n} replies[|, all of them kind|, one in rhyme].
        """,
        echoes="""
        [My old bike|My lamp|A box of books] had [brought|got] {n2} replies[| in spring| last year].
        {name2} [had|got] {n2} replies for [a lamp|a fridge|a carpet] in {town2}.
        """,
        reasons=(
            cause(
                "smaller",
                "a move to a smaller flat",
                "{he} had to move to a smaller flat|the new flat is too small for it|~{he} had to relocate to a more modest apartment",
                "smaller flat apartment* mov* relocat* small",
            ),
            cause(
                "grown",
                "children who have grown up",
                "the children are grown up|{his} children no longer need it|~the children have reached adulthood",
                "grown grow* child* kids adult*",
            ),
            cause(
                "newone",
                "the arrival of a new one",
                "{he} had got a new one|a new one has arrived|~a replacement had been acquired",
                "new_one new replac*",
            ),
            cause(
                "uncle",
                "the death of an uncle",
                "an uncle had died|it had belonged to a dead uncle|~a deceased uncle had owned it",
                "uncle* died death dead deceased",
            ),
            cause(
                "stairs",
                "the narrow stairs",
                "it did not fit up the stairs|the stairs are too narrow|~the staircase proved impassable",
                "stair* narrow fit staircase",
            ),
        ),
        results=(
            outcome(
                "student",
                "a student took it|it went to a student|~a student was the lucky recipient",
                "student*",
            ),
            outcome(
                "nurse",
                "a nurse came and took it|it went to a nurse|~a nurse collected it immediately",
                "nurse*",
            ),
            outcome(
                "school",
                "a school got it|it now stands in a school|~it was transferred to a school",
                "school*",
            ),
            outcome(
                "quarrel",
                "two people quarrelled over it|there was a quarrel about it|~a dispute arose between two applicants",
                "quarrel* dispute* argu* fight* fought row",
            ),
            outcome(
                "back",
                "it came back the next day|it was brought back a day later|~it was returned the following day",
                "came_back back brought_back return*",
            ),
        ),
    ),
)
