// The drawn signature. Without this script the page offers the typed one, and nothing is missing.
"use strict";

(() => {
  const form = document.querySelector("[data-signature-form]");
  if (!form || typeof SignaturePad === "undefined") return;

  const find = (name) => form.querySelector(`[data-${name}]`);
  const typed = find("typed");
  const drawn = find("drawn");
  const canvas = find("canvas");
  const message = find("drawn-message");
  const button = find("submit");
  const typedInput = form.elements.namedItem("signature");
  const drawnInput = form.elements.namedItem("drawn");
  const pad = new SignaturePad(canvas, { penColor: "#1c2227", minWidth: 0.7, maxWidth: 2.6 });

  const isDrawn = () => form.elements.namedItem("method").value === "drawn";

  // The bitmap has one size; the style sheet scales it to the page. So nothing drawn is lost when the
  // window changes, and the signature looks the same from every device. The pen works in the page's
  // pixels, and is scaled to the bitmap's at the start of each stroke.
  function scalePen() {
    const scale = canvas.width / canvas.clientWidth;
    canvas.getContext("2d").setTransform(scale, 0, 0, scale, 0, 0);
  }

  // A drawing that came back with the form, because something else was missing.
  function restore() {
    if (drawn.hidden || !pad.isEmpty() || !drawnInput.value.startsWith("data:image/png;base64,")) return;
    scalePen();
    pad.fromDataURL(drawnInput.value, { width: canvas.clientWidth, height: canvas.clientHeight });
  }

  function showMethod() {
    typed.hidden = isDrawn();
    drawn.hidden = !isDrawn();
    typedInput.required = !isDrawn();
    restore();
  }

  find("methods").hidden = false;
  find("methods").addEventListener("change", showMethod);
  pad.addEventListener("beginStroke", () => {
    scalePen();
    message.textContent = "";
  });
  find("clear").addEventListener("click", () => {
    pad.clear();
    drawnInput.value = "";
    message.textContent = "";
  });

  form.addEventListener("submit", (event) => {
    if (button.getAttribute("aria-busy") === "true") {
      event.preventDefault(); // a second press while the first is under way
      return;
    }
    if (isDrawn()) {
      if (pad.isEmpty()) {
        event.preventDefault();
        message.textContent = "Draw your signature in the box, or choose to type it.";
        canvas.scrollIntoView({ block: "center" });
        return;
      }
      drawnInput.value = pad.toDataURL();
    } else {
      drawnInput.value = "";
    }
    button.setAttribute("aria-busy", "true");
  });

  // Fires at the first showing, and when the browser's Back button brings the page back as it was
  // left: then the chosen method is kept by the browser, and the button has to work again.
  window.addEventListener("pageshow", () => {
    button.removeAttribute("aria-busy");
    showMethod();
  });
})();
