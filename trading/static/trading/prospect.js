// What the arm form would lead to, shown while it is filled in. Without this script the button Preview does it.
"use strict";

(() => {
  const form = document.getElementById("arm");
  const place = document.getElementById("prospect");
  const state = document.getElementById("prospect-state");
  const WAIT_MS = 300;
  const AGAIN_MS = 5000;
  if (!form || !place) return;

  let timer = 0;
  let underWay = false;
  let changed = false;

  const typing = () => form.elements.symbol.getAttribute("aria-expanded") === "true";

  const ask = async () => {
    // One question at a time; what changes meanwhile is asked afterwards.
    if (underWay) {
      changed = true;
      return;
    }
    underWay = true;
    changed = false;
    place.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(form.dataset.prospect, { method: "POST", body: new FormData(form) });
      if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
      const text = await answer.text();
      // The same words are not announced again.
      if (place.dataset.text !== text) place.innerHTML = text;
      place.dataset.text = text;
      state.textContent = "";
    } catch {
      state.textContent = "This page cannot reach Robson: what is shown above may be old. Reload the page.";
    } finally {
      underWay = false;
      place.removeAttribute("aria-busy");
      if (changed) soon();
    }
  };

  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      // Half a name is no symbol yet.
      if (!typing()) ask();
    }, WAIT_MS);
  };

  form.addEventListener("input", soon);
  form.addEventListener("change", soon);
  form.elements.symbol.addEventListener("blur", soon);
  form.addEventListener("submit", () => clearTimeout(timer));
  setInterval(() => {
    if (!document.hidden && form.elements.symbol.value && !typing()) ask();
  }, AGAIN_MS);
  if (form.elements.symbol.value) ask();
})();
