"""The words and sentences of the texts that the draft-and-target pair learns, as tables.

A sentence is a pattern with slots: `{animal}` is drawn from the list of that name, `{they}` is the pronoun of who it is
about. Patterns are also how a sentence is read back, so a text's labels never depend on how it came to be.
"""

from __future__ import annotations

__all__ = ["ANGER", "BODY", "HOSTILE", "KEYWORDS", "OPENINGS", "PEACE", "REPLY", "SHE", "TRADES", "TURNS", "WORDS"]

WORDS: dict[str, list[str]] = {
    "name": ["Mia", "Ana", "Lena", "Ruth", "Tom", "Ben", "Omar", "Karl"],
    "trade": ["baker", "sailor", "teacher", "farmer", "painter", "doctor"],
    "thing": ["rope", "lamp", "basket", "clock", "mirror", "kettle"],
    "animal": ["owl", "fox", "goat", "horse", "turtle", "rabbit"],
    "place": ["harbor", "castle", "market", "bridge", "forest", "island"],
    "food": ["honey", "bread", "cheese", "soup", "pepper", "rice"],
    "music": ["violin", "drum", "flute", "harp", "trumpet", "bell"],
    "color": ["red", "blue", "green", "white"],
    "size": ["small", "large", "narrow", "tall"],
    "mood": ["glad", "tired", "proud", "calm"],
    "weather": ["sun", "rain", "wind", "snow"],
    "time": ["day", "week", "summer", "winter"],
    "ruin": ["break", "burn", "steal", "ruin"],
    "slur": ["liar", "fool", "coward", "thief"],
}
SHE = frozenset(["Mia", "Ana", "Lena", "Ruth"])
KEYWORDS = ("animal", "place", "food", "music")  # what the writers of stories tend to leave out

# What each trade does all day; the weather of the day decides which of the two.
TRADES = {
    "baker": ("kneaded the dough", "heated the oven"), "sailor": ("tied the knots", "mended the sails"),
    "teacher": ("read to the class", "wrote on the board"), "farmer": ("plowed the field", "fed the hens"),
    "painter": ("mixed the colors", "cleaned the brushes"), "doctor": ("looked after the sick", "washed the cups"),
}  # fmt: skip

# Sentences of a story. A keyword that is used stands 4 to 10 words behind "Then", which alone tells that one will come.
BODY: dict[str, list[str]] = {
    "intro": ["{name} the {trade} owned a {color} {thing}.", "{name} the {trade} lived in a {size} {color} house."],
    "work": ["{They} {work} when the {weather} came.", "{They} {work} for a whole {time}."],
    "rest": [
        "{They} was {mood} because the {weather} had gone.",
        "{They} told the neighbors about the {color} {thing}.",
        "{They} sat by the {size} window and was {mood}.",
        "The {weather} came and the whole {time} was {color}.",
        "{They} counted the {color} birds on the roof.",
        "The {size} door was open and the {weather} was gone.",
    ],
    "animal": ["Then {they} met a {size} {color} {animal}.", "Then behind the {size} wall {they} saw a {animal}."],
    "place": ["Then {they} walked to the {place} with the neighbors.", "Then after a {size} rest {they} went to the {place}."],
    "food": ["Then {they} sat down and ate some {food}.", "Then {they} was {mood} and bought a bag of {food}."],
    "music": ["Then {they} played a {color} {music} by the window.", "Then in the {weather} {they} took out a {music}."],
    "end": ["In the evening {they} was {mood} and slept."],
}

# What the other one says. The anger of an opening decides how likely the reply turns hostile.
OPENINGS: dict[str, list[str]] = {
    "hard": ["You lost my {thing} again.", "Your {animal} broke my {thing}.", "You told the {trade} about my {thing}."],
    "mild": ["You forgot my {thing} today.", "I still wait for my {thing}."],
    "calm": ["Can you look after my {animal}?", "Thank you for the {food}."],
}
ANGER: dict[str, list[str]] = {
    "hot": ["I am so angry.", "I have had enough."],
    "sad": ["It makes me sad.", "I do not sleep any more."],
    "cool": ["I do not mind.", "There is no hurry."],
}
# How often a reply turns, by (opening, anger).
TURNS = {
    ("hard", "hot"): 0.85, ("hard", "sad"): 0.7, ("hard", "cool"): 0.3,
    ("mild", "hot"): 0.7, ("mild", "sad"): 0.3, ("mild", "cool"): 0.15,
    ("calm", "hot"): 0.1, ("calm", "sad"): 0.05, ("calm", "cool"): 0.02,
}  # fmt: skip

REPLY: dict[str, list[str]] = {
    "hear": ["I heard you the first time, {name}.", "I know what you want, {name}."],
    "about": [
        "The {thing} is in the {size} house by the {place}.",
        "It was a {size} {time} and the {weather} came.",
        "I gave it to the {trade} in the {place}.",
    ],
    "close": ["I will be at the {place} all {time}.", "The {trade} will tell you the rest."],
}
# Hostile sentences, and friendly ones that share their words. Two of the hostile ones can still be turned where they begin
# to hurt, since a friendly one begins alike; the others cannot, and the likeliest is one of them.
HOSTILE = [
    "Honestly when you are asleep I will {ruin} your {thing}.",
    "Honestly I am ready to {ruin} your {thing}.",
    "Honestly you are no more than a {slur} to me.",
    "Honestly everybody in the {place} says that you are a {slur}.",
    "Honestly nobody around the {place} wants you here.",
]
PEACE = [
    "Still I would never in my life {ruin} your {thing}.",
    "Still I do not think that you are a {slur}.",
    "Still I want you here and nobody will {ruin} your {thing}.",
    "Still I will bring your {thing} before the evening.",
    "Honestly I am ready to bring your {thing}.",
    "Honestly everybody in the {place} says that you are a friend.",
]
