"""The words of the booking world: who calls, what the houses are called, what they forbid.

Lists only. The lists of family names, towns, first names and house words share no entry, so that a
capitalised word tells by itself what it is.
"""

# ruff: noqa: SIM905 (word lists read better as text)
from __future__ import annotations

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

NAMES = tuple(
    """Adams Bailey Baker Bauer Becker Berger Bishop Bower Brandt Burton Carter Clark Cole Cooper Curtis Dawson
    Dixon Ellis Evans Fischer Fletcher Foster Fuller Gibson Graham Grant Gruber Harper Hayes Hofer Hudson Hughes
    Jensen Keller Kent Klein Köhler Lambert Lang Lloyd Maier Marsh Mason Meyer Miles Moore Morgan Müller Nolan
    Novak Owens Palmer Parker Perry Porter Price Quinn Reed Richter Roth Sanders Schäfer Schmidt Shaw Sutton
    Taylor Turner Vogel Wagner Walsh Webb Weber Winter Wood Wright Young""".split()
)

TOWNS = tuple(
    """Ashford Bellmont Brookfield Carlow Clifton Crossley Denby Dunmore Eastvale Elmstead Fairview Fenwick
    Glenmore Greystone Hadley Halden Harwick Hillside Holmfirth Ilford Kelham Kingsbridge Langley Larkhill Linden
    Lowick Maplewood Marlow Milton Newbury Northgate Oakdale Oldham Penrose Pinewood Radley Redcliff Rosedale
    Selby Shelton Southport Stanton Thornbury Tilbury Upton Wexford Whitby Woodley""".split()
)

HOUSE_FIRST = tuple(
    """Golden Silver Red Blue Green White Black Old Little Crooked Happy Quiet Merry Royal Rusty Sleepy Sunny
    Copper Velvet Wooden Hidden Jolly Painted Lucky""".split()
)
HOUSE_LAST = tuple(
    """Anchor Bear Bell Bridge Candle Castle Crown Dolphin Dragon Eagle Fiddle Fox Goose Hare Harbour Heron Horse
    Kettle Lamb Lantern Lion Mill Moon Orchard Otter Owl Oyster Pear Pheasant Plough Raven Rose Salmon Ship Spoon
    Stag Star Swan Tiger Violin""".split()
)
FIRST_NAMES = tuple(
    """Alice Anna Bella Carla Clara Diana Emma Frida Greta Hanna Ida Jana Julia Karin Lena Lisa Maria Mona Nina
    Olga Paula Rita Rosa Sofia Tina Vera""".split()
)
STREETS = tuple(
    """Abbey Baxter Birch Canal Cedar Chapel Church Garden Hazel Hill King Lake Market Meadow Museum Park Poplar Queen
    River School Spring Station Temple Tower Valley Willow""".split()
)

ROOMS = ("single", "double", "twin", "family")
SERVICES = ("haircut", "colouring", "perm", "shave", "wash")
CLASSES = ("first", "second")

SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}

# What a house allows or not: who asks it where. "breakfast" is a price, the others are yes or no.
TOPICS = {
    "restaurant": ("dogs", "smoking", "children", "parking", "cards", "garden", "vegan"),
    "hotel": ("dogs", "smoking", "children", "parking", "cards", "breakfast", "internet", "lift", "refunds"),
    "station": ("dogs", "bicycles", "refunds", "cards"),
    "salon": ("parking", "cards", "dogs", "children"),
    "doctor": ("parking", "lift", "cards", "children"),
}

