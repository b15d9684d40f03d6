"""E-invoices: what a final invoice says, as EN 16931 in the Cross Industry Invoice syntax."""

from __future__ import annotations

import io
from typing import Any

import facturx
import pypdf
import pytest

from tests.support.billing import TAXED, Billing
from tests.support.einvoices import Einvoice, broken_rules, check
from tests.support.tenants import Api, Tenant

REDUCED = {"tax_category": "reduced", "tax_rate": "7.00"}
NO_TAX = {"tax_rate": "0.00"}
SUMS = "SpecifiedTradeSettlementHeaderMonetarySummation"
TAX = "ApplicableHeaderTradeSettlement/ApplicableTradeTax"


@pytest.fixture
def read(api: Api, tenant: Tenant) -> Any:
    """Finalized and rendered: the invoice's XML, valid by the schema and every rule."""

    def xml_of(invoice: dict[str, Any]) -> Einvoice:
        return check(xml(api, tenant, f"/api/invoices/{invoice['id']}/invoice.xml"))

    return xml_of


def xml(api: Api, tenant: Tenant, path: str) -> bytes:
    tenant.run_jobs("billing.render_document")
    answer = api.get(path)
    assert answer.headers["Content-Type"] == "application/xml"
    return answer.content


def line(**changes: Any) -> dict[str, Any]:
    return {"name": "Work", "price": "100.00", **TAXED, **changes}


def test_an_invoice_is_valid_and_says_what_the_invoice_says(
    api: Api, billing: Billing, read: Any
) -> None:
    api.put("/api/organization", {"payment_terms": "Net 14 days"})
    final = billing.final(notes="Thank you\nfor the order")
    found = read(final)
    assert found.one("GuidelineSpecifiedDocumentContextParameter/ID") == "urn:cen.eu:en16931:2017"
    assert found.one("rsm:ExchangedDocument/ID") == final["number"]
    assert found.one("rsm:ExchangedDocument/TypeCode") == "380"
    assert found.one("IncludedNote/Content") == "Thank you\nfor the order"
    assert found.one("SellerTradeParty/Name") == "Test firm"
    assert found.one("SellerTradeParty/SpecifiedTaxRegistration/ID") == "DE136695976"
    assert found.attribute("SellerTradeParty/SpecifiedTaxRegistration/ID", "schemeID") == ["VA"]
    assert found.all("PostalTradeAddress/CountryID") == ["DE", "DE"]
    assert found.one("BuyerTradeParty/Name") == "Juniper Ltd"
    assert found.one("BuyerTradeParty/DefinedTradeContact/PersonName") == "Robin Ray"
    assert found.one("PaymentReference") == final["number"]
    assert found.one("SpecifiedTradeSettlementPaymentMeans/TypeCode") == "58"
    assert found.one("PayeePartyCreditorFinancialAccount/IBANID") == "DE89370400440532013000"
    assert found.one("SpecifiedTradePaymentTerms/Description") == "Net 14 days"
    due = final["due_date"].replace("-", "")
    assert found.one("DueDateDateTime/udt:DateTimeString") == due
    issued = final["issued_on"].replace("-", "")
    assert found.one("OccurrenceDateTime/udt:DateTimeString") == issued
    assert found.one(f"{SUMS}/GrandTotalAmount") == "119.00"
    assert found.attribute(f"{SUMS}/TaxTotalAmount", "currencyID") == ["EUR"]


def test_several_rates_are_a_group_each_and_equal_ones_a_common_group(
    billing: Billing, read: Any
) -> None:
    lines = [
        line(price="33.33"),
        line(price="10.05", **REDUCED),
        line(price="10.05", tax_category="reduced", tax_rate="19.00"),
        line(price="5.00", tax_category="zero", **NO_TAX),
    ]
    found = read(billing.act(billing.draft(lines=lines), "finalize"))
    groups = zip(
        found.all(f"{TAX}/CategoryCode"),
        found.all(f"{TAX}/RateApplicablePercent"),
        found.all(f"{TAX}/BasisAmount"),
        found.all(f"{TAX}/CalculatedAmount"),
        strict=True,
    )
    assert sorted(groups) == [
        ("S", "19.00", "43.38", "8.24"),
        ("S", "7.00", "10.05", "0.70"),
        ("Z", "0.00", "5.00", "0.00"),
    ]
    assert found.all("ExemptionReason") == [], "a rate of zero has no reason"


