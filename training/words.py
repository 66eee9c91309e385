# ruff: noqa: E501, SIM905 (word lists are wider and are easier to read as text)
"""Words, names and values for the synthetic extraction tasks.

Half of all names are invented from syllables, so that a model cannot learn them by heart and has to copy. What is
held out for evaluation is decided by a checksum of the text itself (`is_held_out`), so no list has to be kept twice.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

ONSETS = "b c d f g h j k l m n p r s t v w z br ch dr fl gr kl pr sh st th tr qu".split()
VOWELS = "a e i o u ai ea io ou y".split()
CODAS = ["", "", "", "n", "r", "l", "s", "t", "m", "nd", "rk", "ck", "x"]

FIRST_NAMES = """Ada Alan Grace Linus Maria Jonas Clara Omar Aisha Wei Yuki Carlos Elena Ivan Fatima Noah Emma Liam Olivia Sofia
Lucas Mia Anna Peter Paul John Jane Alice Bob Carol David Eve Frank Henry Irene Julia Kevin Laura Mark Nina Oscar Rosa Sam Tina
Victor Wendy Zoe Priya Raj Kofi Amara Bjorn Ingrid Hassan Leila Diego Lucia Pavel Olga Marek René Zoë José Jürgen""".split()
LAST_NAMES = """Lovelace Turing Hopper Smith Jones Brown Miller Davis Garcia Wilson Moore Taylor Lee White Harris Clark Lewis Walker
Hall Young King Wright Scott Green Baker Adams Nelson Carter Mitchell Perez Roberts Turner Phillips Campbell Parker Evans Edwards
Collins Stewart Morris Rogers Reed Cook Morgan Bell Murphy Bailey Cooper Kim Chen Singh Khan Novak Rossi Schmidt Weber Müller
Andersen Kowalski Tanaka Okafor""".split()
CITIES = """Oslo Rome Paris London Berlin Madrid Lisbon Vienna Prague Warsaw Dublin Athens Cairo Lagos Nairobi Mumbai Delhi Tokyo Osaka
Kyoto Seoul Beijing Shanghai Sydney Toronto Boston Chicago Denver Austin Seattle Lima Bogota Quito Santiago Hamburg Munich Zürich Geneva
Milan Naples Porto Bergen Helsinki Stockholm Copenhagen Amsterdam Brussels Lyon Marseille Istanbul Ankara Dubai Manila Hanoi""".split()
CITIES += ["New York", "San Francisco", "Cape Town", "Hong Kong", "Los Angeles", "Rio de Janeiro", "São Paulo", "Tel Aviv"]
COUNTRIES = """Norway Italy France Germany Spain Portugal Austria Poland Ireland Greece Egypt Nigeria Kenya India Japan Korea China
Australia Canada Peru Chile Brazil Mexico Finland Sweden Denmark Belgium Turkey Vietnam Iceland Hungary Romania Ghana Morocco""".split()
JOBS = """engineer doctor nurse teacher baker lawyer pilot chef farmer painter writer editor plumber carpenter librarian architect
designer programmer accountant manager dentist driver singer actor scientist translator gardener mechanic""".split()
THINGS = """lamp chair table desk laptop phone keyboard monitor printer camera bicycle helmet jacket coat shirt backpack umbrella kettle
toaster blender pan knife book notebook pencil pen mug bottle clock watch mirror sofa carpet pillow blanket drill hammer ladder tent
guitar piano violin drone tablet speaker headset charger cable router battery bucket shovel candle vase wallet puzzle""".split()
COLORS = "red blue green yellow black white grey purple orange pink brown silver gold".split()
FOODS = """rice beans tomato onion garlic basil cheese butter flour sugar salt pepper egg milk cream chicken fish potato carrot spinach
lemon apple pear mint honey bread pasta olive mushroom corn""".split()
TITLE_WORDS = """River Night Garden Stone Winter Summer Silent Golden Broken Hidden Last First Long Red Blue Dark Bright Empty Small
House Road Sea Mountain Forest City Dream Letter Mirror Shadow Song Clock Island Harbor Bridge Window Door Star Moon Fire Rain""".split()
TOPICS = """music chess hiking cooking painting reading swimming travel history gardening football tennis photography cycling yoga sales
support billing security network storage search login reports design testing hiring training marketing finance research""".split()
LANGUAGES = (
    "English French German Spanish Italian Polish Hindi Arabic Japanese Korean Chinese Turkish Dutch Greek Swedish".split()
)
MONTHS = "January February March April May June July August September October November December".split()
NUMBER_WORDS = "zero one two three four five six seven eight nine ten eleven twelve".split()
NOUNS = """amount area artist author badge balance battery bonus branch budget building campaign capacity captain category channel chapter
client climate coach code colour comment course credit crew currency deadline delay density depth device diet direction discount distance
district domain driver duration editor energy engine entry exam expense factory fee flavor folder format frequency fuel garden gate goal
grade group guide height host husband income industry insurance invoice keeper label lake landlord lawyer leader league length level license
limit link lock machine manager margin market material maximum medal mentor metal mileage minimum mission mode model mood motor museum neighbor
nickname number operator origin owner parcel parish partner password patient pattern payment period pet planet platform player port position
postcode power prize profile program project province quota race rank rate ratio reason region rent result revenue reward river role route
sample scale school score season section sender series server session share shelf shift side signal size skill skipper source species speed
sponsor square stage station steward street student studio style subject supplier surface target task tax teacher team tenant term theme
topic total tower trainer treatment type uncle vendor version village voltage volume wage wall width wife winner witness yield zone""".split()


@dataclass(frozen=True)
class Value:
    """A value twice: as JSON data, and as the text spells it."""

    data: Any
    spoken: str


def is_held_out(text: str) -> bool:
    """Whether `text` (a word, phrase or key) is kept away from training. About one in seven is."""
    return zlib.crc32(text.encode()) % 7 == 0


def pick(rng: random.Random, options: Sequence[str], held_out: bool) -> str:
    """One of the options of the wanted side of the split; any option when that side is empty."""
    side = [option for option in options if is_held_out(option) == held_out]
    return rng.choice(side or options)


def invented_word(rng: random.Random, held_out: bool) -> str:
    while True:
        count = rng.choice((1, 2, 2, 2, 3, 3))
        word = "".join(
            rng.choice(ONSETS) + rng.choice(VOWELS) + (rng.choice(CODAS) if i or count == 1 else "") for i in range(count)
        )
        if is_held_out(word) == held_out and len(word) > 2:
            return word


def _proper(rng: random.Random, listed: Sequence[str], held_out: bool, share_invented: float = 0.65) -> str:
    return invented_word(rng, held_out).capitalize() if rng.random() < share_invented else pick(rng, listed, held_out)


def person(rng: random.Random, held_out: bool) -> Value:
    name = _proper(rng, FIRST_NAMES, held_out)
    if rng.random() < 0.55:
        name += " " + _proper(rng, LAST_NAMES, held_out)
    return Value(name, name)


def place(rng: random.Random, held_out: bool) -> Value:
    name = _proper(rng, CITIES, held_out, 0.55)
    return Value(name, name)


def country(rng: random.Random, held_out: bool) -> Value:
    name = _proper(rng, COUNTRIES, held_out, 0.4)
    return Value(name, name)


def brand(rng: random.Random, held_out: bool) -> Value:
    name = _proper(rng, TITLE_WORDS, held_out, 0.75)
    if rng.random() < 0.3:
        name += " " + rng.choice(("Labs", "Works", "Group", "Systems", "Trading", "Foods", "Motors", "Partners", "Studio"))
    return Value(name, name)


def title(rng: random.Random, held_out: bool) -> Value:
    words = [_proper(rng, TITLE_WORDS, held_out, 0.3) for _ in range(rng.choice((1, 2, 2, 3)))]
    name = ("The " if rng.random() < 0.3 else "") + " ".join(words)
    return Value(name, name)


def noun_from(listed: Sequence[str], share_invented: float):
    def make(rng: random.Random, held_out: bool) -> Value:
        word = invented_word(rng, held_out) if rng.random() < share_invented else pick(rng, listed, held_out)
        return Value(word, word)

    return make


def integer(low: int, high: int):
    """Integers with a varied number of digits; small ones are sometimes spelled out in the text."""

    def make(rng: random.Random, held_out: bool) -> Value:
        digits = rng.randint(len(str(low)), len(str(high)))
        number = min(max(rng.randrange(10 ** (digits - 1) if digits > 1 else 0, 10**digits), low), high)
        spelled = number <= 12 and low >= 0 and rng.random() < 0.2
        return Value(number, NUMBER_WORDS[number] if spelled else str(number))

    return make


def decimal(low: float, high: float, places: int):
    def make(rng: random.Random, held_out: bool) -> Value:
        number = round(rng.uniform(low, rng.choice((high, high, low + (high - low) / 20))), rng.choice((1, places)))
        return Value(number, f"{number:.2f}" if places == 2 and rng.random() < 0.15 else repr(number))

    return make


def date(rng: random.Random, held_out: bool) -> Value:
    year, month, day = rng.randrange(1950, 2040), rng.randrange(1, 13), rng.randrange(1, 29)
    iso = f"{year}-{month:02d}-{day:02d}"
    style = rng.random()
    if style < 0.65:
        return Value(iso, iso)
    name = MONTHS[month - 1]
    return Value(iso, f"{day} {name} {year}" if style < 0.85 else f"{name} {day}, {year}")


def clock(rng: random.Random, held_out: bool) -> Value:
    text = f"{rng.randrange(24):02d}:{rng.randrange(60):02d}"
    return Value(text, text)


def code(rng: random.Random, held_out: bool) -> Value:
    letters = "".join(rng.choice("ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(rng.choice((1, 2, 2, 3))))
    text = letters + rng.choice(("-", "-", "", "/")) + str(rng.randrange(10 ** rng.choice((1, 2, 3, 4)), 10**5))
    return Value(text, text)


def email(rng: random.Random, held_out: bool) -> Value:
    user = invented_word(rng, held_out) if rng.random() < 0.6 else pick(rng, FIRST_NAMES[:50], held_out).lower()
    if rng.random() < 0.25:
        user += rng.choice((".", "_")) + invented_word(rng, held_out)
    text = user + "@" + invented_word(rng, held_out) + rng.choice((".com", ".org", ".net", ".io", ".de"))
    return Value(text, text)


def phone(rng: random.Random, held_out: bool) -> Value:
    text = rng.choice(("+", "+", "0")) + str(rng.randrange(10, 99)) + rng.choice((" ", "-")) + str(rng.randrange(10**4, 10**7))
    return Value(text, text)


def list_of(make, longest: int = 4):
    def make_list(rng: random.Random, held_out: bool) -> Value:
        items = [make(rng, held_out) for _ in range(rng.choice((1, 2, 2, 3, 3, longest)))]
        words = [item.spoken for item in items]
        last = rng.choice((" and ", " and ", ", "))
        return Value([item.data for item in items], ", ".join(words[:-1]) + last + words[-1] if len(words) > 1 else words[0])

    return make_list


MAKERS = {
    "person": person, "place": place, "country": country, "brand": brand, "title": title, "date": date, "clock": clock,
    "code": code, "email": email, "phone": phone,
    "thing": noun_from(THINGS, 0.35), "job": noun_from(JOBS, 0.25), "color": noun_from(COLORS, 0.1), "topic": noun_from(TOPICS, 0.2),
    "word": noun_from(THINGS + TOPICS, 0.8),
    "age": integer(1, 99), "small": integer(1, 60), "count": integer(1, 9999), "big": integer(10, 999999), "year": integer(1800, 2039),
    "money": decimal(0.5, 2000, 2), "measure": decimal(-40, 400, 1), "rating": decimal(0, 10, 1), "weight": decimal(0.1, 90, 2),
    "people": list_of(person), "words": list_of(noun_from(TOPICS, 0.35)), "foods": list_of(noun_from(FOODS, 0.2)),
    "languages": list_of(noun_from(LANGUAGES, 0.0)), "colors": list_of(noun_from(COLORS, 0.1)), "numbers": list_of(integer(1, 999)),
}  # fmt: skip

JSON_TYPES = {
    **dict.fromkeys(
        "person place country brand title date clock code email phone thing job color topic word".split(), "string"
    ),
    **dict.fromkeys("age small count big year".split(), "integer"),
    **dict.fromkeys("money measure rating weight".split(), "number"),
    **dict.fromkeys("people words foods languages colors".split(), "[string]"),
    "numbers": "[integer]",
    "bool": "boolean",
}