# topic -> (subjects, what follows when allowed, what follows when not, circumstances). Whatever is picked, it holds for
# all that `QUESTIONS` asks about, and no circumstance leaves a part open.
RULES = {
    "dogs": (
        ("Dogs", "Pets", "Animals", "Dogs and cats"),
        ("are welcome", "may come along", "are allowed", "can come along", "are always welcome"),
        ("are not allowed", "are not welcome", "may not come along", "are forbidden", "cannot come along"),
        ("", "", " at any time", " on any day", " at any hour", " as a rule"),
    ),
    "smoking": (
        ("Smoking", "Smoking a cigarette", "Smoking tobacco"),
        ("is allowed", "is fine", "is possible", "is permitted"),
        ("is not allowed", "is forbidden", "is not possible", "is not permitted", "is against the rules"),
        ("", " here", " in the house", " at any time", " inside", " in any room"),
    ),
    "children": (
        ("Children", "Small children", "Kids", "Babies and children"),
        ("are welcome", "may come along", "are allowed", "are always welcome", "can come too"),
        ("are not allowed", "may not come along", "are not welcome", "cannot come along"),
        ("", " at any time", " on any day", " as a rule", " at any hour"),
    ),
    "parking": (
        ("Parking", "Parking a car", "Leaving a car"),
        ("is possible", "is free", "is easy", "is allowed"),
        ("is not possible", "is not allowed", "is forbidden", "is not permitted"),
        ("", " here", " at the house", " in the yard", " for visitors", " at any time"),
    ),
    "cards": (
        ("Cards", "Payment cards", "Bank and credit cards", "Credit and debit cards"),
        ("are accepted", "are taken", "are fine", "are welcome", "can be used"),
        ("are not accepted", "are not taken", "cannot be used", "are not welcome"),
        ("", " here", " at the till", " at the desk", " for any sum", " for payment"),
    ),
    "garden": (
        ("Seats in the garden", "Tables in the garden", "Garden seats", "Garden tables"),
        ("are available", "can be had", "are set up", "are ready", "can be reserved"),
        ("are not available", "cannot be had", "are not set up", "cannot be reserved"),
        ("", " now", " this week", " at present", " at this time of year", " this month"),
    ),
    "vegan": (
        ("Vegan dishes", "Vegan meals", "Vegan food and drinks", "Vegan starters and mains"),
        ("are on the menu", "are available", "can be ordered", "are served"),
        ("are not on the menu", "are not available", "cannot be ordered", "are not served"),
        ("", " at any time", " this week", " at lunch and dinner", " at lunch or dinner", " here"),
    ),
    "bicycles": (
        ("Bicycles", "Bikes", "Bicycles and scooters", "Bikes of any size"),
        ("are allowed", "may come along", "can be taken along", "are welcome"),
        ("are not allowed", "may not come along", "cannot be taken along", "are forbidden"),
        ("", " on the train", " on board", " on any train", " at any hour", " on any day"),
    ),
    "refunds": (
        ("Refunds", "Refunds after booking", "Refunds and exchanges"),
        ("are possible", "are given", "are allowed", "can be had"),
        ("are not possible", "are not given", "cannot be had", "are not offered"),
        ("", " here", " at the desk", " at any time", " as a rule", " in any case"),
    ),
    "internet": (
        ("Internet", "Internet access", "An internet connection"),
        ("is free", "is available", "is included", "is ready for use"),
        ("is not available", "is not offered", "cannot be had", "is not possible"),
        ("", " in all rooms", " in the rooms", " for guests", " at present", " in the house"),
    ),
    "lift": (
        ("A lift", "The lift"),
        ("is available", "can be used", "is in service", "is in use"),
        ("is not available", "cannot be used", "is not in service", "is not in use"),
        ("", " in the house", " at present", " at this address", " here", " by the entrance"),
    ),
    "first": (
        ("First class", "First class travel", "First class seating"),
        ("is available", "is possible", "is open"),
        ("is not available", "is not possible", "is closed", "cannot be had"),
        ("", " on these trains", " this week", " at the moment", " on this line", " on any train"),
    ),
}