def test_quantities_units_and_discounts_are_on_their_lines(billing: Billing, read: Any) -> None:
    units = ["piece", "hour", "day", "month", "kilometre", "flat"]
    lines = [line(quantity="1.125", unit=unit) for unit in units]
    lines.append(line(name="Cheap & <good>", discount="10.50", quantity="2", description="Why\x01"))
    final = billing.act(billing.draft(lines=lines), "finalize")
    found = read(final)
    billed = found.attribute("SpecifiedLineTradeDelivery/BilledQuantity", "unitCode")
    assert billed == ["C62", "HUR", "DAY", "MON", "KMT", "C62", "C62"]
    assert found.all("BilledQuantity")[0] == "1.125"
    assert found.all("SpecifiedTradeProduct/Name")[-1] == "Cheap & <good>"
    assert found.one("SpecifiedTradeProduct/Description") == "Why"
    allowance = "SpecifiedLineTradeSettlement/SpecifiedTradeAllowanceCharge"
    assert found.one(f"{allowance}/ActualAmount") == "10.50"
    assert found.one(f"{allowance}/ReasonCode") == "95"
    totals = found.all("SpecifiedTradeSettlementLineMonetarySummation/LineTotalAmount")
    assert totals == ["112.50"] * 6 + ["189.50"]
    assert found.one(f"{SUMS}/LineTotalAmount") == final["subtotal"] == "864.50"


def test_reverse_charge_names_both_vat_identifiers_and_the_reason(
    api: Api, billing: Billing, read: Any
) -> None:
    draft = billing.draft(lines=[line(tax_category="reverse_charge", **NO_TAX)])
    path = f"/api/invoices/{draft['id']}"
    company = f"/api/companies/{billing.company['id']}"
    address = {"line1": "1 Rue X", "city": "Paris", "country": "fr"}
    for number in (None, "123 456"):
        api.put(company, {"address": address, "tax_number": number})
        answer = api.post(f"{path}/finalize")
        assert (answer.status, list(answer.json["errors"])) == (422, ["client_company.tax_number"])
    api.put(company, {"tax_number": "FR 40 303265045"})
    found = read(api.made(f"{path}/finalize"))
    assert found.one("BuyerTradeParty/SpecifiedTaxRegistration/ID") == "FR40303265045"
    assert found.one("BuyerTradeParty/PostalTradeAddress/CountryID") == "FR"
    assert found.one(f"{TAX}/CategoryCode") == "AE"
    assert found.one(f"{TAX}/ExemptionReasonCode") == "VATEX-EU-AE"
    assert "Reverse charge" in (found.one(f"{TAX}/ExemptionReason") or "")


def test_an_exempt_line_needs_a_reason_its_own_or_the_organization_s(
    api: Api, billing: Billing, read: Any
) -> None:
    exempt = line(tax_category="exempt", **NO_TAX)
    draft = billing.draft(lines=[exempt])
    answer = api.post(f"/api/invoices/{draft['id']}/finalize")
    assert (answer.status, list(answer.json["errors"])) == (422, ["tax_exemption_reason"])
    api.put("/api/organization", {"tax_exemption_reason": "Small business, § 19 UStG"})
    final = billing.act(draft, "finalize")
    assert final["tax_groups"][0]["reason"] == "Small business, § 19 UStG"
    found = read(final)
    assert found.one(f"{TAX}/CategoryCode") == "E"
    assert found.one(f"{TAX}/ExemptionReason") == "Small business, § 19 UStG"
    own = billing.draft(lines=[exempt], tax_exemption_reason="Training, § 4 Nr. 21 UStG")
    assert read(billing.act(own, "finalize")).one(f"{TAX}/ExemptionReason") == (
        "Training, § 4 Nr. 21 UStG"
    )


