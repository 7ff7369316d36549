/** The element of an id, which the page has. */
export function byId(id) {
  return document.getElementById(id);
}

/**
 * Makes an element. Text is always text: names of files and classes may hold
 * anything.
 */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (key === "class") made.className = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key.startsWith("--")) made.style.setProperty(key, value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== undefined));
  return made;
}

/** Puts children in the place of those that are there. */
export function fill(parent, ...children) {
  parent.replaceChildren(...children.filter((child) => child !== undefined));
}

/** A table of rows; numbers, which are its later columns, stand to the right. */
export function table(titles, rows, { numbers = titles.length } = {}) {
  const side = (i) => i >= numbers ? "number" : undefined;
  return element(
    "table",
    { class: "plain" },
    titles.length === 0 ? undefined : element(
      "thead",
      {},
      element(
        "tr",
        {},
        ...titles.map((title, i) =>
          element("th", { scope: "col", class: side(i) }, title)
        ),
      ),
    ),
    element(
      "tbody",
      {},
      ...rows.map((row) =>
        element(
          "tr",
          {},
          ...row.map((cell, i) =>
            i === 0
              ? element("th", { scope: "row" }, cell)
              : element("td", { class: side(i) }, cell)
          ),
        )
      ),
    ),
  );
}

/** A picture of its bytes as base 64. */
export function picture(base64, alt) {
  const image = element("img", {
    src: `data:image/png;base64,${base64}`,
    alt,
  });
  // Few pixels are shown as such.
  image.addEventListener("load", () => {
    if (image.naturalWidth < 64) image.classList.add("small");
  });
  return image;
}
