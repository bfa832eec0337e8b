"""Detect personal data in text and replace it with placeholders. Pure.

E-mail addresses and handles have unambiguous patterns. Numbers do not: a price, year or size is not personal
data, but a phone, order or account number is. Numbers are classified in this order:

1. After a word that names an identifier ("order", "Kundennummer"), or in the format of one (IBAN): masked.
2. In the format of a date, a range of years, an amount, a measure or a list of sizes: kept.
3. A valid phone number of one of `REGIONS` in its national grouping (by phonenumbers): masked.
4. At least five consecutive digits, or nine in groups: masked.
"""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address
from itertools import pairwise
from typing import Literal, get_args

Kind = Literal["email", "mention", "phone", "number"]
PLACEHOLDER = re.compile(rf"\[(?:{'|'.join(get_args(Kind))})\]")
# Regions of phone numbers without a country code; each costs about 0.2 ms per text with many digits.
REGIONS = (
    "US",
    "GB",
    "DE",
    "FR",
    "IN",
    "ES",
    "IT",
    "BR",
    "JP",
    "AU",
    "NL",
    "PL",
    "CN",
    "MX",
    "CH",
    "SE",
    "DK",
    "ZA",
)

_MAY_HOLD = re.compile(r"[@＠]|::|\d\D*\d\D*\d|[\[({]\s?at\s?[\])}]|\sdot\s", re.IGNORECASE)
_EMAIL = re.compile(
    r"[\w.+%'-]{1,64}(?:[@＠]|\s?[\[({]\s?at\s?[\])}]\s?)[\w-]+(?:(?:\.|\s?[\[({]\s?dot\s?[\])}]\s?)[\w-]+)+|"
    r"[\w.+%'-]{1,64}\sat\s[\w-]+(?:\sdot\s[\w-]+)*\sdot\s"
    r"(?:com|net|org|edu|io|info|eu|de|fr|it|es|nl|pl|in|co|uk|us|ca|au|br|jp)\b",
    re.IGNORECASE,
)
_MENTION = re.compile(
    r"(?<![\w#])[^\W\d][\w.]{1,31}#(?!(?:19|20)\d\d)\d{4}(?!\w)|<(?:@[!&]?|#)\d+>|(?<![\w@])@(?:everyone|here)(?![^\W\d_])|(?<![\w@.])@[^\W\d]\w+"
)
_CURRENCY = (
    r"(?:rupees?|rs|inr|lakhs?|crores?|dollars?|usd|cad|aud|bucks|euros?|eur|pounds?|gbp|quid|yen|jpy|yuan|rmb|cny|won|"
    r"krw|kroner|kronor|kr|sek|nok|dkk|złoty(?:ch)?|zł|zl|pln|chf|francs?|franken|reais|real|brl|pesos?|mxn|rubles?|"
    r"roubles?|rub|liras?|tl|rand|zar|dirhams?|aed|riyals?|sar|baht|thb|rupiah|idr|ringgit|myr|sgd|hkd|nzd|huf|czk|"
    r"forints?|cents?|pence|grand)"
)
_SYMBOL = r"[$€£¥₹₩₽₺฿₫₪₴₦₱¢]"
_UNIT = (
    r"(?:%|percent|°|km|kms|kilomet(?:er|re)s?|k|m|met(?:er|re)s?|mi|miles?|ft|feet|foot|inch(?:es)?|yards?|yd|cm|mm|"
    r"steps?|schritte|pas|pasos|laps?|rounds?|pairs?|paar|paires?|people|persons?|personen|customers|kunden|users|"
    r"clients|reviews?|ratings?|votes?|orders|units?|pieces?|pcs|stück|items?|shoes?|sneakers?|boots?|shirts?|"
    r"products?|articles?|models?|stores?|shops?|countries|employees|members|followers|likes|views|subscribers|fans|"
    r"runners|athletes|players|times|hours?|hrs?|h|minutes?|mins?|seconds?|secs?|days?|weeks?|months?|years?|yrs?|"
    r"calories|kcal|cal|joules|kg|kgs|kilos?|g|grams?|mg|tons?|tonnes?|lbs?|oz|ounces?|ml|l|lit(?:er|re)s?|mah|wh|"
    r"kwh|watts?|volts?|gb|mb|kb|tb|px|pixels?|dpi|hz|mhz|ghz|rpm|bpm|lumens?|lux|words|characters|letters|points?|"
    r"pts|stars?|coins?|copies|downloads|sales|million|billion|thousand|mio|mrd|tausend|x|p)"
)
_AMOUNT = r"\d[\d.,'’]*(?:\s\d{3}(?!\d))*"
_PAID = (
    r"(?:paid|pays?|paying|costs?|cost\s+me|costing|priced?|price(?:\s+(?:is|was|of|at)|\s?[:=])|priced\s+at|worth|spent|spend|"
    r"under|over|below|above|less\s+than|more\s+than|up\s+to|at\s+least|at\s+most|around|about|almost|nearly|roughly|"
    r"approximately|budget(?:\s+(?:is|of))?|mrp|saved?|earned|kostet|kosten|bezahlt|costó|coûte)"
)
_YEAR = r"(?:1[89]|20)\d{2}"
_NOT_AFTER, _NOT_BEFORE = r"(?<![\w@#])", r"(?![\w@])"
_KEPT = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # dates and times
        rf"(?<!\d){_YEAR}[-/.](?:0?[1-9]|1[0-2])[-/.](?:0?[1-9]|[12]\d|3[01])"
        r"(?:[T ]\d{1,2}:\d{2}(?::\d{2})?)?(?!\d)",
        rf"(?<![\d.])(?:0?[1-9]|[12]\d|3[01])[-/.](?:0?[1-9]|[12]\d|3[01])[-/.](?:{_YEAR}|\d{{2}})(?![\d/.-]\d|\d)",
        rf"(?<!\d){_YEAR}(?:(?:\s?[-/–,&+]\s?|\s+|\s(?:and|to|or|und|bis|et|y)\s)(?:{_YEAR}|\d{{2}}))+(?!\d)",
        r"(?<![\d:])\d{1,2}:\d{2}(?::\d{2})?(?![\d:])",
        # amounts of money
        rf"{_SYMBOL}\s?{_AMOUNT}(?:\s?[-–]\s?{_SYMBOL}?{_AMOUNT})?k?",
        rf"\b{_CURRENCY}\.?\s?{_AMOUNT}(?:\s?[-–]\s?{_AMOUNT})?(?![-\w])",
        rf"(?<![\w.,-])(?:{_AMOUNT}\s?(?:[-–]|to|or|and|bis|à)\s?)?{_AMOUNT}(?:/-)?\s?(?:{_SYMBOL}|{_CURRENCY}\b)",
        rf"\b{_PAID}\s+(?:only\s+|just\s+|me\s+|us\s+)?{_AMOUNT}(?![-\w])",
        # counts and measures
        rf"(?<![\w.,-])(?:{_AMOUNT}\s?(?:[-–x×]|to|or|and|bis|à)\s?)?{_AMOUNT}\+?[\s-]?{_UNIT}(?![^\W\d_])",
        r"(?<![\w.,-])\d{1,3}(?:,\d{2,3})*,\d{3}(?:\.\d+)?(?![\w,]|-\d)",
        r"(?<![\w.,-])[1-9]\d{0,2}(?:[.'’]\d{3})+(?:,\d+)?(?![\w.'’]|-\d)",
        r"(?<![\w.,])\d{1,3}[.,]\d+(?![\w.,]?\d|\w)",
        r"(?<![\w.,-])\d{2,5}\s?[x×]\s?\d{2,5}(?:\s?[x×]\s?\d{2,5})?(?!\d)",
        r"(?<![\w.,-])(?<!\d )[1-9]\d{0,5}000(?![\w-]|[.,]\d| \d)",
        r"(?<![\w.,-])\d[\d,]*/-",
        rf"(?<![\w.,-]){_AMOUNT}\s+only(?!\w)",
        r"(?<![\w.,-])[1-9]\d{0,2}(?:[ \u202f]000)+(?![ \u202f]?\d)",
        # standards
        r"(?-i:(?<!\w)(?:ISO|DIN|EN|IEC|IEEE|ASTM|ANSI|RFC|JIS)(?:[ /-](?:ISO|EN|IEC))*[ -]?[A-Z]?"
        r"\d{3,5}(?:-\d{1,2})*"
        r"(?::(?:19|20)\d\d)?(?!\w|[ -]\d))",
        # style codes of products
        r"(?<![\w-])(?:[A-Z]{2}\d{4}|\d{6})-\d{3}(?![\w-])",
    )
)
_SIZES = re.compile(r"(?<![\w.])\d{1,2}(?:\.5)?(?:[\s,/-]{1,2}\d{1,2}(?:\.5)?){2,}(?!\w)")
_NAMED = re.compile(
    r"(?<![^\W\d_])(?:orders?|account|acct|a/c|customer|client|ticket|case|invoice|tracking|track|shipment|parcel|package|"
    r"reference|ref|booking|reservation|confirmation|member(?:ship)?|card|policy|contract|serial|passport|licen[cs]e|"
    r"ssn|iban|pin|bill|receipt|transaction|return|rma|claim|user|employee|loyalty|voucher|coupon|aadhaar|pan|"
    r"bestellung|bestellnummer|auftrag|auftragsnummer|rechnung|rechnungsnummer|kunde|kundennummer|konto|kontonummer|"
    r"sendung|sendungsnummer|vorgang|ausweis|vertrag|vertragsnummer|commande|facture|compte|client|colis|suivi|"
    r"pedido|factura|cuenta|cliente|envío|ordine|fattura|conto|spedizione|pedido|fatura|conta|bestelling|klant|"
    r"klantnummer|rekening|factuur|zamówienie|zamówienia|konta|faktura|beställning|ordre|siparis|sipariş)"
    r"(?P<sure>\s?(?:numbers?|num|no|nos|nr|nummer|id|ids|code|ref|reference|#|№|n[°ºo]|numéro|número|numero|numer)\b\.?|\s?n\.(?=\s?\d)|"
    r"\s?[#№:=]|\s?n[°º]|\s?(?:#|nr\.|no\.))*"
    r"(?:\s?(?:is|was|ist|war|est|es|è|:|=|-|#)\s?|\s)?\s?#?"
    r"(?P<id>(?:[A-Za-z]{1,5}[-_]?)?\d[\dA-Za-z]*(?:[-./ _]\d[\dA-Za-z]*)*)(?!\w)",
    re.IGNORECASE,
)
_SHAPES = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?<!\w)\d{3}-\d{2}-\d{4}(?!\w)",  # US Social Security
        r"(?<!\w)\d{3}-\d{7}-\d{7}(?!\w)",  # Amazon
        r"(?<!\w)1Z[0-9A-Z]{16}(?!\w)",  # UPS
        r"(?<!\w)[A-Z]{5}\d{4}[A-Z](?!\w)",  # Indian tax number
        r"(?<!\w)[A-Z]{2}\s?\d{2}\s?\d{2}\s?\d{2}\s?[A-D](?!\w)",  # British National Insurance
        r"(?<!\w)\d{3}\.\d{3}\.\d{3}-\d{2}(?!\w)",  # Brazilian tax numbers
        r"(?<!\w)\d{2}\.\d{3}\.\d{3}/\d{4}-\d{2}(?!\w)",
        # payment cards and Indian Aadhaar, but not adjacent years
        r"(?<![\w-])(?!(?:19|20)\d\d[ -](?:19|20)\d\d)\d{4}([ -])\d{4}\1\d{4}(?:\1\d{4})?(?![\w-]| \d)",
        r"(?<!\w)3[47]\d{2}[ -]\d{6}[ -]\d{5}(?!\w)",
        r"(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1\d\d|\d\d)\.(?:\d{1,3}\.){2}\d{1,3})(?![\w.]\d|\w)",  # IPv4
        r"(?<!\w)#\s?\d{4,}(?!\w)",
        r"(?<!\w)8[ -]?\(?\d{3}\)?[ -]?\d{3}[ -]\d{2}[ -]\d{2}(?!\w)",  # domestic Russian phone numbers
        r"(?<!\w)(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}(?!\w)",  # MAC address
        r"(?<![\w.])-?\d{1,2}\.\d{4,}°?\s?[NS]?\s?[,;]\s?-?\d{1,3}\.\d{4,}(?!\w)",  # coordinates
        r"(?<!\w)(?=(?:[A-Z]*\d){5})(?=\d*[A-Z])[A-HJ-NPR-Z\d]{17}(?!\w)",  # vehicle identification number
        r"(?<!\w)[A-Z]{2}[ -]?\d{1,2}[ -]?[A-Z]{1,3}[ -]?\d{4}(?!\w)",  # Indian plates
        r"(?i:(?<!\w)(?:(?:licen[cs]e|number)[ -]?plate|kennzeichen)(?:\s(?:number|no\.?|nr\.?|is))*)[ :#]+"
        r"(?=[A-Z -]*\d)(?=[\d -]*[A-Z])[A-Z\d]{1,4}(?:[ -]?[A-Z\d]{1,4}){1,3}(?!\w)",
        r"(?i:(?<!\w)(?:dob|date\sof\sbirth|birth\s?date|birthday|geburtsdatum|geburtstag)(?:\s(?:is|ist))?)"
        r"[ :]+\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?!\w)",
    )
)
_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:]*(?![\w:])")
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?:\s?[A-Z0-9]{4}){2,7}(?:\s?[A-Z0-9]{1,4})?(?!\w)")
_CALL = re.compile(
    r"(?<![^\W\d_])(?:tel|telephone|phone|call(?:ed|ing)?|ring|dial|mobile|cell|whatsapp|signal|fax|sms|text(?:ed)?|"
    r"hotline|handy|telefon|mobil|mobilnummer|rufnummer|ruf|anrufen|tél|téléphone|portable|móvil|teléfono|tlf|celular|"
    r"telefono|cellulare|telefone|telefoon|komórka)\.?(?:\s?(?:me|us|him|her|them|at|on|is|to|no|nr|number|nummer|unter|"
    r"auf|au|al|numbers?|[:#.=-]))*\s*(?P<id>\+?\(?\d[\d\s().\-/]{4,}\d)(?!\w)",
    re.IGNORECASE,
)
_PHONE_LIKE = re.compile(r"(?<![\w.,])(?:\+|00)?\(?\+?\d(?:[\s().\-/\u2010-\u2015]{0,3}\d){6,}(?!\w)")
_ZERO_FIRST = re.compile(r"(?:\+|00|\(?0)[\s().\-/\d]+")
_RUN = re.compile(r"(?<!\w)[^\W\d_]{0,6}\d{5,}\w*|\d{5,}")
_GROUPS = re.compile(r"(?<![\w.,])\d{2,}(?:[ -]\d{2,}){1,}(?!\w)")
MIN_GROUPED_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Span:
    """Personal data at `text[start:stop]`."""

    start: int
    stop: int
    kind: Kind


