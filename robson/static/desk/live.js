// Keeps a page of the desk up to date, and makes it loud when it cannot: a silent page must never look healthy.
"use strict";

(() => {
  const SILENT_MS = 10_000;
  const RETRY_MS = 3_000;
  const HIDDEN_MS = 30_000;
  const body = document.body;
  const by = (id) => document.getElementById(id);
  const title = { told: document.title };
  let source = null;
  let heardAt = Date.now();
  let clockAhead = Date.parse(body.dataset.at) - Date.now();
  let trouble = "";
  let unprotected = null;
  let pausing = null;
  let paused = false;

  const now = () => Date.now() + clockAhead;

  function heard(data) {
    heardAt = Date.now();
    trouble = "";
    if (data.at) {
      clockAhead = Date.parse(data.at) - Date.now();
      body.dataset.at = data.at;
      const asOf = by("as-of");
      if (asOf) {
        asOf.dateTime = data.at;
        asOf.textContent = data.at.slice(11, 19);
      }
    }
  }

  // What is replaced may hold the keyboard's focus: it goes to the same link in what replaces it.
  function keepingFocus(replace) {
    const focused = document.activeElement;
    const href = focused && focused.closest("main") ? focused.getAttribute("href") : null;
    replace();
    if (href && document.activeElement === document.body) {
      document.querySelector(`main a[href="${CSS.escape(href)}"]`)?.focus({ preventScroll: true });
    }
  }

  function element(html) {
    const template = document.createElement("template");
    template.innerHTML = html.trim();
    return template.content.firstElementChild;
  }

  function applyRows(rows, order) {
    const list = by("rows");
    if (!list) return;
    for (const [key, html] of Object.entries(rows || {})) {
      const fresh = element(html);
      const old = by(`row-${key}`);
      if (old) old.replaceWith(fresh);
      else list.append(fresh);
    }
    if (!order) return;
    const wanted = new Set(order);
    for (const row of [...list.children]) if (!wanted.has(row.dataset.key)) row.remove();
    order.forEach((key, place) => {
      const row = by(`row-${key}`);
      if (list.children[place] !== row) list.insertBefore(row, list.children[place] || null);
    });
  }

  function applyFacts(data) {
    const facts = by("facts");
    if (!facts || !("facts" in data)) return;
    if (data.facts) {
      facts.innerHTML = data.facts;
      facts.dataset.live = "1";
      document.dispatchEvent(new CustomEvent("desk:mark", { detail: data.mark }));
    } else if (facts.dataset.live) {
      // It is over: its page says how it ended.
      location.reload();
    }
  }

  function announce(names) {
    const before = unprotected;
    unprotected = names;
    if (before === null || before.join() === names.join()) return;
    by("announcer").textContent = names.length
      ? `Without protection: ${names.join(", ")}`
      : "Every position is protected again.";
  }

  function change(data) {
    heard(data);
    if (data.title && by("summary")) title.told = data.title;
    if (data.mood) by("icon").dataset.mood = data.mood;
    if (data.unprotected) announce(data.unprotected);
    keepingFocus(() => {
      for (const [id, html] of Object.entries(data.pieces || {})) {
        const place = by(id);
        if (place) place.innerHTML = html;
      }
      applyRows(data.rows, data.order);
      applyFacts(data);
    });
    tick();
  }

  function since(at) {
    const seconds = Math.max(0, Math.round((now() - Date.parse(at)) / 1000));
    if (seconds < 90) return `${seconds} s ago`;
    if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
    return `${at.slice(0, 10)} ${at.slice(11, 16)}`;
  }

  function tick() {
    const silent = !paused && Date.now() - heardAt > SILENT_MS;
    const outdated = silent || trouble !== "";
    const notice = by("outdated");
    notice.classList.toggle("shown", outdated);
    notice.classList.add("watched");
    body.classList.toggle("is-outdated", outdated);
    if (outdated) {
      by("outdated-since").textContent = ` since ${body.dataset.at.slice(11, 19)} UTC`;
      if (trouble && !silent) by("outdated-why").textContent = trouble;
    }
    const wanted = outdated ? "⚠ OUT OF DATE · Robson" : `${paused ? "(not watching) " : ""}${title.told}`;
    if (document.title !== wanted) document.title = wanted;
    const icon = by("icon");
    const picture = icon.dataset[outdated ? "loud" : icon.dataset.mood || "calm"];
    if (icon.getAttribute("href") !== picture) icon.setAttribute("href", picture);
    for (const time of document.querySelectorAll("time.ago")) {
      const text = since(time.dateTime);
      if (time.textContent !== text) time.textContent = text;
    }
  }

  // No more is told, and the browser does not ask again. Is it the login, or is the web process being restarted?
  async function refused() {
    try {
      const answer = await fetch(location.href, { redirect: "manual", cache: "no-store" });
      if (answer.type === "opaqueredirect") {
        location.reload();
        return;
      }
    } catch {
      // Not reachable: the page says so by itself.
    }
    setTimeout(open, RETRY_MS);
  }

  function open() {
    source?.close();
    source = new EventSource(body.dataset.stream);
    source.addEventListener("change", (event) => change(JSON.parse(event.data)));
    source.addEventListener("alive", (event) => heard(JSON.parse(event.data)));
    source.addEventListener("trouble", (event) => {
      heardAt = Date.now();
      trouble = JSON.parse(event.data).text;
      tick();
    });
    source.addEventListener("ended", () => {
      source.close();
      refused();
    });
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) refused();
    });
  }

  // A browser opens no more than six connections to one place: tabs of positions that nobody looks at let theirs
  // go, and say so. The live page watches on.
  function looked() {
    clearTimeout(pausing);
    if (document.hidden && !by("summary")) {
      pausing = setTimeout(() => {
        source.close();
        paused = true;
        tick();
      }, HIDDEN_MS);
    } else if (paused) {
      paused = false;
      heardAt = Date.now() - SILENT_MS + RETRY_MS;
      open();
    }
    tick();
  }

  const icon = by("icon");
  icon.dataset.mood = ["loud", "troubled"].find((mood) => icon.getAttribute("href") === icon.dataset[mood]) || "calm";
  open();
  tick();
  setInterval(tick, 1000);
  document.addEventListener("visibilitychange", looked);
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) open();
  });
  window.addEventListener("pagehide", () => source?.close());
})();
