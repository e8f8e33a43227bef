// The page of a channel.
"use strict";

let showsWhole = false; // whole images in place of crops; kept from channel to channel

// The part of an image around (x, y), or the whole of it with that part marked; all as shares of its side. value: the
// activation there, shown below; null shows none.
function crop([image, x, y, value], side) {
  const inside = (at) => Math.min(Math.max(at - side / 2, 0), 1 - side);
  const [left, top_] = [inside(x), inside(y)];
  const box = () => h("span", { class: "box", style: {
    left: `${100 * left}%`, top: `${100 * top_}%`, width: `${100 * side}%`, height: `${100 * side}%` } });
  const file = { src: `images/${image}.jpg`, loading: "lazy" };
  const alt = `${showsWhole ? "Image" : "Part of image"} ${image}${value === null ? "" : `, activation ${number(value)}`}`;
  const whole = [h("img", { ...file, alt }), box()];
  const zoomed = [h("img", { ...file, alt, style: { width: `${100 / side}%`, height: `${100 / side}%`,
    left: `${(-100 * left) / side}%`, top: `${(-100 * top_) / side}%` } }),
  h("span", { class: "inset", "aria-hidden": "true" }, h("img", { ...file, alt: "" }), box())];
  return h("a", { class: "crop", href: address.image(image), "aria-label": alt },
    h("span", { class: "frame" }, showsWhole ? whole : zoomed), value === null ? null : number(value));
}

function examples(channel, side) {
  const groups = [
    ["best", "Strongest", "The images with the highest peaks."],
    ["middle", "In the middle", "Around the median: what an ordinary image looks like to this channel."],
    ["worst", "Weakest", "The images with the lowest peaks: what it does not respond to."],
  ];
  return groups.filter(([key]) => channel[key].length).map(([key, title, text]) => h("div", { "data-group": key },
    h("h3", {}, `${title}. `, h("span", { style: { "font-weight": "400" } }, text)),
    h("div", { class: "crops" }, channel[key].map((example) => crop(example, side)))));
}

function histogram([width, first, ...counts], best) {
  const [w, high, bottom] = [320, 90, 18];
  const step = w / counts.length;
  const tallest = Math.max(...counts);
  const total = counts.reduce((sum, each) => sum + each, 0);
  const bins = counts.map((each, i) => {
    const tall = each ? Math.max(1, (high * each) / tallest) : 0;
    const [low, top_] = [(first + i) * width, (first + i + 1) * width];
    return svg("rect", { class: "bin", x: i * step + 0.5, y: high - tall, width: Math.max(step - 1, 0.5), height: tall },
      svg("title", {}, `${number(low)} to ${number(top_)}: ${count(each, "image")}`));
  });
  const label = (x, anchor, value) => svg("text", { x, y: high + bottom - 4, "text-anchor": anchor }, number(value));
  return svg("svg", { viewBox: `0 0 ${w} ${high + bottom}`, role: "img",
    "aria-label": `Histogram of the peaks of ${count(total, "image")}, from ${number(first * width)} to ${number(best)}` },
  ...bins, svg("line", { class: "axis", x1: 0, x2: w, y1: high, y2: high }),
  label(0, "start", first * width), label(w, "end", (first + counts.length) * width));
}

function dreams(layer, index, channel) {
  const { visualizations, layers } = microscope.site;
  if (!visualizations) return null;
  const path = (kind) => `visualizations/${encodeURIComponent(layers[layer].name)}/${index}-${kind}.jpg`;
  const name = channelName(layer, index);
  const figure = (kind, caption, trust) => h("figure", {}, h("img", { src: path(kind), alt: `Visualisation of ${name}: ${caption}` }),
    h("figcaption", {}, caption, trust ? h("div", { class: "trust" }, trust) : null));
  const numbers = Array.from({ length: visualizations }, (_, i) => i);
  return section("What it looks for", "Images made by raising this channel's activation, from noise and from a photo. "
    + "Believe them where they agree with the images below. Path: how far an image excites all channels of a layer as the "
    + "strongest images do: 1 as they do, 0 as any other image does.",
  h("div", { class: "dreams" },
    numbers.map((i) => figure(i, `from noise, seed ${i}`, channel.trust?.[i])),
    channel.middle.length ? figure("photo", "a photo, changed until it excites the channel", channel.trust?.[visualizations]) : null));
}

function channelPage(layer, index) {
  const about = microscope.site.layers[layer];
  const { channels } = microscope.data[`layer-${layer}`];
  const channel = channels[index];
  const classRows = (pairs) => pairs.map(([c, value]) => [className(c), value, address.class(c)]);
  const images = h("div", { id: "examples" }, examples(channel, about.crop));
  const whole = h("button", { type: "button", "aria-pressed": `${showsWhole}`, onclick: () => {
    showsWhole = !showsWhole;
    whole.setAttribute("aria-pressed", `${showsWhole}`);
    images.replaceChildren(...examples(channel, about.crop));
  } }, "Whole images");
  const how = about.exact ? "Its weight in the last layer times its mean activation: exact."
    : "Its activation times the gradient of the logit, in the images predicted as the class.";
  const best = channel.best.length ? channel.best[0][3] : 0;
  return [
    opening(`${about.name}, channel ${index}`, [h("a", { href: address.layer(layer) }, `All channels of ${about.name}`)],
      index > 0 ? address.channel(layer, index - 1) : null,
      index + 1 < channels.length ? address.channel(layer, index + 1) : null, "channel"),
    headlines(["fires", percent(channel.fires), "of all positions are positive"],
      ["highest peak", number(best), `mean peak ${number(channel.mean)} ± ${number(channel.std)}`],
      ["entropy over classes", number(channel.entropy), "0: one class only; 1: all alike"],
      ["speaks most for", channel.for.length ? className(channel.for[0][0]) : "none", about.exact ? "exact" : "by gradient"]),
    dreams(layer, index, channel),
    section("Images", `Each frame is ${about.field && about.field / about.crop > 0
      ? `a part of an image around the place that excites the channel most` : "a part of an image"}; the number is the activation there.`,
    h("div", { class: "controls" }, whole), images),
    h("div", { class: "columns" },
      section("Speaks for", how, bars(classRows(channel.for))),
      section("Speaks against", "Classes whose logits it lowers, compared with the mean of all.",
        bars(classRows(channel.against)))),
    h("div", { class: "columns" },
      section("Activation by class", "Mean over the positions and images of a class.", bars(classRows(channel.classes))),
      section("Histogram", "The peak of each image: how many have which.",
        channel.histogram.length ? histogram(channel.histogram, best) : null)),
    section("Nearest channels", "Those of this layer that respond to the same images: correlation of their means.",
      h("div", { class: "row" }, channel.near.map(([other, r]) => mini(layer, other, brief(r))))),
    section("Dream it", "This command makes a larger visualisation; with image=PHOTO and dream=vivid it changes your photo.",
      command(`${microscope.site.dream} dream=visualize "dream.layers=['${about.name}:${index}']"`)),
  ];
}