def find_personal_data(text: str) -> list[Span]:
    """Return all personal data in a text, in order and without overlaps."""
    if _MAY_HOLD.search(text) is None:
        return []
    found: list[Span] = []
    taken = bytearray(len(text))  # 1: personal data, 2: kept

    def take(spans: Iterator[Span]) -> None:
        for span in spans:
            if not any(taken[span.start : span.stop]):
                taken[span.start : span.stop] = b"\1" * (span.stop - span.start)
                found.append(span)

    take(Span(*match.span(), "email") for match in _EMAIL.finditer(text))
    take(Span(*match.span(), "mention") for match in _MENTION.finditer(text))
    take(_ibans(text))
    take(_addresses(text))
    for shape in _SHAPES:
        take(Span(*match.span(), "number") for match in shape.finditer(text))
    take(_called(text))
    take(_named(text))
    for start, stop in _kept(text):
        for at in range(start, stop):
            taken[at] = taken[at] or 2
    take(_phones(text))
    take(
        Span(*match.span(), "number")
        for match in _GROUPS.finditer(text)
        if _digits(match[0]) >= MIN_GROUPED_DIGITS
    )
    take(Span(*match.span(), "number") for match in _RUN.finditer(text))
    return sorted(found, key=lambda span: span.start)


def mask_personal_data(text: str) -> str:
    """Return the text with a placeholder for each piece of personal data. Idempotent."""
    while found := find_personal_data(text):  # a placeholder can uncover another match
        parts, end = [], 0
        for span in found:
            parts += [text[end : span.start], f"[{span.kind}]"]
            end = span.stop
        text = "".join([*parts, text[end:]])
    return text


