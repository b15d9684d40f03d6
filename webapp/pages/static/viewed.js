// Tells once that a person is here: with the first thing that they do. A page that was only fetched,
// by a mail scanner say, counts as opened, not as viewed. Without this script the signature tells it.
"use strict";

(() => {
  const address = document.querySelector("[data-viewed]")?.dataset.viewed;
  if (!address) return;
  const ACTS = ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"];
  const once = new AbortController();

  function tell(event) {
    if (!event.isTrusted) return;
    once.abort();
    // Nobody waits for the answer; the signature or the reader's next visit tells it again.
    fetch(address, { method: "POST", keepalive: true }).catch(() => undefined);
  }

  for (const act of ACTS) {
    window.addEventListener(act, tell, { passive: true, signal: once.signal });
  }
})();
