// The theme looks at the system's light or dark once; whoever leaves it to the system means from then on.
"use strict";

window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", ({ matches }) => {
  const chosen = JSON.parse(localStorage.getItem("_x_adminTheme") ?? '"auto"');
  if (chosen === "auto") document.documentElement.classList.toggle("dark", matches);
});