def has_placeholder(text: str) -> bool:
    """Whether personal data was masked in a text."""
    return PLACEHOLDER.search(text) is not None


def _named(text: str) -> Iterator[Span]:
    """Yield numbers after a word that names an identifier; without a marker such as "no." only long ones."""
    for match in _NAMED.finditer(text):
        digits = _digits(match["id"])
        rest = text[match.end("id") :]
        if match["sure"]:
            is_id = digits >= 3
        elif re.match(rf"\s?-?(?:{_UNIT}|{_CURRENCY})(?![^\W\d_])", rest, re.IGNORECASE):
            is_id = False
        else:
            is_id = digits >= 5 or (digits == 4 and not re.fullmatch(_YEAR, match["id"]))
        if is_id:
            yield Span(*match.span("id"), "number")


def _called(text: str) -> Iterator[Span]:
    for match in _CALL.finditer(text):
        if 6 <= _digits(match["id"]) <= 15 and not _is_kept_whole(match["id"]):
            yield Span(*match.span("id"), "phone")


def _ibans(text: str) -> Iterator[Span]:
    for match in _IBAN.finditer(text):
        bare = re.sub(r"\s", "", match[0])
        if int("".join(str(int(character, 36)) for character in bare[4:] + bare[:4])) % 97 == 1:  # ISO 13616
            yield Span(*match.span(), "number")