def test_a_seller_with_a_number_of_the_tax_office_alone_is_identified_by_it(
    api: Api, billing: Billing, read: Any
) -> None:
    api.put("/api/organization", {"tax_id": "29/815/08155", "bank": None})
    found = read(billing.final())
    assert found.one("SellerTradeParty/ID") == "29/815/08155"
    assert found.attribute("SellerTradeParty/SpecifiedTaxRegistration/ID", "schemeID") == ["FC"]
    assert found.all("SpecifiedTradeSettlementPaymentMeans/TypeCode") == []


@pytest.mark.parametrize("country", [None, "Germany", "XX"])
def test_the_country_of_the_client_is_needed_as_its_code(
    api: Api, billing: Billing, country: str | None
) -> None:
    address = {"line1": "x", "city": "y", "country": country}
    api.put(f"/api/companies/{billing.company['id']}", {"address": address})
    answer = api.post(f"/api/invoices/{billing.draft()['id']}/finalize")
    assert (answer.status, list(answer.json["errors"])) == (
        422, ["client_company.address.country"],
    )  # fmt: skip


def test_a_part_payment_changes_nothing_of_what_the_invoice_demanded(
    api: Api, billing: Billing, tenant: Tenant
) -> None:
    final = billing.final()
    billing.pay(final, "19.00")
    path = f"/api/invoices/{final['id']}/invoice.xml"
    first = xml(api, tenant, path)
    assert check(first).one(f"{SUMS}/DuePayableAmount") == "119.00"
    billing.pay(final, "50.00")
    assert xml(api, tenant, path) == first


@pytest.mark.parametrize("asked", [{"amount": "10.00"}, {}, {"lines": [line(price="7.00")]}])
def test_a_credit_note_refers_to_its_invoice(
    api: Api, billing: Billing, tenant: Tenant, asked: dict[str, Any]
) -> None:
    final = billing.act(billing.draft(lines=[line(), line(**REDUCED)]), "finalize")
    note = billing.act(final, "credit", {**asked, "reason": "Goodwill"})
    found = check(xml(api, tenant, f"/api/credit-notes/{note['id']}/credit-note.xml"))
    assert found.one("rsm:ExchangedDocument/TypeCode") == "381"
    assert found.one("rsm:ExchangedDocument/ID") == note["number"]
    assert found.one("InvoiceReferencedDocument/IssuerAssignedID") == final["number"]
    assert found.one(f"{SUMS}/GrandTotalAmount") == note["amount"]
    assert found.one("IncludedNote/Content") == "Goodwill"
    assert found.all("SpecifiedTradeSettlementPaymentMeans/TypeCode") == []


def test_the_order_and_the_days_of_the_work_are_named(
    api: Api, billing: Billing, tenant: Tenant, read: Any
) -> None:
    api.sign(api.send_proposal())
    tenant.run_jobs()
    [order] = api.get("/api/orders").json["data"]
    address = {"line1": "x", "city": "y", "country": "US"}
    engagement = api.get(f"/api/engagements/{order['engagement_id']}").json
    api.put(f"/api/companies/{engagement['client_company_id']}", {"address": address})
    days = {"service_from": "2026-01-01", "service_until": "2026-01-31"}
    body = {"engagement_id": order["engagement_id"], "order_id": order["id"], **days}
    wrong = api.post("/api/invoices", {**body, "service_until": "2025-12-31"})
    assert (wrong.status, list(wrong.json["errors"])) == (422, ["service_until"])
    draft = api.made("/api/invoices", {**body, "lines": [line()], "currency": "USD"})
    late = api.put(f"/api/invoices/{draft['id']}", {"service_from": "2026-02-01"})
    assert (late.status, list(late.json["errors"])) == (422, ["service_until"])
    found = read(billing.act(draft, "finalize"))
    assert found.one("SellerOrderReferencedDocument/IssuerAssignedID") == order["number"]
    assert found.one("BillingSpecifiedPeriod/StartDateTime/udt:DateTimeString") == "20260101"
    assert found.one("BillingSpecifiedPeriod/EndDateTime/udt:DateTimeString") == "20260131"
    assert found.all("OccurrenceDateTime/udt:DateTimeString") == []
    assert found.one("SpecifiedTradeSettlementPaymentMeans/TypeCode") == "30", "SEPA is in euro"


