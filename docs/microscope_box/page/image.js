// The pages of the images.
"use strict";

const HEAT_SIDE = 16;

// Grad-CAM as colours over the image: transparent, violet, orange, yellow.
function heat(values) {
  const canvas = h("canvas", { width: HEAT_SIDE, height: HEAT_SIDE, role: "img", "aria-label": "Grad-CAM of the prediction" });
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(HEAT_SIDE, HEAT_SIDE);
  const stops = [[68, 1, 84], [204, 71, 120], [248, 149, 64], [253, 231, 37]];
  [...atob(values)].forEach((letter, i) => {
    const value = letter.charCodeAt(0) / 255;
    const at = Math.min(value * (stops.length - 1), stops.length - 1.001);
    const [from, to] = [stops[Math.floor(at)], stops[Math.floor(at) + 1]];
    const color = from.map((each, c) => each + (to[c] - each) * (at % 1));
    pixels.data.set([...color, 215 * Math.min(1, 1.4 * value)], 4 * i);
  });
  context.putImageData(pixels, 0, 0);
  return canvas;
}

function imagesPage() {
  const images = microscope.data.images;
  const all = images.map((_, i) => i);
  const wrong = (i) => images[i].label >= 0 && images[i].label !== images[i].top[0][0];
  const grid = h("div", {});
  const show = (indices) => grid.replaceChildren(photos(indices));
  const choices = { "All": all, "Wrong": all.filter(wrong), "Correct": all.filter((i) => images[i].label >= 0 && !wrong(i)) };
  const buttons = Object.entries(choices).map(([name, chosen], i) => h("button", { type: "button", "aria-pressed": `${i === 0}`,
    onclick: (event) => {
      for (const button of event.target.parentNode.children) button.setAttribute("aria-pressed", `${button === event.target}`);
      show(chosen);
    } }, `${name}: ${chosen.length}`));
  show(all);
  return [
    opening("Images", "With the prediction for each."),
    microscope.site.labelled ? h("div", { class: "controls" }, h("div", { class: "chips" }, buttons)) : h("br"), grid,
  ];
}

function imagePage(index) {
  const images = microscope.data.images;
  const image = { ...images[index], ...microscope.data.reasons[index] };
  const [predicted, share] = image.top[0];
  const { layers } = microscope.site;
  const truth = image.label < 0 ? "The class of this image is not known."
    : image.label === predicted ? "The prediction is correct." : [
      "The prediction is wrong: it is ", h("a", { href: address.class(image.label) }, className(image.label)), ". ",
      h("a", { href: address.confusion(image.label, predicted) }, "Others like it")];
  const overlay = heat(image.heat);
  const toggle = h("button", { type: "button", "aria-pressed": "true", onclick: () => {
    overlay.hidden = !overlay.hidden;
    toggle.setAttribute("aria-pressed", `${!overlay.hidden}`);
  } }, "Grad-CAM");
  const tiles = (pairs, layer, text) => h("div", { class: "row" }, pairs.map(([channel, value]) => mini(layer, channel, text(value))));
  const each = (key, text) => layers.map((about, layer) => image[key][layer].length
    ? h("div", {}, h("h3", {}, about.name), tiles(image[key][layer], layer, text)) : null);
  return [
    opening(`${className(predicted)}, ${percent(share)}`, [image.name, ". ", truth], index > 0 ? address.image(index - 1) : null,
      index + 1 < images.length ? address.image(index + 1) : null, "image"),
    h("div", { class: "viewer" },
      h("div", {}, h("div", { class: "frame" }, h("img", { src: `images/${index}.jpg`, alt: image.name }), overlay),
        h("div", { class: "controls" }, toggle, h("span", { class: "about" }, "where the evidence for the prediction is"))),
      h("div", {}, h("h2", {}, "Predictions"), bars(image.top.map(([c, value]) => [className(c), value, address.class(c)]), percent))),
    image.removed.some((pairs) => pairs.length) ? section("Why", `The channels whose removal lowers the probability of ${
      className(predicted)} most. Each is set to zero, one at a time; the number is the change, in percentage points.`,
    each("removed", points)) : null,
    section("Strongest channels", "Compared with the other images: standard deviations above the channel's mean peak.",
      each("strongest", (value) => `${brief(value)} σ`)),
    section("Most similar images", `By the means of all channels of ${layers.at(-1).name}.`, photos(image.similar)),
  ];
}
