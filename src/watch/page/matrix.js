import { byId, element, fill, picture, table } from "./elements.js";
import { percent } from "./format.js";

/** Of more classes the matrix is a picture, and its worst cells a list. */
const MOST_BUTTONS = 24;

/** From this share on a cell is so strong that its number is of the other colour. */
const STRONG = 0.76;

/** Mistakes that are listed. */
const MISTAKES = 10;

/** A confusion matrix whose cells show their images, and accuracy a class. */
export class Matrix {
  #key = "";
  #matrix;
  #cell;
  #ask;

  /** @param ask Fetches a cell's images; undefined where nothing can. */
  constructor(ask) {
    this.#ask = ask;
    byId("cell-close").addEventListener("click", () => {
      byId("cell").hidden = true;
      byId("matrix").querySelector('[aria-pressed="true"]')?.focus();
      this.#press(undefined);
    });
    byId("cell-more").addEventListener("click", () => this.#more());
  }

  /** Shows a run's matrix, or how well it tells each class where there is none. */
  show(id, matrix, evaluation) {
    byId("classes").hidden = !matrix && !evaluation;
    if (!matrix) return this.#showClasses(evaluation);
    const key = JSON.stringify([id, matrix]);
    if (key === this.#key) return;
    const other = !this.#key.startsWith(JSON.stringify([id]).slice(0, -1));
    if (other) byId("cell").hidden = true;
    this.#key = key;
    this.#matrix = matrix;
    const { classes, confusion } = matrix;
    const total = confusion.flat().reduce((a, b) => a + b, 0);
    const split = matrix.split === "validation"
      ? `${total} validation images after epoch ${matrix.epoch}`
      : `${total} ${matrix.split} images`;
    byId("matrix-hint").textContent =
      `${split}: a row is what images are, a column what they are taken for.` +
      (this.#ask ? " A cell shows its images." : "");
    fill(
      byId("matrix"),
      classes.length <= MOST_BUTTONS
        ? this.#grid(classes, confusion)
        : heatMap(classes, confusion),
      this.#mistakes(classes, confusion),
    );
    fill(byId("accuracies"), bars(accuracies(classes, confusion)));
  }

  #showClasses(evaluation) {
    if (!evaluation) return;
    this.#key = "";
    byId("cell").hidden = true;
    byId("matrix-hint").textContent =
      `${evaluation.images} ${evaluation.split} images, each of any number of ` +
      "classes: how many of those that show a class were said to.";
    fill(byId("matrix"));
    fill(
      byId("accuracies"),
      bars(
        evaluation.classes.map(({ name, accuracy }) => ({
          name,
          share: accuracy,
        })),
      ),
    );
  }

  /** Buttons in a grid: arrow keys go from one to the next. */
  #grid(classes, confusion) {
    const body = confusion.map((row, label) => {
      const images = row.reduce((a, b) => a + b, 0);
      return element(
        "tr",
        {},
        element("th", { scope: "row" }, classes[label]),
        ...row.map((count, predicted) => {
          const share = images === 0 ? 0 : count / images;
          return element(
            "td",
            { class: label === predicted ? "own" : undefined },
            element("button", {
              type: "button",
              class: share > STRONG ? "strong" : undefined,
              // A faint cell that holds anything can still be seen.
              "--share": count === 0 ? 0 : (0.08 + 0.9 * share).toFixed(3),
              tabindex: label === 0 && predicted === 0 ? "0" : "-1",
              "aria-label": `${classes[label]} taken for ${
                classes[predicted]
              }: ${count}`,
              "data-cell": `${label},${predicted}`,
              onclick: () => count > 0 && this.#open(label, predicted),
              onkeydown: (event) => move(event, classes.length),
            }, count === 0 ? "·" : String(count)),
          );
        }),
      );
    });
    return element(
      "table",
      { class: "matrix" },
      element(
        "thead",
        {},
        element(
          "tr",
          {},
          element("td"),
          ...classes.map((name) =>
            element("th", { scope: "col" }, element("span", {}, name))
          ),
        ),
      ),
      element("tbody", {}, ...body),
    );
  }

  /** The most frequent mistakes, as rows that can be opened. */
  #mistakes(classes, confusion) {
    const worst = confusion
      .flatMap((row, label) =>
        row.map((count, predicted) => ({ count, label, predicted }))
      )
      .filter(({ count, label, predicted }) => count > 0 && label !== predicted)
      .sort((a, b) => b.count - a.count)
      .slice(0, MISTAKES);
    if (worst.length === 0) return undefined;
    return element(
      "details",
      { open: classes.length > MOST_BUTTONS },
      element("summary", {}, "Its most frequent mistakes"),
      table(
        ["is", "taken for", "images"],
        worst.map(({ count, label, predicted }) => [
          classes[label],
          this.#ask
            ? element("button", {
              type: "button",
              onclick: () => this.#open(label, predicted),
            }, classes[predicted])
            : classes[predicted],
          String(count),
        ]),
        { numbers: 2 },
      ),
    );
  }

