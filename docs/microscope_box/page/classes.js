// The pages of the classes.
"use strict";

function classCounts() {
  const { classes } = microscope.site;
  const counts = classes.map(() => ({ images: 0, correct: 0, predicted: 0 }));
  for (const image of microscope.data.images) {
    const predicted = image.top[0][0];
    counts[predicted].predicted += 1;
    if (image.label >= 0) {
      counts[image.label].images += 1;
      counts[image.label].correct += image.label === predicted;
    }
  }
  return counts;
}

function classIndex(most = Infinity) {
  const counts = classCounts();
  const busy = (i) => counts[i].images + counts[i].predicted;
  let chosen = counts.map((_, i) => i);
  if (chosen.length > most) chosen = chosen.sort((a, b) => busy(b) - busy(a) || a - b).slice(0, most).sort((a, b) => a - b);
  return h("ul", { class: "index" }, chosen.map((i) => h("li", {}, h("a", { href: address.class(i) }, className(i)),
    h("span", { class: "note" }, counts[i].images ? `${counts[i].correct} of ${counts[i].images} correct`
      : counts[i].predicted ? `${counts[i].predicted} predicted` : ""))));
}

function classesPage() {
  return [opening("Classes", "Each class with its images, and the channels that it is made of."), classIndex()];
}

function concepts(found) {
  return section("Concepts", `Directions of ${found[0].layer} that the images predicted as this class are made of. They often mean `
    + "more than a channel does. Importance: the share of the logit's variance that a concept takes part in; shares overlap.",
  found.map((concept) => h("div", {}, h("h3", {}, `${concept.title}, importance ${percent(concept.importance)}`),
    h("div", { class: "crops" }, concept.dream ? h("div", { class: "crop" }, h("span", { class: "frame" },
      h("img", { src: concept.dream, alt: `Dream of ${concept.title}`, loading: "lazy" })), "its dream") : null,
    concept.images.map(([image, x, y, side]) => crop([image, x, y, null], side))))));
}

function classPage(index) {
  const images = microscope.data.images;
  const { makers, concepts: found } = microscope.data.classes[index];
  const { layers, classes } = microscope.site;
  const all = images.map((_, i) => i);
  const predicted = (i) => images[i].top[0][0];
  const own = all.filter((i) => images[i].label === index);
  const right = own.filter((i) => predicted(i) === index);
  const wrong = own.filter((i) => predicted(i) !== index);
  const taken = all.filter((i) => images[i].label !== index && images[i].label >= 0 && predicted(i) === index);
  const unlabelled = all.filter((i) => images[i].label < 0 && predicted(i) === index);
  const pairs = (group, of, link) => {
    const counts = new Map();
    for (const i of group) counts.set(of(i), (counts.get(of(i)) ?? 0) + 1);
    return [...counts].sort((a, b) => b[1] - a[1]).map(([other, n]) => [className(other), n, link(other)]);
  };
  const sureFirst = (group) => group.sort((a, b) => images[b].top[0][1] - images[a].top[0][1]);
  return [
    opening(className(index), `Class ${index + 1} of ${classes.length}.`, index > 0 ? address.class(index - 1) : null,
      index + 1 < classes.length ? address.class(index + 1) : null, "class"),
    own.length ? headlines(["images", `${own.length}`, "with a page"],
      ["recall", percent(right.length / own.length), `${right.length} predicted correctly`],
      ["precision", right.length + taken.length ? percent(right.length / (right.length + taken.length)) : "none",
        `of ${count(right.length + taken.length, "prediction")}`]) : null,
    makers.some((each) => each.length) ? section("Channels that make it",
      "Those that raise its logit most, compared with the mean of all logits; the number is the logit that they add.",
      makers.map((each, layer) => each.length ? h("div", {}, h("h3", {}, `${layers[layer].name}${
        layers[layer].exact ? ", exact" : ", by gradient"}`),
      h("div", { class: "row" }, each.map(([channel, value]) => mini(layer, channel, `+${brief(value)}`)))) : null)) : null,
    found?.length ? concepts(found) : null,
    wrong.length || taken.length ? h("div", { class: "columns" },
      wrong.length ? section("Confused with", "Its images that are predicted as another class.",
        bars(pairs(wrong, predicted, (other) => address.confusion(index, other)))) : null,
      taken.length ? section("Taken from", "Images of another class that are predicted as this one.",
        bars(pairs(taken, (i) => images[i].label, (other) => address.confusion(other, index)))) : null) : null,
    wrong.length ? section(`Wrong: ${wrong.length}`, "The surest mistakes first.", photos(sureFirst(wrong))) : null,
    right.length ? section(`Correct: ${right.length}`, "The surest first.", photos(sureFirst(right))) : null,
    unlabelled.length ? section(`Predicted as ${className(index)}: ${unlabelled.length}`, "The class of these images is not known.",
      photos(sureFirst(unlabelled))) : null,
    own.length || unlabelled.length || taken.length ? null : h("p", {}, "No image with a page is of this class, or predicted as it."),
  ];
}

function confusionPage(label, other) {
  const found = microscope.data.images.map((image, i) => [image, i])
    .filter(([image]) => image.label === label && image.top[0][0] === other)
    .sort(([a], [b]) => b.top[0][1] - a.top[0][1]).map(([, i]) => i);
  return [
    opening(`${className(label)}, predicted as ${className(other)}`, [count(found.length, "image"), ". ",
      h("a", { href: address.class(label) }, className(label)), " · ", h("a", { href: address.class(other) }, className(other))]),
    section("Images", "The surest first. The page of each shows why.", photos(found)),
    ...microscope.site.layers.map((_, layer) => channelsBehind(found, layer, other)),
  ];
}

// Channels whose removal lowers the mistaken prediction in most of these images.
function channelsBehind(found, layer, predicted) {
  const drops = new Map();
  for (const i of found) {
    for (const [channel, drop] of microscope.data.reasons[i].removed[layer]) {
      if (drop > 0) drops.set(channel, (drops.get(channel) ?? 0) + drop / found.length);
    }
  }
  const most = [...drops].sort((a, b) => b[1] - a[1]).slice(0, 12);
  return most.length ? section(`Channels behind it, ${microscope.site.layers[layer].name}`,
    `The change in the probability of ${className(predicted)} when each is removed, on average, in percentage points.`,
    h("div", { class: "row" }, most.map(([channel, drop]) => mini(layer, channel, points(drop))))) : null;
}
