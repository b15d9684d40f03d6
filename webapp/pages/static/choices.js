// Reckons the total anew when a choice changes. Without this script a button does it.
"use strict";

(() => {
  const sums = document.querySelector("[data-sums]");
  const form = document.getElementById("sign-form");
  const button = document.querySelector(".reckon button");
  if (!sums || !form || !button) return;
  button.parentElement.hidden = true;
  let waiting;
  let latest = 0;

  async function reckon() {
    const mine = ++latest;
    const answer = await fetch(button.formAction, {
      method: "POST",
      body: new URLSearchParams(new FormData(form)),
      headers: { "X-Requested-With": "fetch" },
    });
    // Only the last of several answers counts.
    if (mine !== latest) return;
    if (!answer.ok && answer.status !== 422) throw new Error(answer.statusText);
    sums.innerHTML = await answer.text();
    const amounts = JSON.parse(sums.querySelector("[data-amounts]").dataset.amounts);
    for (const [id, amount] of Object.entries(amounts)) {
      document.querySelector(`[data-amount="${id}"]`).textContent = amount;
    }
  }

  function later() {
    clearTimeout(waiting);
    // Where it cannot be reckoned here, the button is there again.
    waiting = setTimeout(() => reckon().catch(() => (button.parentElement.hidden = false)), 200);
  }

  for (const input of document.querySelectorAll("[data-choice]")) {
    input.addEventListener("input", later);
  }
})();
