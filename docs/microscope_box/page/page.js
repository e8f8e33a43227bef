// What every page uses: the data, which scripts in data/ bring, and the elements of a page. Text is always set as text,
// never as HTML, so that no name of a class or file is read as markup.
"use strict";

const microscope = {
  data: {},
  waiting: {},

  // Called by each file of data/.
  add(name, value) {
    this.data[name] = value;
  },

  // A promise of the data called `name`. A page from disk may load scripts, but not read JSON.
  need(name) {
    this.waiting[name] ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = `data/${name}.js`;
      script.onload = () => resolve(this.data[name]);
      script.onerror = () => reject(new Error(`data/${name}.js is missing; make the microscope again`));
      document.head.append(script);
    });
    return this.waiting[name];
  },

  get site() {
    return this.data.site;
  },
};

// An element with attributes and children; strings become text, null is left out.
function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, each] of Object.entries(value)) element.style.setProperty(key, each);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

function svg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const number = (value) => Number(value).toLocaleString("en", { maximumSignificantDigits: 3 });
const brief = (value) => Number(value).toLocaleString("en", { maximumSignificantDigits: 2 });
const percent = (value) => `${(100 * value).toFixed(value && Math.abs(value) < 0.095 ? 1 : 0)}\u00a0%`;
// How a probability that falls by `drop` changes, in percentage points.
const points = (drop) => `${drop >= 0 ? "−" : "+"}${(100 * Math.abs(drop)).toFixed(1)}`;
const count = (value, noun, nouns = `${noun}s`) => `${value.toLocaleString("en")} ${value === 1 ? noun : nouns}`;
const spoken = (name) => name.replaceAll("_", " ");
const className = (index) => spoken(microscope.site.classes[index] ?? `class ${index}`);
const address = {
  layer: (layer) => `#/layer/${layer}`,
  channel: (layer, channel) => `#/channel/${layer}/${channel}`,
  class: (index) => `#/class/${index}`,
  confusion: (label, predicted) => `#/class/${label}/as/${predicted}`,
  image: (index) => `#/image/${index}`,
};

function section(title, text, ...children) {
  return h("section", {}, h("h2", {}, title), text ? h("p", {}, text) : null, ...children);
}

function headlines(...triples) {
  return h("div", { class: "headlines" }, triples.map(([name, value, note]) =>
    h("div", { class: "headline" }, h("div", { class: "name" }, name), h("div", { class: "value" }, value),
      h("div", { class: "note" }, note ?? ""))));
}

// The top of a page: its title, a line below it, and links to what comes before and after it.
function opening(title, lead, before, after, noun) {
  const step = (target, sign, name) => target === null ? null
    : h("a", { class: "button", href: target, "aria-label": `${name} ${noun}`, "data-step": name }, sign);
  return h("div", { class: "top" }, h("div", {}, h("h1", { tabindex: "-1" }, title), h("p", { class: "lead" }, lead)),
    before === undefined ? null
      : h("div", { class: "steps" }, step(before, "←", "previous"), step(after, "→", "next")));
}

const TILES = 16; // a side of a sheet; see site.py

function tileStyle(layer, channel, kind) {
  const sheet = Math.floor(channel / (TILES * TILES));
  const place = channel % (TILES * TILES);
  return {
    "background-image": `url("sheets/${layer}-${kind ?? tileKind()}-${sheet}.jpg")`,
    "background-position": `calc(${-(place % TILES)} * var(--tile)) calc(${-Math.floor(place / TILES)} * var(--tile))`,
  };
}

const tileKind = () => (microscope.site.visualizations ? "dreams" : "crops");
const channelName = (layer, channel) => `${microscope.site.layers[layer].name}, channel ${channel}`;

// A channel's tile with a line below it, as a link to its page.
function mini(layer, channel, caption, kind) {
  return h("a", { class: "mini", href: address.channel(layer, channel),
    "aria-label": `${channelName(layer, channel)}${caption ? `: ${caption}` : ""}` },
  h("span", { class: "tile", style: tileStyle(layer, channel, kind) }), h("b", {}, `${channel}`),
  caption ? h("br") : null, caption ?? null);
}

// Rows of a name, a bar and a value: [name, value, link, text]. Bars are as long as their share of `whole`, the largest.
function bars(rows, text = number, whole = null) {
  const largest = whole ?? Math.max(...rows.map(([, value]) => Math.abs(value)), 1e-12);
  return h("div", { class: "bars" }, rows.map(([name, value, link, own]) => [
    link ? h("a", { href: link }, name) : h("span", {}, name),
    h("span", { class: "track", "aria-hidden": "true" }, h("span", { class: value < 0 ? "bar against" : "bar",
      style: { width: `${(100 * Math.abs(value)) / largest}%` } })),
    h("span", { class: "value" }, own ?? text(value)),
  ]));
}

// An image with its prediction below, as a link to its page.
function photo(index, caption) {
  const image = microscope.data.images[index];
  const [predicted, share] = image.top[0];
  const wrong = image.label >= 0 && image.label !== predicted;
  return h("a", { class: "photo", href: address.image(index) },
    h("img", { src: `images/${index}.jpg`, alt: spoken(image.name), loading: "lazy", width: 128, height: 128 }),
    caption ?? h("span", { class: wrong ? "wrong" : null }, `${className(predicted)} ${percent(share)}`));
}

function photos(indices, caption) {
  return h("div", { class: "photos" }, indices.map((index) => photo(index, caption?.(index))));
}

function command(text) {
  const copy = h("button", { type: "button", onclick: async () => {
    try {
      await navigator.clipboard.writeText(text);
      copy.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code); // a browser may refuse; the text is then selected
    }
    setTimeout(() => (copy.textContent = "Copy"), 1500);
  } }, "Copy");
  const code = h("code", { tabindex: "0" }, text);
  return h("div", { class: "command" }, code, copy);
}
