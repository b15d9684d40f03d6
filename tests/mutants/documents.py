"""Safeguards of what invoices say: e-invoices and their PDFs, fees for delay, orders."""

from __future__ import annotations

from tests.mutants.model import Mutant, without

INVOICES = "webapp/services/billing/invoices.py"
PARTIES = "webapp/services/billing/parties.py"
XML = "webapp/services/billing/einvoice.py"
CODES = "webapp/services/billing/einvoice_codes.py"
PDF = "webapp/services/billing/invoice_document.py"
CODE = "webapp/services/billing/payment_code.py"
FEES = "webapp/services/billing/late_fees.py"
ORDERS = "webapp/services/billing/orders.py"
METADATA = "webapp/services/billing/facturx.py"

_einvoices = "tests/api/billing/test_einvoices.py::test_{}".format
_orders = "tests/api/billing/test_orders.py::test_{}".format
_fees = "tests/api/billing/test_late_fees.py::test_{}".format
_codes = "tests/api/billing/test_payment_codes.py::test_{}".format

MUTANTS: tuple[Mutant, ...] = (
    without(
        "the code of the client's country",
        PARTIES,
        "    elif company is not None and country is None:\n",
        "    elif False:\n",
        _einvoices("the_country_of_the_client_is_needed_as_its_code"),
    ),
    without(
        "the VAT identifier of reverse charge",
        PARTIES,
        "        elif country in EU and not is_vat_id(tax_id, country):\n",
        "        elif False:\n",
        _einvoices("reverse_charge_names_both_vat_identifiers_and_the_reason"),
    ),
    without(
        "the reason of an exemption",
        INVOICES,
        '    if "exempt" not in reasons and',
        "    if False and",
        _einvoices("an_exempt_line_needs_a_reason_its_own_or_the_organization_s"),
    ),
    without(
        "that equal rates of an e-invoice are one group",
        XML,
        "merged.setdefault((code, ",
        'merged.setdefault((group["category"], ',
        _einvoices("several_rates_are_a_group_each_and_equal_ones_a_common_group"),
    ),
    without(
        "that a credit note names its invoice",
        XML,
        '        ("InvoiceReferencedDocument", credited if is_note else None),\n',
        "",
        _einvoices("a_credit_note_refers_to_its_invoice"),
    ),
    without(
        "that an e-invoice has nothing that XML cannot hold",
        XML,
        '            told = _FORBIDDEN.sub("", text).strip()\n',
        "            told = text.strip()\n",
        _einvoices("quantities_units_and_discounts_are_on_their_lines"),
    ),
    without(
        "that a tax office's number is no VAT identifier",
        CODES,
        "    if vat.is_valid(compact):\n",
        "    if True:\n",
        _einvoices("a_seller_with_a_number_of_the_tax_office_alone_is_identified_by_it"),
    ),
    without(
        "the metadata of Factur-X",
        PDF,
        "    return with_metadata(pdf) if xml else pdf\n",
        "    return pdf\n",
        _einvoices("the_pdf_is_a_factur_x_one_that_carries_the_very_same_xml"),
    ),
    without(
        "that the metadata's schema is described",
        METADATA,
        '        (b"</rdf:Bag></pdfaExtension:schemas>", _SCHEMA),\n',
        "",
        _einvoices("the_pdf_is_a_factur_x_one_that_carries_the_very_same_xml"),
    ),
    without(
        "that a text without a glyph costs no document",
        PDF,
        "        if NOT_SHOWN not in str(error):\n",
        "        if True:\n",
        _einvoices("a_text_that_no_font_shows_costs_the_form_of_the_pdf_and_nothing_else"),
    ),
    without(
        "that a payment code asks in euro",
        CODE,
        ' or currency != "EUR"',
        "",
        _codes("there_is_no_code_without_a_bank_account_in_another_currency_or_for_a_draft"),
    ),
    without(
        "that a payment code asks for what is open",
        CODE,
        "Invoice.total - Invoice.paid - Invoice.credited",
        "Invoice.total",
        _codes("the_code_asks_for_what_is_open_now_and_there_is_none_once_it_is_paid"),
    ),
    without(
        "that a payment code's name fits",
        CODE,
        "[:NAME_BYTES]",
        "",
        _codes("a_code_of_any_name_fits_and_can_be_read"),
    ),
    without(
        "that a period bears one late fee",
        FEES,
        "    invoice.late_fees = periods\n",
        "",
        _fees("a_fixed_fee_is_drafted_once_after_its_days"),
        _fees("interest_is_charged_for_each_month_once_and_together_where_several_are_due"),
    ),
    without(
        "that a late fee bears none itself",
        FEES,
        "            Invoice.late_fee_of.is_(None),\n",
        "",
        _fees("a_fee_is_finalized_like_any_invoice_and_bears_no_fee_itself"),
    ),
    without(
        "that an engagement that is over is charged no late fee",
        FEES,
        "            Engagement.status.not_in(OVER),\n",
        "",
        _fees("a_closed_engagement_is_charged_none"),
    ),
    without(
        "that interest is on what is open",
        FEES,
        "rounded(open_of(invoice) * share)",
        "rounded(invoice.total * share)",
        _fees("interest_is_charged_for_each_month_once_and_together_where_several_are_due"),
    ),
    without(
        "that a signed order stays as it was signed",
        ORDERS,
        "    if order.proposal_id is not None:\n",
        "    if False:\n",
        _orders("a_signed_order_stays_as_it_was_signed"),
    ),
    without(
        "that an invoiced order is not changed",
        ORDERS,
        '    _refuse_invoices(order, NOT_VOID, "it cannot be changed")\n',
        "",
        _orders("an_order_is_changed_until_something_is_invoiced"),
    ),
    without(
        "that a cancelled order is billed no more",
        ORDERS,
        '        raise Invalid({"order_id": ["This order is cancelled."]})\n',
        "        pass\n",
        _orders("a_cancelled_order_is_billed_no_more"),
    ),
    without(
        "that an order's project is of its engagement",
        ORDERS,
        "(Project, (Project.engagement_id == engagement_id,))",
        "(Project, ())",
        _orders("a_project_of_another_engagement_is_refused"),
    ),
    without(
        "that no order is cancelled under what may still be paid",
        ORDERS,
        '    _refuse_invoices(order, ("draft", "open"), "delete, void or credit them first")\n',
        "",
        _orders("what_may_still_be_paid_keeps_an_order_from_being_cancelled"),
    ),
)
