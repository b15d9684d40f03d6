"""The official checks of an e-invoice: Factur-X's schema, and the rules of EN 16931."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import facturx
import saxonche

PROFILE = Path(facturx.__file__).parent / "xsd_and_schematron" / "facturx-en16931"
SVRL = "{http://purl.oclc.org/dsdl/svrl}"
NAMES = {
    "ram": "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100",
    "udt": "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100",
    "rsm": "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100",
}


@functools.cache
def rules() -> tuple[Any, Any]:
    """The processor and the compiled rules; the one must outlive the other."""
    processor = saxonche.PySaxonProcessor(license=False)
    compiler = processor.new_xslt30_processor()
    return processor, compiler.compile_stylesheet(
        stylesheet_file=str(PROFILE / "FACTUR-X_EN16931.xslt")
    )


def broken_rules(xml: bytes) -> list[str]:
    """Which rules of EN 16931 the e-invoice breaks, each with what it says; no mere warnings."""
    processor, compiled = rules()
    report = compiled.transform_to_string(xdm_node=processor.parse_xml(xml_text=xml.decode()))
    found = ElementTree.fromstring(report)
    assert found.find(f"{SVRL}fired-rule") is not None, "no rule has looked at anything"
    return [
        re.sub(r"\s+", " ", "".join(broken.itertext())).strip()
        for kind in ("failed-assert", "successful-report")
        for broken in found.iter(SVRL + kind)
        if broken.get("flag") != "warning"
    ]


def check(xml: bytes) -> Einvoice:
    """Assert that the e-invoice is valid by the schema and by every rule; return a reader of it."""
    assert facturx.xml_check_xsd(xml, flavor="factur-x", level="en16931")
    assert broken_rules(xml) == []
    return Einvoice(xml)


class Einvoice:
    """Reads the texts of an e-invoice's elements by their local names."""

    def __init__(self, xml: bytes) -> None:
        self.root = ElementTree.fromstring(xml)

    def all(self, path: str) -> list[str | None]:
        """Every text at a path such as `IncludedNote/Content`, at any depth."""
        steps = "/".join(name if ":" in name else f"ram:{name}" for name in path.split("/"))
        return [found.text for found in self.root.findall(f".//{steps}", NAMES)]

    def one(self, path: str) -> str | None:
        [text] = self.all(path)
        return text

    def attribute(self, path: str, name: str) -> list[str | None]:
        steps = "/".join(f"ram:{step}" for step in path.split("/"))
        return [found.get(name) for found in self.root.findall(f".//{steps}", NAMES)]
