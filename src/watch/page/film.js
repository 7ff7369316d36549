import { byId, element, fill } from "./elements.js";
import { percent } from "./format.js";
import { paintMap, paintScale, peakOf } from "./paint_map.js";

/** Frames a second, while it plays. */
const SPEED = 4;

/** Shows a film: a slider says after which epoch. */
export class FilmStrip {
  #film;
  #cards = [];
  #pictures = [];
  #key = "";
  #timer;

  constructor() {
    byId("film-epoch").addEventListener("input", () => {
      this.#stop();
      this.#draw();
    });
    byId("film-play").addEventListener("click", () => {
      if (this.#timer) this.#stop();
      else this.#play();
    });
  }

  /** Shows a run's film; null without one. */
  async show(id, film) {
    byId("film").hidden = !film || film.frames.length === 0;
    if (byId("film").hidden) {
      this.#stop();
      return;
    }
    const slider = byId("film-epoch");
    const key = `${id} ${film.images.map(({ index }) => index)}`;
    const same = key === this.#key;
    if (same && film === this.#film) return;
    // Who looks at the newest goes on with the newest.
    const newest = !same || Number(slider.value) === Number(slider.max);
    this.#film = film;
    slider.max = film.frames.length - 1;
    if (newest) slider.value = slider.max;
    if (!same) {
      this.#stop();
      this.#key = key;
      try {
        await this.#lay(film);
      } catch {
        // A picture that is none: a damaged film is not shown.
        byId("film").hidden = true;
        return;
      }
    }
    this.#draw();
  }

  async #lay(film) {
    byId("film-hint").textContent =
      `Images of the ${film.split} split, which it does not learn from, and ` +
      "their maps after each epoch.";
    this.#pictures = film.images.map(({ picture }) => {
      const image = new Image();
      image.src = `data:image/png;base64,${picture}`;
      return image;
    });
    await Promise.all(this.#pictures.map((image) => image.decode()));
    this.#cards = film.images.map(({ index }, i) => {
      const picture = this.#pictures[i];
      const plain = element("canvas", { "aria-hidden": "true" });
      plain.width = picture.naturalWidth;
      plain.height = picture.naturalHeight;
      plain.getContext("2d").drawImage(picture, 0, 0);
      if (picture.naturalWidth < 64) plain.style.imageRendering = "pixelated";
      const label = element("canvas", { role: "img" });
      const answer = element("canvas", { role: "img" });
      const caption = element("figcaption");
      const figure = element(
        "figure",
        {},
        element(
          "div",
          {
            class: "trio",
            "--shape": `${picture.naturalWidth} / ${picture.naturalHeight}`,
          },
          plain,
          label,
          answer,
        ),
        caption,
      );
      return { figure, label, answer, caption, index };
    });
    fill(
      byId("film-images"),
      ...this.#cards.map(({ figure }) => figure),
      legend(),
    );
  }

  #draw() {
    const { frames, classes, images } = this.#film;
    const frame = frames[Number(byId("film-epoch").value)] ?? frames.at(-1);
    const when = frame.epoch === 0 ? "before training" : `epoch ${frame.epoch}`;
    byId("film-at").value = when;
    byId("film-epoch").setAttribute("aria-valuetext", when);
    for (const [i, card] of this.#cards.entries()) {
      const { label, answer } = frame.images[i];
      const peak = peakOf(answer);
      paintMap(card.label, this.#pictures[i], label, peak);
      paintMap(card.answer, this.#pictures[i], answer, peak);
      const is = (images[i].labels ?? [images[i].label])
        .map((label) => classes[label]).join(", ") || "nothing of it";
      const says = classes[answer.classIndex];
      const right = (images[i].labels ?? [images[i].label])
        .includes(answer.classIndex);
      card.label.setAttribute(
        "aria-label",
        `evidence for ${classes[label.classIndex]}, ${when}`,
      );
      card.answer.setAttribute("aria-label", `evidence for ${says}, ${when}`);
      fill(
        card.caption,
        element(
          "b",
          { class: right ? "right" : "wrong" },
          `${right ? "right" : "wrong"}: ${says} ${
            percent(answer.probability)
          }`,
        ),
        element(
          "span",
          {},
          right
            ? ` (image ${card.index})`
            : `, is ${is} ${percent(label.probability)} (image ${card.index})`,
        ),
      );
    }
  }

  #play() {
    const slider = byId("film-epoch");
    if (slider.value === slider.max) slider.value = 0;
    this.#shown(true);
    this.#draw();
    this.#timer = setInterval(() => {
      if (slider.value === slider.max) return this.#stop();
      slider.value = Number(slider.value) + 1;
      this.#draw();
    }, 1000 / SPEED);
  }

  #stop() {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#shown(false);
  }

  #shown(plays) {
    const button = byId("film-play");
    button.textContent = plays ? "Stop" : "Play";
    button.setAttribute("aria-pressed", String(plays));
  }
}

/** What the three pictures and their colours are. */
function legend() {
  const scale = element("canvas", { "aria-hidden": "true" });
  paintScale(scale);
  return element(
    "div",
    { class: "legend" },
    scale,
    element(
      "div",
      {},
      element("span", {}, "0 and less"),
      element("span", {}, "most evidence"),
    ),
    element(
      "p",
      {},
      "Left the image; in the middle the evidence for what it is; right the " +
        "evidence for what the network takes it for, which is the same where it is right.",
    ),
  );
}
