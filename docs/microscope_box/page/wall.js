// The first page, and the wall of a layer: all of its channels as tiles.
"use strict";

const shownNames = { crops: "image crops", visualisations: "visualisations", both: "both" };

function homePage() {
  const { title, notes, layers, classes, seen, images, labelled, digest, test } = microscope.site;
  const all = microscope.data.images;
  const correct = all.filter((image) => image.label === image.top[0][0]).length;
  const known = all.filter((image) => image.label >= 0).length;
  const channels = layers.reduce((sum, layer) => sum + layer.channels, 0);
  return [
    opening(title, "What each channel of this network responds to, and what it is used for."),
    ...notes.map((note) => h("p", { class: "note-line" }, note)),
    headlines(["channels", channels.toLocaleString("en"), `in ${count(layers.length, "layer")}`],
      ["images", seen.toLocaleString("en"), images < seen ? `${images.toLocaleString("en")} with a page` : "each with a page"],
      ["classes", classes.length.toLocaleString("en"), "that it predicts"],
      labelled ? ["correct predictions", percent(correct / known), `of ${count(known, "labelled image")} with a page`]
        : ["network", digest || "no file", "first digits of its SHA-256"]),
    section("Layers", "Early layers respond to edges and colours, late ones to objects and places.",
      layers.map((layer, i) => h("a", { class: "layer", href: address.layer(i), "data-layer": layer.name },
        h("span", { class: "name" }, layer.name),
        h("span", { class: "note" }, `${count(layer.channels, "channel")}, ${percent(layer.depth)} of the depth`),
        h("div", { class: "strip", "aria-hidden": "true" },
          layer.strip.map((channel) => h("span", { class: "tile", style: tileStyle(i, channel) })))))),
    test ? section("What the images tell", `Another network, ${test.judge}, chose of two images that a channel's page does not `
      + "show the one that excites the channel more, by what the page shows. Chance is 50 %; in brackets the 95 % interval.",
    h("div", { class: "columns" }, layers.map((layer) => h("div", {}, h("h3", {}, layer.name), bars(test.results.filter((each) =>
      each.layer === layer.name).map((each) => [shownNames[each.shown], each.share, null,
      `${percent(each.share)} (${percent(each.low)} to ${percent(each.high)})`]), percent, 1))))) : null,
    section("Classes", null, classIndex(24), classes.length > 24 ? h("a", { href: "#/classes" }, "All classes") : null),
    section("Images", null, photos(all.map((_, i) => i).filter((_, i) => i % Math.ceil(all.length / 9) === 0)),
      h("p", {}, h("a", { href: "#/images" }, "All images"))),
  ];
}

const SORTS = {
  similar: "similar ones together",
  number: "number",
  fires: "fires often",
  specific: "few classes first (entropy)",
  class: "class",
};

// Kept while the page is open, so that the way back leads to the same wall.
const wallState = { sort: "similar", class: 0, kind: null };

function sorted(layer) {
  const { channels, order } = microscope.data[`layer-${layer}`];
  const numbers = channels.map((_, i) => i);
  const by = (value) => numbers.sort((a, b) => value(a) - value(b) || a - b);
  if (wallState.sort === "similar") return order;
  if (wallState.sort === "fires") return by((i) => -channels[i].fires);
  if (wallState.sort === "specific") return by((i) => channels[i].entropy);
  if (wallState.sort === "class") {
    const z = classScores(layer);
    return by((i) => -z[wallState.class * channels.length + i]);
  }
  return numbers;
}

// Each class's mean above the channel's mean of all classes, as written by _class_z in site_data.py: (classes, channels).
function classScores(layer) {
  const data = microscope.data[`layer-${layer}`];
  if (!data.scores) {
    const bytes = Uint8Array.from(atob(data.z), (letter) => letter.charCodeAt(0));
    data.scores = new DataView(bytes.buffer);
    data.scores = Array.from({ length: bytes.length / 2 }, (_, i) => data.scores.getUint16(2 * i, true) / 1000 - 32);
  }
  return data.scores;
}

