"""What makes a PDF/A-3 with an attached invoice a Factur-X one: its metadata.

typst writes PDF/A-3 and attaches the file; it cannot write metadata of another schema. They are
added as the format lets a file be changed: what was there stays, and a newer version of the
metadata comes after it (ISO 32000-1, 7.5.6 *Incremental updates*).
"""

from __future__ import annotations

import re

FILE_NAME = "factur-x.xml"
_NAMESPACE = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"
_PROPERTIES = {
    "DocumentFileName": (FILE_NAME, "name of the embedded XML invoice file"),
    "DocumentType": ("INVOICE", "INVOICE"),
    "Version": ("1.0", "The actual version of the Factur-X XML schema"),
    "ConformanceLevel": ("EN 16931", "The conformance level of the embedded Factur-X data"),
}
_VALUES = (
    f'<rdf:Description rdf:about="" xmlns:fx="{_NAMESPACE}">'
    + "".join(f"<fx:{name}>{value}</fx:{name}>" for name, (value, _) in _PROPERTIES.items())
    + "</rdf:Description>"
)
# PDF/A allows a schema of others where the file describes it (ISO 19005-3, 6.6.2.3.3).
_SCHEMA = (
    '<rdf:li rdf:parseType="Resource">'
    "<pdfaSchema:schema>Factur-X PDFA Extension Schema</pdfaSchema:schema>"
    f"<pdfaSchema:namespaceURI>{_NAMESPACE}</pdfaSchema:namespaceURI>"
    "<pdfaSchema:prefix>fx</pdfaSchema:prefix><pdfaSchema:property><rdf:Seq>"
    + "".join(
        '<rdf:li rdf:parseType="Resource">'
        f"<pdfaProperty:name>{name}</pdfaProperty:name>"
        "<pdfaProperty:valueType>Text</pdfaProperty:valueType>"
        "<pdfaProperty:category>external</pdfaProperty:category>"
        f"<pdfaProperty:description>{told}</pdfaProperty:description></rdf:li>"
        for name, (_, told) in _PROPERTIES.items()
    )
    + "</rdf:Seq></pdfaSchema:property></rdf:li>"
)
_METADATA = re.compile(
    rb"^(\d+) 0 obj\n<</Length \d+/Type/Metadata/Subtype/XML>>\nstream\n(.*?)\nendstream",
    re.DOTALL | re.MULTILINE,
)
_TRAILER = re.compile(rb"trailer\n<<(.*)>>\nstartxref\n(\d+)\n%%EOF\s*$", re.DOTALL)


def with_metadata(pdf: bytes) -> bytes:
    """The PDF/A-3 that typst wrote, with the metadata of Factur-X, profile EN 16931.

    Raises ValueError for a PDF of another form.
    """
    metadata, trailer = _METADATA.search(pdf), _TRAILER.search(pdf)
    if metadata is None or trailer is None:
        raise ValueError("not a PDF/A with plain metadata and one table of objects")
    packet = metadata[2]
    for before, added in (
        (b"</rdf:Bag></pdfaExtension:schemas>", _SCHEMA),
        (b"</rdf:RDF>", _VALUES),
    ):
        if packet.count(before) != 1:
            raise ValueError("the metadata are not as PDF/A has them")
        packet = packet.replace(before, added.encode() + before)
    number, body = int(metadata[1]), pdf.rstrip() + b"\n"
    update = (
        b"%d 0 obj\n<</Length %d/Type/Metadata/Subtype/XML>>\nstream\n%s\nendstream\nendobj\n"
        % (number, len(packet), packet)
    )
    return b"%s%sxref\n%d 1\n%010d 00000 n \ntrailer\n<<%s/Prev %s>>\nstartxref\n%d\n%%%%EOF\n" % (
        body, update, number, len(body), trailer[1].strip(), trailer[2], len(body) + len(update),
    )  # fmt: skip
