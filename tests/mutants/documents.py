"""Safeguards of the documents of money: e-invoices and the PDFs that carry them."""

from __future__ import annotations

from tests.mutants.model import Mutant, without

INVOICES = "webapp/services/billing/invoices.py"
PARTIES = "webapp/services/billing/parties.py"
XML = "webapp/services/billing/einvoice.py"
CODES = "webapp/services/billing/einvoice_codes.py"
PDF = "webapp/services/billing/invoice_document.py"
CODE = "webapp/services/billing/payment_code.py"
METADATA = "webapp/services/billing/facturx.py"

_einvoices = "tests/api/billing/test_einvoices.py::test_{}".format
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
)