function layerPage(layer) {
  const about = microscope.site.layers[layer];
  const { channels } = microscope.data[`layer-${layer}`];
  const line = h("div", { class: "about status" });
  const wall = h("div", { class: "wall", role: "group", "aria-label": `Channels of ${about.name}` });
  const kind = () => wallState.kind ?? tileKind();
  const describe = (channel) => {
    const { classes, fires, best } = channels[channel];
    line.textContent = `Channel ${channel}: most active for ${classes.slice(0, 2).map(([c]) => className(c)).join(" and ")
    }; positive at ${percent(fires)} of the positions; highest peak ${best.length ? number(best[0][3]) : "none"}`;
  };
  const fill = () => {
    wall.replaceChildren(...sorted(layer).map((channel, i) => h("a", { class: "tile", href: address.channel(layer, channel),
      "aria-label": `Channel ${channel}`, "data-channel": channel, tabindex: i ? "-1" : "0",
      style: tileStyle(layer, channel, kind()) })));
    line.textContent = `${count(channels.length, "channel")}. Point at one, or move with the arrow keys.`;
  };
  const channelOf = (event) => event.target.closest?.("[data-channel]")?.dataset.channel;
  for (const kindOfEvent of ["mouseover", "focusin"]) {
    wall.addEventListener(kindOfEvent, (event) => channelOf(event) !== undefined && describe(Number(channelOf(event))));
  }
  wall.addEventListener("keydown", (event) => {
    const tiles = [...wall.children];
    const columns = tiles.findIndex((tile) => tile.offsetTop > tiles[0].offsetTop);
    const across = columns < 0 ? tiles.length : columns;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across,
      Home: -tiles.length, End: tiles.length }[event.key];
    if (step === undefined) return;
    const here = tiles.indexOf(document.activeElement);
    const there = tiles[Math.min(Math.max(here + step, 0), tiles.length - 1)];
    document.activeElement.tabIndex = -1;
    there.tabIndex = 0;
    there.focus();
    event.preventDefault();
    event.stopPropagation();
  });
  const classes = h("select", { id: "wall-class", "aria-label": "Class", onchange: () => {
    wallState.class = Number(classes.value);
    fill();
  } }, microscope.site.classes.map((_, i) => h("option", { value: i, selected: i === wallState.class }, className(i))));
  classes.hidden = wallState.sort !== "class";
  const sort = h("select", { id: "wall-sort", onchange: () => {
    wallState.sort = sort.value;
    classes.hidden = sort.value !== "class";
    fill();
  } }, Object.entries(SORTS).map(([key, name]) => h("option", { value: key, selected: key === wallState.sort }, name)));
  const kinds = { dreams: "visualisations", crops: "image crops" };
  const buttons = Object.entries(kinds).map(([key, name]) => h("button", { type: "button", "aria-pressed": `${kind() === key}`,
    onclick: (event) => {
      wallState.kind = key;
      for (const button of event.target.parentNode.children) button.setAttribute("aria-pressed", `${button === event.target}`);
      fill();
    } }, name));
  fill();
  const field = about.field ? `receptive field ${about.field} pixels, ` : "";
  return [
    opening(about.name, `${count(about.channels, "channel")}, ${percent(about.depth)} of the depth, ${field}${
      about.grid[0]} × ${about.grid[1]} positions in an image.`, layer > 0 ? address.layer(layer - 1) : null,
    layer + 1 < microscope.site.layers.length ? address.layer(layer + 1) : null, "layer"),
    h("div", { class: "controls" }, h("label", {}, "Sort by", sort), classes,
      microscope.site.visualizations ? h("div", { class: "chips", role: "group", "aria-label": "Tiles" }, buttons) : null),
    line, wall,
  ];
}
