import uPlotStyle from "npm:uplot@^1.6.32/dist/uPlot.min.css" with {
  type: "text",
};
import uPlot from "npm:uplot@^1.6.32/dist/uPlot.iife.min.js" with {
  type: "text",
};

/** Modules of the page by their names, in the order in which they are needed. */
const MODULES = [
  "elements.js",
  "format.js",
  "colours.js",
  "paint_map.js",
  "charts.js",
  "run_list.js",
  "film.js",
  "matrix.js",
  "photograph.js",
  "details.js",
  "main.js",
] as const;

const STYLES = ["page.css"] as const;

/** A file of the page as it lies beside this one. */
async function ownFile(name: string): Promise<string> {
  return await Deno.readTextFile(new URL(`./page/${name}`, import.meta.url));
}

/** All of the page, for one file that holds everything. */
export async function wholePage(): Promise<{
  html: string;
  styles: string[];
  chart: string;
  modules: { name: string; text: string }[];
}> {
  return {
    html: await ownFile("page.html"),
    styles: [uPlotStyle, ...await Promise.all(STYLES.map(ownFile))],
    chart: uPlot,
    modules: await Promise.all(
      MODULES.map(async (name) => ({ name, text: await ownFile(name) })),
    ),
  };
}

/** A file of the page by its path; undefined if there is none. */
export async function pageFile(path: string): Promise<Response | undefined> {
  if (path === "/") return file("text/html", await ownFile("page.html"));
  if (path === "/uplot.css") return file("text/css", uPlotStyle);
  if (path === "/uplot.js") return file("text/javascript", uPlot);
  const name = path.slice(1);
  if (STYLES.some((style) => style === name)) {
    return file("text/css", await ownFile(name));
  }
  if (MODULES.some((module) => module === name)) {
    return file("text/javascript", await ownFile(name));
  }
  if (path === "/icon.svg") {
    return file("image/svg+xml", await ownFile("icon.svg"));
  }
  return undefined;
}

function file(type: string, text: string): Response {
  return new Response(text, {
    headers: {
      "content-type": `${type}; charset=utf-8`,
      "cache-control": "no-cache",
    },
  });
}