  async #open(label, predicted) {
    if (!this.#ask) return;
    const { classes } = this.#matrix;
    this.#cell = { label, predicted, first: 0, split: this.#matrix.split };
    byId("cell").hidden = false;
    byId("cell-title").textContent = label === predicted
      ? `${classes[label]}, taken for it`
      : `${classes[label]}, taken for ${classes[predicted]}`;
    this.#press(`${label},${predicted}`);
    fill(byId("cell-images"));
    byId("cell-title").focus({ preventScroll: true });
    await this.#more();
  }

  async #more() {
    const cell = this.#cell;
    byId("cell-more").hidden = true;
    byId("cell-hint").textContent = "Computing maps …";
    try {
      const found = await this.#ask(cell);
      if (this.#cell !== cell) return;
      byId("cell-images").append(...found.shown.map(pair));
      cell.first += found.shown.length;
      byId("cell-hint").textContent =
        `${found.images} ${
          found.images === 1 ? "image" : "images"
        }, the worst ` +
        `first. ${found.checkpoint}`;
      byId("cell-more").hidden = cell.first >= found.images;
    } catch (error) {
      if (this.#cell === cell) byId("cell-hint").textContent = error.message;
    }
  }

  #press(cell) {
    for (const button of byId("matrix").querySelectorAll("[data-cell]")) {
      if (button.dataset.cell === cell) {
        button.setAttribute("aria-pressed", "true");
      } else button.removeAttribute("aria-pressed");
    }
  }
}

/** An image beside its map, and what is said of it. */
export function pair(one) {
  const right = one.label === one.predicted;
  return element(
    "figure",
    { class: "pair" },
    element(
      "div",
      {},
      picture(one.plain, `image ${one.index}`),
      picture(one.map, `evidence for ${one.predicted}`),
    ),
    element(
      "figcaption",
      {},
      element(
        "b",
        { class: right ? "right" : "wrong" },
        `${one.predicted} ${percent(one.probability)}`,
      ),
      right
        ? ` (image ${one.index})`
        : `, is ${one.label} ${
          percent(one.labelProbability)
        } (image ${one.index})`,
    ),
  );
}

function move(event, size) {
  const [row, column] = event.target.dataset.cell.split(",").map(Number);
  const to = {
    ArrowUp: [row - 1, column],
    ArrowDown: [row + 1, column],
    ArrowLeft: [row, column - 1],
    ArrowRight: [row, column + 1],
    Home: [row, 0],
    End: [row, size - 1],
  }[event.key];
  if (!to) return;
  const next = byId("matrix").querySelector(`[data-cell="${to}"]`);
  if (!next) return;
  event.preventDefault();
  event.target.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

/** Many classes: a pixel a cell. */
function heatMap(classes, confusion) {
  const size = classes.length;
  const canvas = element("canvas", {
    role: "img",
    "aria-label": `Confusion matrix of ${size} classes`,
  });
  canvas.width = size;
  canvas.height = size;
  canvas.style.width = `${Math.max(size, 300)}px`;
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(size, size);
  const colour = getComputedStyle(document.documentElement)
    .getPropertyValue("--cell").trim().split(" ").map(Number);
  confusion.forEach((row, label) => {
    const images = row.reduce((a, b) => a + b, 0);
    row.forEach((count, predicted) => {
      const pixel = 4 * (label * size + predicted);
      pixels.data.set(colour, pixel);
      pixels.data[pixel + 3] = images === 0
        ? 0
        : Math.round(255 * Math.sqrt(count / images));
    });
  });
  context.putImageData(pixels, 0, 0);
  return canvas;
}

function accuracies(classes, confusion) {
  return classes.map((name, label) => {
    const images = confusion[label].reduce((a, b) => a + b, 0);
    return {
      name,
      share: images === 0 ? undefined : confusion[label][label] / images,
    };
  });
}

/** A bar for each class. */
function bars(rows) {
  return element(
    "table",
    {},
    element("caption", { class: "hint" }, "Accuracy of each class"),
    element(
      "tbody",
      {},
      ...rows.map(({ name, share }) => {
        const bar = element("i");
        bar.style.width = `${100 * (share ?? 0)}%`;
        return element(
          "tr",
          {},
          element("th", { scope: "row" }, name),
          element(
            "td",
            { class: "track" },
            element("span", { class: "bar" }, bar),
          ),
          element("td", { class: "number" }, percent(share)),
        );
      }),
    ),
  );
}
