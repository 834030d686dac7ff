// The symbol field of the arm form finds pairs by a few letters. Without this script it is a plain text field.
"use strict";

const form = document.getElementById("arm");
const WAIT_MS = 150;

if (form) {
  const input = form.elements.symbol;
  const list = document.createElement("ul");
  const told = document.createElement("p");
  let timer = 0;
  let asking = null;
  let chosen = -1;

  list.id = "symbols";
  list.className = "options";
  list.hidden = true;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Symbols");
  told.className = "help";
  told.setAttribute("role", "status");
  for (const [name, value] of Object.entries({
    role: "combobox",
    "aria-autocomplete": "list",
    "aria-expanded": "false",
    "aria-controls": list.id,
  })) {
    input.setAttribute(name, value);
  }
  input.after(list, told);

  const options = () => [...list.children];

  const close = () => {
    list.hidden = true;
    chosen = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };

  const point = (index) => {
    const all = options();
    if (!all.length) return;
    chosen = (index + all.length) % all.length;
    all.forEach((option, number) => option.setAttribute("aria-selected", String(number === chosen)));
    input.setAttribute("aria-activedescendant", all[chosen].id);
    all[chosen].scrollIntoView({ block: "nearest" });
  };

  const take = (option) => {
    input.value = option.dataset.symbol;
    close();
    input.dispatchEvent(new Event("change", { bubbles: true }));
  };

  const show = ({ symbols, refused }) => {
    list.replaceChildren(
      ...symbols.map(({ symbol, base, quote }, number) => {
        const option = document.createElement("li");
        option.id = `symbol-${number}`;
        option.dataset.symbol = symbol;
        option.setAttribute("role", "option");
        option.setAttribute("aria-selected", "false");
        option.textContent = `${symbol}  (${base} in ${quote})`;
        // Before the field loses its focus.
        option.addEventListener("mousedown", (event) => {
          event.preventDefault();
          take(option);
        });
        return option;
      }),
    );
    chosen = -1;
    told.textContent = refused || (symbols.length ? "" : "No pair of isolated margin is called so.");
    list.hidden = !symbols.length;
    input.setAttribute("aria-expanded", String(symbols.length > 0));
    input.removeAttribute("aria-activedescendant");
  };

  const ask = async () => {
    // Only the answer to what was typed last is shown.
    asking?.abort();
    asking = new AbortController();
    const question = new URLSearchParams({ q: input.value, account: form.elements.account.value });
    try {
      const answer = await fetch(`${form.dataset.symbols}?${question}`, { signal: asking.signal });
      if (!answer.ok) throw new Error(String(answer.status));
      show(await answer.json());
    } catch (error) {
      if (error.name !== "AbortError") show({ symbols: [], refused: "The list of symbols cannot be reached: type it in full." });
    }
  };

  input.addEventListener("input", () => {
    clearTimeout(timer);
    if (input.value.trim()) timer = setTimeout(ask, WAIT_MS);
    else close();
  });
  input.addEventListener("blur", () => {
    clearTimeout(timer);
    asking?.abort();
    close();
  });
  input.addEventListener("keydown", (event) => {
    const open = !list.hidden;
    if (event.key === "ArrowDown") open ? point(chosen + 1) : ask();
    else if (event.key === "ArrowUp" && open) point(chosen < 0 ? -1 : chosen - 1);
    else if (event.key === "Enter" && open) take(options()[Math.max(chosen, 0)]);
    else if (event.key === "Escape" && open) close();
    else return;
    event.preventDefault();
  });
}