def _addresses(text: str) -> Iterator[Span]:
    for match in _IPV6.finditer(text):
        with contextlib.suppress(AddressValueError):
            IPv6Address(match[0])
            if _digits(match[0]):
                yield Span(*match.span(), "number")


def _kept(text: str) -> Iterator[tuple[int, int]]:
    for pattern in _KEPT:
        for match in pattern.finditer(text):
            yield match.span()
    for match in _SIZES.finditer(text):
        sizes = [float(size) for size in re.findall(r"\d{1,2}(?:\.5)?", match[0])]
        if all(0 < after - before <= 4 for before, after in pairwise(sizes)):
            yield match.span()


def _is_kept_whole(text: str) -> bool:
    return any(start == 0 and stop == len(text) for start, stop in _kept(text))


def _phones(text: str) -> Iterator[Span]:
    """Yield phone numbers. Imports phonenumbers, which takes 30 ms, only if there are candidates."""
    candidates = [match for match in _PHONE_LIKE.finditer(text) if _digits(match[0]) <= 15]
    if not candidates:
        return
    import phonenumbers

    grouped = phonenumbers.Leniency.STRICT_GROUPING
    for match in candidates:
        is_clear = _ZERO_FIRST.fullmatch(match[0]) and _digits(match[0]) >= 9
        if is_clear or any(
            next(iter(phonenumbers.PhoneNumberMatcher(match[0], region, grouped)), None) for region in REGIONS
        ):
            yield Span(*match.span(), "phone")


def _digits(text: str) -> int:
    return sum(character.isdigit() for character in text)
