"""How an e-invoice writes what the tables hold: the code lists that EN 16931 prescribes."""

from __future__ import annotations

import re

from stdnum.eu import vat

# UN/ECE Recommendation 20 (BT-130).
UNITS = {
    "piece": "C62", "hour": "HUR", "day": "DAY", "month": "MON", "kilometre": "KMT", "flat": "C62",
}  # fmt: skip
# UNTDID 5305 (BT-118, BT-151): a reduced rate is the standard category with its own rate.
TAX_CATEGORIES = {
    "standard": "S", "reduced": "S", "zero": "Z", "exempt": "E", "reverse_charge": "AE",
}  # fmt: skip
INVOICE, CREDIT_NOTE = "380", "381"  # UNTDID 1001 (BT-3)
CREDIT_TRANSFER, SEPA_CREDIT_TRANSFER = "30", "58"  # UNTDID 4461 (BT-81)
DISCOUNT = "95"  # UNTDID 5189 (BT-140)
REVERSE_CHARGE = "VATEX-EU-AE"  # CEF VATEX (BT-121)

# ISO 3166-1 alpha-2 (BT-40, BT-55).
_COUNTRIES = """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR
    BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ
    EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW
    GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY
    KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV
    MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY
    QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG
    TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM
    ZW
"""
COUNTRIES = frozenset(_COUNTRIES.split())
EU = frozenset(code.upper() for code in vat.MEMBER_STATES)
# Where the prefix of a VAT identifier is not the country's code.
_VAT_PREFIXES = {"GR": "EL"}


def country_code(address: object) -> str | None:
    """The ISO 3166 code of an address, where it says one; a name of a country is none."""
    given = address.get("country") if isinstance(address, dict) else None
    code = given.strip().upper() if isinstance(given, str) else None
    return code if code in COUNTRIES else None


def is_vat_id(number: str, country: str) -> bool:
    """Whether a tax number is a VAT identifier (BT-31, BT-48) and not one of a tax office.

    It begins with its country's code (BR-CO-9); one of the EU has that state's check digits too.
    """
    compact = number_text(number)
    if vat.is_valid(compact):
        return True
    prefix = _VAT_PREFIXES.get(country, country)
    known = country not in EU and compact.startswith(prefix)
    return known and re.search(r"\d", compact) is not None


def number_text(number: str) -> str:
    """A number that people write with blanks, dots and hyphens, without them."""
    return re.sub(r"[\s.\-]", "", number).upper()
