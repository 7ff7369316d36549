import { byId, element, fill } from "./elements.js";
import { percent } from "./format.js";

/** Shows a photograph that is dropped on the page to the newest network. */
export class Photograph {
  #id;
  #file;
  #asked = 0;

  constructor() {
    const drop = byId("drop");
    // All of the page takes it, so that none is opened by mistake.
    addEventListener("dragover", (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
    addEventListener("dragleave", (event) => {
      if (!event.relatedTarget) drop.classList.remove("over");
    });
    addEventListener("drop", (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      const [file] = event.dataTransfer?.files ?? [];
      if (file && this.#id) this.#take(file);
    });
    byId("photograph-file").addEventListener("change", (event) => {
      const [file] = event.target.files;
      if (file) this.#take(file);
      event.target.value = "";
    });
    for (const name of ["fit", "class", "network"]) {
      byId(`photograph-${name}`).addEventListener("change", () => {
        if (this.#file) this.#take(this.#file);
      });
    }
  }

  /** The run whose network answers, or none; its classes; whether one is its best. */
  show(id, classes, hasBest) {
    byId("photograph-network").parentElement.hidden = !hasBest;
    byId("photograph").hidden = !id;
    if (id !== this.#id) {
      byId("photograph-says").textContent = "";
      byId("photograph-figure").hidden = true;
    }
    this.#id = id;
    const select = byId("photograph-class");
    const names = classes ?? [];
    if (select.dataset.classes === JSON.stringify(names)) return;
    select.dataset.classes = JSON.stringify(names);
    fill(
      select,
      element("option", { value: "" }, "what it says"),
      ...names.map((name, i) => element("option", { value: String(i) }, name)),
    );
  }

  async #take(file) {
    this.#file = file;
    const asked = ++this.#asked;
    const says = byId("photograph-says");
    const figure = byId("photograph-figure");
    says.textContent = `Looking at ${file.name} …`;
    const query = new URLSearchParams({
      name: file.name,
      fit: byId("photograph-fit").value,
      class: byId("photograph-class").value,
      network: byId("photograph-network").value,
    });
    let answer;
    try {
      const response = await fetch(
        `api/runs/${encodeURIComponent(this.#id)}/photograph?${query}`,
        { method: "POST", body: file },
      );
      answer = await response.json();
    } catch {
      answer = { error: "Cannot reach gapcam: is it still running?" };
    }
    if (asked !== this.#asked) return;
    if (answer.error) {
      says.textContent = answer.error;
      figure.hidden = true;
      return;
    }
    const top = answer.top.map((one) =>
      `${one.class} ${percent(one.probability)}`
    );
    fill(
      says,
      element("strong", {}, top[0] ?? ""),
      top.length > 1 ? `, then ${top.slice(1).join(", ")}. ` : ". ",
      element("small", {}, answer.checkpoint),
    );
    const image = byId("photograph-map");
    image.src = `data:image/png;base64,${answer.png}`;
    image.alt = `${file.name} with the evidence for ${answer.explained}`;
    const save = byId("photograph-save");
    save.href = image.src;
    save.download = `${file.name.replace(/\.[^.]+$/, "")}-cam.png`;
    figure.hidden = false;
  }
}
