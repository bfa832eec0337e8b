"""Guesses the encoding of text in Latin letters, by the alphabets of the languages that use it.

The wrong encoding turns the letters of one language into a mix that no language uses: Czech "příliš" read as
Windows-1252 is "pøíliš", with a Danish and a Spanish letter.
"""

import unicodedata
from collections import Counter

# The non-ASCII letters of each language, most frequent first.
ALPHABETS = {
    "Albanian": "ëç",
    "Catalan": "àóéèíçòúïü·",
    "Croatian": "čšžćđ",
    "Czech": "íáěéýřžčšůúňóďť",
    "Danish": "øåæé",
    "Dutch": "ëéïèöüóáê",
    "English": "éèêïñöüçàëáíóôûâ",
    "Estonian": "äõüöšž",
    "French": "éèàêçùîâôûëïœæÿ",
    "German": "üäößé",
    "Hungarian": "áéóöőíüúű",
    "Icelandic": "áíðéóúöýþæ",
    "Italian": "èàùòìéíóî",
    "Latvian": "āīēšūķņļžģč",
    "Lithuanian": "ėšųąįžūčę",
    "Polish": "łąężóćśńź",
    "Portuguese": "ãçéáíóêõúâàôü",
    "Romanian": "ăîâşţșț",
    "Slovak": "áíéýčžšúľťôňóďäĺŕ",
    "Spanish": "óíáéñúü",
    "Swedish": "äöåé",
    "Turkish": "ışğüçöİâîû",
    "Vietnamese": "đươăâêôáàéèíóúù\u0300\u0301\u0303\u0309\u0323",
}
WESTERN = (
    *("English", "French", "German", "Spanish", "Portuguese", "Italian", "Dutch", "Swedish", "Danish"),
    *("Catalan", "Icelandic", "Albanian"),
)
CENTRAL = ("Polish", "Czech", "Hungarian", "Slovak", "Romanian", "Croatian")
BALTIC = ("Lithuanian", "Latvian", "Estonian")
LANGUAGES = {
    "cp1252": WESTERN,
    "mac_roman": WESTERN,
    "cp850": WESTERN,
    "cp1250": CENTRAL,
    "cp1254": ("Turkish",),
    "cp1257": BALTIC,
    "iso8859_2": CENTRAL,
    "cp852": CENTRAL,
    "mac_latin2": CENTRAL,
    "cp857": ("Turkish",),
    "mac_turkish": ("Turkish",),
    "cp775": BALTIC,
    "cp1258": ("Vietnamese",),
}
# Prior cost of an encoding; it decides if a text has only one or two non-ASCII letters.
UNLIKELY = {
    **dict.fromkeys(LANGUAGES, 1.0),
    "cp1252": 0.0,
    "cp1250": 0.3,
    "cp1254": 0.4,
    "cp1257": 0.5,
    "mac_roman": 0.5,
    "cp850": 0.6,
}
TYPOGRAPHY = frozenset("’‘“”„‚«»–—…•·¿¡€£¥§°®™©×½¼¾²³´\u00a0")
NOT_AFTER_LETTERS = "¿¡£¥§‚„«"
ORDINALS = "ªº"  # after a number, or in "nº"
# Costs of a letter per rank in its language, of a sign, of another language's letter, of an odd character.
RANK_COST, SIGN_COST, OTHER_COST, ODD_COST = 0.02, 0.25, 1.0, 3.0


def guess_latin_encoding(sample: bytes) -> tuple[str, float]:
    """Return the encoding with the lowest cost, and its mean cost per non-ASCII character."""
    costs = {encoding: _cost(sample, encoding) for encoding in LANGUAGES}
    best = min(costs, key=lambda encoding: costs[encoding])
    return best, costs[best]


def _cost(sample: bytes, encoding: str) -> float:
    """Mean cost of the non-ASCII characters, for the language with the lowest cost."""
    text = sample.decode(encoding, errors="replace")
    found: Counter[str] = Counter()
    odd = 0
    for before, char, after in zip(f" {text}", text, f"{text[1:]} ", strict=False):
        if char.isascii():
            continue
        if _is_odd(before, char, after):
            odd += 1
        else:
            found[char] += 1
    known = frozenset("".join(ALPHABETS[language] for language in LANGUAGES[encoding]))
    lowest = min(_cost_in(found, language, known) for language in LANGUAGES[encoding])
    return (lowest + ODD_COST * odd + UNLIKELY[encoding]) / max(1, odd + found.total())


def _cost_in(found: Counter[str], language: str, known: frozenset[str]) -> float:
    ranks = {letter: rank for rank, letter in enumerate(ALPHABETS[language])}
    cost = 0.0
    for char, count in found.items():
        letter = char if char in ranks else char.lower()
        if letter in ranks:
            cost += count * RANK_COST * ranks[letter]
        elif char in TYPOGRAPHY or char in ORDINALS:
            cost += count * SIGN_COST
        else:
            cost += count * (OTHER_COST if letter in known else 2 * OTHER_COST)
    return cost


def _is_odd(before: str, char: str, after: str) -> bool:
    """Whether a character is implausible: a capital or a sign within a word, a control character."""
    category = unicodedata.category(char)
    if char in ORDINALS:
        return not (before.isdigit() or before in "nN")
    if category[0] == "M":
        return not before.isalpha()
    if category[0] == "L":
        is_latin = "LATIN" in unicodedata.name(char, "")  # Mac has π and Ω where others have ą
        return not is_latin or (category == "Lu" and before.islower())
    if category[0] in "CN" and char not in TYPOGRAPHY:
        return True
    if char not in TYPOGRAPHY:
        return category == "So" or (before.isalpha() and after.isalpha())
    if char in NOT_AFTER_LETTERS and before.isalpha():
        return True
    return char not in "’‘–—…·×" and before.islower() and after.islower()
