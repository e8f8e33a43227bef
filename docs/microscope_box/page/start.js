// Which page is shown, the search, and the keyboard.
"use strict";

// [pattern of the address, files of data/ that the page needs, the page, which link of the header is its own]
const PAGES = [
  [/^#?\/?$/, () => ["images"], homePage, () => "home"],
  [/^#\/layer\/(\d+)$/, (layer) => [`layer-${layer}`], layerPage, (layer) => `layer-${layer}`],
  [/^#\/channel\/(\d+)\/(\d+)$/, (layer) => [`layer-${layer}`], channelPage, (layer) => `layer-${layer}`],
  [/^#\/classes$/, () => ["images"], classesPage, () => "classes"],
  [/^#\/class\/(\d+)$/, () => ["images", "classes"], classPage, () => "classes"],
  [/^#\/class\/(\d+)\/as\/(\d+)$/, () => ["images", "reasons"], confusionPage, () => "classes"],
  [/^#\/images$/, () => ["images"], imagesPage, () => "images"],
  [/^#\/image\/(\d+)$/, () => ["images", "reasons"], imagePage, () => "images"],
];

const main = document.getElementById("main");
const scrolled = new Map(); // address -> how far its page was scrolled
let isNewVisit = true; // not one by the browser's back button
let shown = "";

async function show() {
  const wanted = location.hash;
  if (wanted === "#main") return; // the link that skips the header
  const [page, found] = PAGES.map((each) => [each, wanted.match(each[0])]).find(([, match]) => match) ?? [];
  const numbers = found ? found.slice(1).map(Number) : [];
  let content;
  try {
    const needed = page?.[1](...numbers) ?? ["nothing"];
    const known = ["images", "reasons", "classes", ...microscope.site.layers.map((_, i) => `layer-${i}`)];
    if (needed.some((name) => !known.includes(name))) throw new TypeError("there is no such page");
    await Promise.all(needed.map((name) => microscope.need(name)));
    if (location.hash !== wanted) return;
    content = page[2](...numbers);
  } catch (error) {
    content = [opening("Not here", error instanceof TypeError ? "There is no such page." : error.message),
      h("p", {}, h("a", { href: "#/" }, "To the first page"))];
  }
  main.replaceChildren(...content.filter(Boolean));
  const title = main.querySelector("h1");
  document.title = page?.[2] === homePage ? `Microscope of ${microscope.site.title}` : `${title.textContent} · Microscope`;
  const place = page?.[3](...numbers);
  for (const link of document.querySelectorAll("#places a")) {
    if (link.dataset.place === place) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (shown) title.focus({ preventScroll: true });
  window.scrollTo(0, isNewVisit ? 0 : scrolled.get(wanted) ?? 0);
  shown = wanted;
  isNewVisit = false;
  document.documentElement.dataset.shown = wanted || "#/";
}

function begin() {
  const { layers } = microscope.site;
  const link = (href, text, place) => h("a", { href, "data-place": place }, text);
  document.getElementById("places").append(...layers.map((layer, i) => link(address.layer(i), layer.name, `layer-${i}`)),
    link("#/classes", "Classes", "classes"), link("#/images", "Images", "images"));
  history.scrollRestoration = "manual";
  window.addEventListener("scroll", () => scrolled.set(shown, window.scrollY), { passive: true });
  window.addEventListener("hashchange", show);
  document.addEventListener("click", (event) => {
    if (event.target.closest("a")) isNewVisit = true;
  });
  return show();
}

// What a search finds: [text, kind, address, tile].
function resultsOf(text) {
  const { layers } = microscope.site;
  const words = text.toLowerCase().trim();
  if (!words) return [];
  const found = [];
  const channel = words.match(/^(.*?)[\s:,]*(?:channel\s*)?(\d+)$/);
  layers.forEach((layer, i) => {
    const name = layer.name.toLowerCase();
    if (channel && Number(channel[2]) < layer.channels && name.includes(channel[1])) {
      const index = Number(channel[2]);
      found.push([channelName(i, index), "channel", address.channel(i, index), tileStyle(i, index)]);
    }
    if (name.includes(words)) found.push([layer.name, "layer", address.layer(i), null]);
  });
  const classes = microscope.site.classes.map((name, i) => [spoken(name), i])
    .filter(([name]) => name.toLowerCase().includes(spoken(words)));
  classes.sort(([a], [b]) => b.toLowerCase().startsWith(words) - a.toLowerCase().startsWith(words));
  found.push(...classes.slice(0, 8).map(([name, i]) => [name, "class", address.class(i), null]));
  (microscope.data.images ?? []).forEach((image, i) => {
    if (found.length < 16 && image.name.toLowerCase().includes(words)) {
      found.push([image.name, "image", address.image(i), { "background-image": `url("images/${i}.jpg")`, "background-size": "cover" }]);
    }
  });
  return found;
}

function startSearch() {
  const input = document.getElementById("search");
  const list = document.getElementById("results");
  let selected = 0;
  const close = () => {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const select = (index) => {
    const options = list.querySelectorAll("[role=option]");
    if (!options.length) return;
    selected = (index + options.length) % options.length;
    options.forEach((option, i) => option.setAttribute("aria-selected", `${i === selected}`));
    options[selected].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", options[selected].id);
  };
  const go = (target) => {
    isNewVisit = true;
    input.value = "";
    close();
    input.blur();
    location.hash = target;
  };
  const update = async () => {
    await microscope.need("images"); // for their names
    const results = resultsOf(input.value);
    if (!input.value.trim()) return close();
    list.replaceChildren(...(results.length ? results : [["Nothing found", "", null, null]]).map(([text, kind, target, style], i) =>
      h("li", target ? { role: "option", id: `result-${i}`, "data-target": target, onmousedown: (event) => {
        event.preventDefault();
        go(target);
      } } : { class: "none" }, style ? h("span", { class: "tile", style }) : null, h("span", {}, text), h("span", { class: "kind" }, kind))));
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    select(0);
  };
  input.addEventListener("input", update);
  input.addEventListener("focus", () => input.value && update());
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) select(selected + step);
    else if (event.key === "Enter") {
      const chosen = list.hidden ? null : list.querySelector("[aria-selected=true]");
      if (chosen) go(chosen.dataset.target);
    } else if (event.key === "Escape") {
      input.value = "";
      close();
      input.blur();
    } else return;
    event.preventDefault();
  });
}

document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") {
    document.getElementById("search").focus();
    event.preventDefault();
  }
  const name = { ArrowLeft: "previous", ArrowRight: "next" }[event.key];
  const step = name && document.querySelector(`[data-step=${name}]`);
  if (step) step.click();
});

microscope.need("site").then(begin).then(startSearch, (error) => {
  main.replaceChildren(h("h1", {}, "Nothing to show"), h("p", {}, error.message));
});
