"""A final invoice or a credit note as data: EN 16931 in the Cross Industry Invoice syntax.

Pure: the same facts give the same bytes. The terms (BT-…) and rules (BR-…) are those of EN 16931;
the order of the elements is the schema's of Factur-X, profile EN 16931.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from webapp.services.billing import einvoice_codes as codes

PROFILE = "urn:cen.eu:en16931:2017"
_URN = "urn:un:unece:uncefact:data:standard:"
_NAMESPACES = {
    "xmlns:rsm": f"{_URN}CrossIndustryInvoice:100",
    "xmlns:ram": f"{_URN}ReusableAggregateBusinessInformationEntity:100",
    "xmlns:udt": f"{_URN}UnqualifiedDataType:100",
    "xmlns:qdt": f"{_URN}QualifiedDataType:100",
}
# What XML 1.0 cannot hold.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# An element: its name, and its text, its children, or nothing when there is no such fact.
_Node = tuple[str, Any]


def einvoice(view: Mapping[str, Any]) -> bytes | None:
    """Return the XML of what an invoice's document shows (`documents.invoice_view`).

    None where EN 16931 has no invoice: without the country of both parties (BR-9, BR-11), as of
    a person whose address is not known.
    """
    parties = view["seller"], view["buyer"]
    if not all(codes.country_code(party["address"]) for party in parties):
        return None
    root = Element("rsm:CrossIndustryInvoice", _NAMESPACES)
    is_note = view["kind"] == "credit_note"
    _write(
        root,
        [
            (
                "rsm:ExchangedDocumentContext",
                [("GuidelineSpecifiedDocumentContextParameter", [("ID", PROFILE)])],
            ),
            (
                "rsm:ExchangedDocument",
                [
                    ("ID", view["number"]),
                    ("TypeCode", codes.CREDIT_NOTE if is_note else codes.INVOICE),
                    ("IssueDateTime", _day(view["issued_on"])),
                    ("IncludedNote", [("Content", view["notes"])]),
                ],
            ),
            (
                "rsm:SupplyChainTradeTransaction",
                [
                    *(_line(n, line) for n, line in enumerate(view["lines"], start=1)),
                    ("ApplicableHeaderTradeAgreement", _agreement(view)),
                    # Required by the schema, also where there is nothing to say.
                    ("ApplicableHeaderTradeDelivery", _delivery(view) or ()),
                    ("ApplicableHeaderTradeSettlement", _settlement(view)),
                ],
            ),
        ],
    )
    body: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return body


def _line(n: int, line: Mapping[str, Any]) -> _Node:
    discounted = line["discount"] != "0.00"
    return "IncludedSupplyChainTradeLineItem", [
        ("AssociatedDocumentLineDocument", [("LineID", str(n))]),
        ("SpecifiedTradeProduct", [("Name", line["name"]), ("Description", line["description"])]),
        (
            "SpecifiedLineTradeAgreement",
            [("NetPriceProductTradePrice", [("ChargeAmount", line["price"])])],
        ),
        (
            "SpecifiedLineTradeDelivery",
            [("BilledQuantity", (line["quantity"], {"unitCode": codes.UNITS[line["unit"]]}))],
        ),
        (
            "SpecifiedLineTradeSettlement",
            [
                (
                    "ApplicableTradeTax",
                    [
                        ("TypeCode", "VAT"),
                        ("CategoryCode", codes.TAX_CATEGORIES[line["tax_category"]]),
                        ("RateApplicablePercent", line["tax_rate"]),
                    ],
                ),
                (
                    "SpecifiedTradeAllowanceCharge",
                    [
                        ("ChargeIndicator", [("udt:Indicator", "false")]),
                        ("ActualAmount", line["discount"]),
                        ("ReasonCode", codes.DISCOUNT),
                        ("Reason", "Discount"),
                    ]
                    if discounted
                    else None,
                ),
                (
                    "SpecifiedTradeSettlementLineMonetarySummation",
                    [("LineTotalAmount", line["total"])],
                ),
            ],
        ),
    ]


def _agreement(view: Mapping[str, Any]) -> list[_Node]:
    seller, buyer = view["seller"], view["buyer"]
    return [
        ("SellerTradeParty", _seller(seller)),
        ("BuyerTradeParty", _buyer(buyer)),
        ("SellerOrderReferencedDocument", [("IssuerAssignedID", view["order_number"])]),
    ]


def _seller(seller: Mapping[str, Any]) -> list[_Node]:
    number = seller["tax_id"]
    with_vat = codes.is_vat_id(number, _country(seller))
    return [
        # A number of the tax office alone does not identify the seller (BR-CO-26).
        ("ID", None if with_vat else number),
        ("Name", seller["name"]),
        _address(seller["address"]),
        ("SpecifiedTaxRegistration", [_registration(number, "VA" if with_vat else "FC")]),
    ]


def _buyer(buyer: Mapping[str, Any]) -> list[_Node]:
    number = buyer["tax_id"]
    with_vat = bool(number) and codes.is_vat_id(number, _country(buyer))
    contact = [
        ("PersonName", buyer["contact"]),
        ("EmailURIUniversalCommunication", [("URIID", buyer["email"])]),
    ]
    return [
        ("Name", buyer["name"]),
        ("SpecifiedLegalOrganization", [("ID", None if with_vat else number)]),
        ("DefinedTradeContact", contact if buyer["contact"] else None),
        _address(buyer["address"]),
        ("SpecifiedTaxRegistration", [_registration(number, "VA")] if with_vat else None),
    ]


def _country(party: Mapping[str, Any]) -> str:
    return codes.country_code(party["address"]) or ""


def _registration(number: str, scheme: str) -> _Node:
    shown = codes.number_text(number) if scheme == "VA" else number
    return "ID", (shown, {"schemeID": scheme})


def _address(address: Mapping[str, Any]) -> _Node:
    return "PostalTradeAddress", [
        ("PostcodeCode", address.get("postal_code")),
        ("LineOne", address.get("line1")),
        ("LineTwo", address.get("line2")),
        ("CityName", address.get("city")),
        ("CountryID", codes.country_code(address)),
        ("CountrySubDivisionName", address.get("region")),
    ]


def _delivery(view: Mapping[str, Any]) -> list[_Node] | None:
    day = _day(view["delivered_on"])
    return [("ActualDeliverySupplyChainEvent", [("OccurrenceDateTime", day)])] if day else None


def _settlement(view: Mapping[str, Any]) -> list[_Node]:
    is_note = view["kind"] == "credit_note"
    terms = (
        # An amount that is due says when or how (BR-CO-25).
        [("Description", f"Credited on invoice {view['credited_number']}.")]
        if is_note
        else [
            ("Description", view["seller"]["payment_terms"]),
            ("DueDateDateTime", _day(view["due_date"])),
        ]
    )
    credited = [
        ("IssuerAssignedID", view["credited_number"]),
        ("FormattedIssueDateTime", _day(view["credited_on"], "qdt")),
    ]
    return [
        ("PaymentReference", None if is_note else view["number"]),
        ("InvoiceCurrencyCode", view["currency"]),
        ("SpecifiedTradeSettlementPaymentMeans", None if is_note else _means(view)),
        *(("ApplicableTradeTax", tax) for tax in _taxes(view["tax_groups"])),
        (
            "BillingSpecifiedPeriod",
            [
                ("StartDateTime", _day(view["service_from"])),
                ("EndDateTime", _day(view["service_until"])),
            ],
        ),
        ("SpecifiedTradePaymentTerms", terms),
        (
            "SpecifiedTradeSettlementHeaderMonetarySummation",
            [
                ("LineTotalAmount", view["subtotal"]),
                ("TaxBasisTotalAmount", view["subtotal"]),
                ("TaxTotalAmount", (view["tax"], {"currencyID": view["currency"]})),
                ("GrandTotalAmount", view["total"]),
                ("DuePayableAmount", view["total"]),
            ],
        ),
        ("InvoiceReferencedDocument", credited if is_note else None),
    ]


def _means(view: Mapping[str, Any]) -> list[_Node] | None:
    bank = view["seller"]["bank"]
    if bank is None:
        return None
    in_euro = view["currency"] == "EUR"
    return [
        ("TypeCode", codes.SEPA_CREDIT_TRANSFER if in_euro else codes.CREDIT_TRANSFER),
        (
            "PayeePartyCreditorFinancialAccount",
            [("IBANID", codes.number_text(bank["iban"])), ("AccountName", bank["holder"])],
        ),
        ("PayeeSpecifiedCreditorFinancialInstitution", [("BICID", bank.get("bic"))]),
    ]


def _taxes(groups: Sequence[Mapping[str, str]]) -> list[list[_Node]]:
    """One group for each code and rate: a standard and a reduced rate that agree are one here."""
    merged: dict[tuple[str, str], dict[str, Any]] = {}
    for group in groups:
        code = codes.TAX_CATEGORIES[group["category"]]
        sums = merged.setdefault((code, group["rate"]), {"net": Decimal(0), "tax": Decimal(0)})
        sums["net"] += Decimal(group["net"])
        sums["tax"] += Decimal(group["tax"])
        sums["reason"] = group.get("reason")
    return [
        [
            ("CalculatedAmount", f"{sums['tax']:.2f}"),
            ("TypeCode", "VAT"),
            ("ExemptionReason", sums["reason"]),
            ("BasisAmount", f"{sums['net']:.2f}"),
            ("CategoryCode", code),
            ("ExemptionReasonCode", codes.REVERSE_CHARGE if code == "AE" else None),
            ("RateApplicablePercent", rate),
        ]
        for (code, rate), sums in merged.items()
    ]


def _day(day: str | None, prefix: str = "udt") -> list[_Node] | None:
    """A day in the form that UNTDID 2379 numbers 102."""
    if day is None:
        return None
    return [(f"{prefix}:DateTimeString", (day.replace("-", ""), {"format": "102"}))]


def _write(parent: Element, nodes: Sequence[_Node]) -> None:
    """Write the nodes into their parent; one without a fact, or whose parts all lack it, not."""
    for name, content in nodes:
        tag = name if ":" in name else f"ram:{name}"
        text, attributes = content if isinstance(content, tuple) and content else (content, {})
        if isinstance(text, str):
            told = _FORBIDDEN.sub("", text).strip()
            if told:
                SubElement(parent, tag, attributes).text = told
        elif text is not None:
            element = SubElement(parent, tag, attributes)
            _write(element, text)
            if not len(element) and text:
                parent.remove(element)
