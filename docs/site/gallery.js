/* Filters the cards of the gallery by preset and network; the choices are those that the cards have. */
const grid = document.getElementById("cards");
if (grid) {
  const cards = [...grid.querySelectorAll("figure")];
  const filters = document.createElement("div");
  filters.id = "filters";
  const chosen = {};
  for (const facet of ["preset", "network"]) {
    const label = filters.appendChild(document.createElement("label"));
    label.textContent = facet;
    const select = label.appendChild(document.createElement("select"));
    const names = [...new Set(cards.map((card) => card.dataset[facet]))].sort();
    for (const name of ["all", ...names]) select.add(new Option(name));
    select.addEventListener("change", () => {
      chosen[facet] = select.value;
      for (const card of cards)
        card.hidden = Object.entries(chosen).some(([key, value]) => value !== "all" && value !== card.dataset[key]);
    });
  }
  grid.before(filters);
}