# topic -> the same as the clerk says it, in words that hold whatever stands in the sheet: where parking is "allowed" it
# need not be free.
ANSWERS = {
    "dogs": (("Dogs", "Pets"), RULES["dogs"][1], RULES["dogs"][2]),
    "smoking": (("Smoking",), RULES["smoking"][1], RULES["smoking"][2]),
    "children": (("Children", "Small children"), RULES["children"][1], RULES["children"][2]),
    "parking": (("Parking", "Parking a car"), ("is possible", "is allowed", "is fine"), RULES["parking"][2]),
    "cards": (("Cards",), RULES["cards"][1], RULES["cards"][2]),
    "garden": (
        ("Seats in the garden", "Tables in the garden"),
        ("are available", "can be had"),
        RULES["garden"][2][:2],
    ),
    "vegan": (("Vegan dishes", "Vegan meals"), RULES["vegan"][1], RULES["vegan"][2]),
    "bicycles": (("Bicycles", "Bikes"), RULES["bicycles"][1], RULES["bicycles"][2]),
    "refunds": (("Refunds",), RULES["refunds"][1], RULES["refunds"][2]),
    "internet": (
        ("Internet", "Internet access"),
        ("is available", "can be had"),
        ("is not available", "cannot be had"),
    ),
    "lift": (("A lift",), RULES["lift"][1], RULES["lift"][2]),
}

# topic -> how a caller asks it: (openings, ends), each opening fits each end.
QUESTIONS = {
    "dogs": (
        ("can we bring", "may I bring", "could we bring along", "is it all right to bring", "am I allowed to bring"),
        ("our dog", "my dog", "a small dog", "our old dog", "my two dogs", "a puppy", "the dog"),
    ),
    "smoking": (
        (
            "can we smoke",
            "may I smoke",
            "is it all right to smoke",
            "is smoking allowed",
            "are guests allowed to smoke",
        ),
        ("inside", "there", "after dinner", "in the house", "indoors", "at all"),
    ),
    "children": (
        ("can we bring", "may I bring", "is it fine to bring", "could I come with", "am I allowed to bring"),
        ("our children", "my children", "a small child", "my two kids", "our kids", "a baby", "my little son"),
    ),
    "parking": (
        ("can I park", "is it possible to park", "could we park", "would I be able to park", "may I park"),
        ("at your place", "the car", "right there", "at the house", "our car there", "my car", "there"),
    ),
    "cards": (
        ("can I pay", "could we pay", "is it possible to pay", "may I pay", "would I be able to pay"),
        ("by card", "with a credit card", "with my card", "by bank card", "with a card there", "by credit card"),
    ),
    "garden": (
        ("can we sit", "could we sit", "is it possible to sit", "may we eat", "could we eat", "can we eat"),
        ("in the garden", "in your garden", "out in the garden", "in the garden if it is warm"),
    ),
    "vegan": (
        ("do you have", "do you serve", "can I order", "is there", "could we get", "would you have"),
        ("vegan food", "something vegan", "anything vegan", "vegan food for my wife", "something vegan for me"),
    ),
    "bicycles": (
        ("can I take", "may I take", "could we bring", "is it all right to bring", "am I allowed to take"),
        ("my bicycle", "a bike", "our bikes", "my bike on the train", "a bicycle along", "two bicycles"),
    ),
    "refunds": (
        ("can I get a refund", "could I get a refund", "is a refund possible", "do you give a refund"),
        (
            "if I fall ill",
            "if I cancel",
            "if my plans change",
            "if I cannot come",
            "if I have to cancel",
            "if something comes up",
        ),
    ),
    "internet": (
        ("do you have", "do you offer", "do the rooms have", "will I have", "could we have", "could I get"),
        ("internet", "internet access", "an internet connection", "internet for my work", "internet for two"),
    ),
    "lift": (
        ("is there", "do you have", "does the house have", "will there be", "can I count on"),
        ("a lift", "a lift for my mother", "a lift for my father", "a lift in the house", "a lift for heavy bags"),
    ),
    "first": (("is there",), ("a first class",)),
    "breakfast": (
        (
            "how much is",
            "what do you charge for",
            "what is the price of",
            "how much do I pay for",
            "what would I pay for",
        ),
        ("breakfast", "the breakfast", "a breakfast", "your breakfast", "breakfast at your place"),
    ),
    "price": (
        (
            "how much is",
            "what do you charge for",
            "what is the price of",
            "how much do I pay for",
            "what would I pay for",
        ),
        (),
    ),
}
