// Keeps a page that waits for something up to date: asks for it again, more and more slowly, and
// shows the new main part when it differs. Without this script a <noscript> refresh or the reader does so.
"use strict";

(() => {
  const FIRST_PAUSE_MS = 1500;
  const LONGEST_PAUSE_MS = 15000;
  const announcer = document.querySelector("[data-announcer]");

  async function refresh() {
    const answer = await fetch(window.location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("main");
    const shown = document.querySelector("main");
    if (!fresh || fresh.innerHTML === shown.innerHTML) return;
    shown.replaceWith(document.adoptNode(fresh));
    document.title = page.title;
    announcer.textContent = fresh.dataset.announce || "";
  }

  async function wait(pause) {
    if (!document.querySelector("main[data-waiting]")) return;
    await new Promise((resolve) => setTimeout(resolve, pause));
    // A failed request (the network is away, say) is no reason to stop asking.
    await refresh().catch(() => undefined);
    wait(Math.min(pause * 1.3, LONGEST_PAUSE_MS));
  }

  wait(FIRST_PAUSE_MS);
})();