def test_an_invoice_for_a_person_without_an_address_has_no_einvoice(
    api: Api, billing: Billing, tenant: Tenant
) -> None:
    api.put(f"/api/contacts/{billing.contact['id']}", {"client_company_id": None})
    work = {"name": "x", "currency": "EUR", "contact_id": billing.contact["id"]}
    engagement = api.made("/api/engagements", work)
    draft = billing.draft(engagement_id=engagement["id"])
    final = billing.act(draft, "finalize")
    tenant.run_jobs("billing.render_document")
    answer = api.get(f"/api/invoices/{final['id']}/invoice.xml")
    assert (answer.status, "no e-invoice" in answer.json["detail"]) == (404, True)
    pdf = pypdf.PdfReader(io.BytesIO(api.get(f"/api/invoices/{final['id']}/invoice.pdf").content))
    assert (list(pdf.attachment_list), pdf.xmp_metadata.pdfaid_part) == ([], "3")


def test_the_pdf_is_a_factur_x_one_that_carries_the_very_same_xml(
    api: Api, billing: Billing, tenant: Tenant
) -> None:
    final = billing.final()
    content = xml(api, tenant, f"/api/invoices/{final['id']}/invoice.xml")
    pdf = api.get(f"/api/invoices/{final['id']}/invoice.pdf").content
    assert facturx.get_facturx_xml_from_pdf(pdf) == ("factur-x.xml", content)
    reader = pypdf.PdfReader(io.BytesIO(pdf))
    [[reference]] = [reader.trailer["/Root"]["/AF"]]
    file = reference.get_object()
    assert (file["/UF"], file["/AFRelationship"]) == ("factur-x.xml", "/Alternative")
    assert file["/EF"]["/F"]["/Subtype"] == "/text/xml"
    told = reader.xmp_metadata
    assert (told.pdfaid_part, told.pdfaid_conformance) == ("3", "B")
    facts = told.rdf_root.getElementsByTagNameNS(
        "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#", "*"
    )
    assert {fact.localName: fact.firstChild.data for fact in facts} == {
        "DocumentFileName": "factur-x.xml",
        "DocumentType": "INVOICE",
        "Version": "1.0",
        "ConformanceLevel": "EN 16931",
    }
    described = told.rdf_root.toxml().partition("<pdfaExtension:schemas>")[2]
    assert "Factur-X PDFA Extension Schema" in described.partition("</pdfaExtension:schemas>")[0]
    assert final["number"] in reader.pages[0].extract_text()


def test_a_text_that_no_font_shows_costs_the_form_of_the_pdf_and_nothing_else(
    api: Api, billing: Billing, tenant: Tenant
) -> None:
    final = billing.act(billing.draft(lines=[line(name="漢字")]), "finalize")
    content = xml(api, tenant, f"/api/invoices/{final['id']}/invoice.xml")
    assert check(content).one("SpecifiedTradeProduct/Name") == "漢字"
    pdf = api.get(f"/api/invoices/{final['id']}/invoice.pdf").content
    assert pypdf.PdfReader(io.BytesIO(pdf)).xmp_metadata.pdfaid_part is None
    assert facturx.get_facturx_xml_from_pdf(pdf) == ("factur-x.xml", content)


def test_the_rules_notice_a_wrong_sum(api: Api, billing: Billing, tenant: Tenant) -> None:
    content = xml(api, tenant, f"/api/invoices/{billing.final()['id']}/invoice.xml")
    assert any("BR-CO-15" in rule for rule in broken_rules(content.replace(b"119.00", b"118.00")))
