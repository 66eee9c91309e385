"""Which dictionary forms can an English word have? Suffix rules and a short table of irregular words; no data files.

It answers with a set, since spelling alone cannot tell ("hoped" and "hopped" it can, "lives" it cannot). Two words count as
one where their sets meet.
"""

from __future__ import annotations

import functools

__all__ = ["lemmas"]

_VOWELS = frozenset("aeiou")
_MIN_STEM = 2
_IRREGULAR = """
be am is are was were been being; have has had having; do does did done doing; go goes went gone going; say said; make made;
get got gotten getting; see saw seen; come came; know knew known; take took taken taking; find found; think thought; tell
told; become became; leave left leaving; feel felt; bring brought; begin began begun beginning; keep kept; hold held; write
wrote written writing; stand stood; hear heard; let letting; mean meant; set setting; meet met; run ran running; pay paid; sit
sat sitting; speak spoke spoken; lie lay lain lying; lead led; read; grow grew grown; lose lost losing; fall fell fallen; send
sent; build built; break broke broken; spend spent; cut cutting; rise rose risen rising; drive drove driven driving; buy
bought; wear wore worn; choose chose chosen choosing; eat ate eaten; drink drank drunk; swim swam swum swimming; sing sang
sung; throw threw thrown; catch caught; teach taught; fly flew flown flies; draw drew drawn; ride rode ridden riding; sleep
slept; win won winning; fight fought; hide hid hidden hiding; hit hitting; blow blew blown; shake shook shaken shaking; steal
stole stolen; sweep swept; swing swung; wake woke woken waking; sell sold; shoot shot; dig dug digging; feed fed; hang hung;
light lit; slide slid sliding; man men; woman women; child children; foot feet; tooth teeth; goose geese; mouse mice; person
people; knife knives; wife wives; life lives; leaf leaves; wolf wolves; shelf shelves; half halves; loaf loaves; tie tying;
die dying
"""


@functools.cache
def _irregular() -> dict[str, frozenset[str]]:
    table: dict[str, set[str]] = {}
    for line in _IRREGULAR.replace("\n", " ").split(";"):
        lemma, *forms = line.split()
        for form in (lemma, *forms):
            table.setdefault(form, {form}).add(lemma)
    return {form: frozenset(found) for form, found in table.items()}


@functools.lru_cache(maxsize=65_536)
def lemmas(word: str) -> frozenset[str]:
    """Return the dictionary forms that a word in lower case may have, itself included."""
    found = {word} | _irregular().get(word, frozenset())
    if word.endswith("ies") and len(word) > 4:
        found.add(word[:-3] + "y")
    elif word.endswith("es") and word[:-2].endswith(("s", "x", "z", "ch", "sh", "o")):
        found |= {word[:-2], word[:-1]}
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:
        found.add(word[:-1])
    if word.endswith("ied") and len(word) > 4:
        found.add(word[:-3] + "y")
    elif word.endswith("ed"):
        found |= _of_stem(word[:-2])
    elif word.endswith("ing"):
        found |= _of_stem(word[:-3])
    return frozenset(found)


def _of_stem(stem: str) -> set[str]:
    """Return what a verb may be whose -ed or -ing is taken off."""
    if len(stem) < _MIN_STEM or not any(letter in _VOWELS or letter == "y" for letter in stem):
        return set()
    if len(stem) > 2 and stem[-1] == stem[-2] and stem[-1] not in _VOWELS:
        return {stem, stem[:-1]}  # "hopp" is hop, "fill" is fill
    if _wants_e(stem):
        return {stem + "e"}
    return {stem, stem + "e"}


def _wants_e(stem: str) -> bool:
    """A short stem of consonants, one vowel, one consonant would have doubled its end ("hopping"), so an e was dropped."""
    if len(stem) < 2 or stem[-1] in "wxy" or stem[-1] in _VOWELS or stem[-2] not in _VOWELS:
        return False
    return not any(letter in _VOWELS or letter == "y" for letter in stem[:-2])
