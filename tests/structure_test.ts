/**
 * The shape of the sources: `src` imports downwards only, without circles, and
 * knows no flags; native/core includes no backend; files are short enough to be
 * read.
 *
 * @module
 */

import { assertEquals } from "@std/assert";

const ROOT = new URL("../", import.meta.url);

/**
 * The packages of `src` from the highest floor to the lowest. A package imports
 * from those on lower floors and, of its own floor, only from itself.
 */
const FLOORS: readonly (readonly string[])[] = [
  ["watch"],
  ["explain", "predict", "train"],
  ["models", "onnx"],
  ["nn"],
  ["device", "cam"],
  ["data"],
  ["image", "weights"],
  // Files of `src` itself: errors, random numbers, files.
  [""],
];

/** Files that are longer than others may be, and why. */
const LONG: Readonly<Record<string, string>> = {
  "native/include/gapcam.h": "the whole C interface on one page",
  "native/core/elementwise.h": "the mathematics of both backends on one page",
  "src/device/_symbols.ts": "the whole C interface, as one table",
  "src/device/program.ts": "one method an operation, as gapcam.h is one page",
  "src/image/_glyphs.ts": "tables of letters",
};

/** What each module of `src` imports, of types too; paths within `src`. */
async function importsOfSources(): Promise<Map<string, string[]>> {
  // One module that imports all others: `deno info` takes a single file.
  const every = await Array.fromAsync(filesOf("src", /\.ts$/));
  const root = `data:text/typescript,${
    encodeURIComponent(
      every.map((path) => `import ${JSON.stringify(new URL(path, ROOT))};`)
        .join("\n"),
    )
  }`;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", root],
  }).output();
  const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as {
    modules: {
      specifier: string;
      dependencies?: {
        code?: { specifier?: string };
        type?: { specifier?: string };
      }[];
    }[];
  };
  const base = new URL("src/", ROOT).href;
  const own = (specifier: string | undefined) =>
    specifier?.startsWith(base) ? [specifier.slice(base.length)] : [];
  const imports = new Map(
    modules.flatMap(({ specifier, dependencies = [] }) =>
      own(specifier).map((file): [string, string[]] => [
        file,
        dependencies.flatMap(({ code, type }) => [
          ...own(code?.specifier),
          ...own(type?.specifier),
        ]),
      ])
    ),
  );
  assertEquals(
    [...imports.keys()].sort(),
    every.map((path) => path.slice("src/".length)).sort(),
  );
  return imports;
}

function packageOf(file: string): string {
  return file.includes("/") ? file.slice(0, file.indexOf("/")) : "";
}

function floorOf(file: string): number {
  return FLOORS.findIndex((names) => names.includes(packageOf(file)));
}

Deno.test("packages of src import from lower floors only", async () => {
  const wrong: string[] = [];
  for (const [file, imported] of await importsOfSources()) {
    assertEquals(floorOf(file) >= 0, true, `no floor for ${file}`);
    for (const other of imported) {
      if (packageOf(file) === packageOf(other)) continue;
      if (floorOf(file) < floorOf(other)) continue;
      wrong.push(`${file} imports ${other}`);
    }
  }
  assertEquals(wrong, []);
});

Deno.test("no modules of src import each other in a circle", async () => {
  const imports = await importsOfSources();
  const state = new Map<string, "open" | "done">();
  const circles: string[] = [];
  function visit(file: string, path: readonly string[]): void {
    if (state.get(file) === "done") return;
    if (state.get(file) === "open") {
      circles.push([...path.slice(path.indexOf(file)), file].join(" -> "));
      return;
    }
    state.set(file, "open");
    for (const other of imports.get(file) ?? []) visit(other, [...path, file]);
    state.set(file, "done");
  }
  for (const file of imports.keys()) visit(file, []);
  assertEquals(circles, []);
});

Deno.test("native/core includes nothing of a backend", async () => {
  const wrong: string[] = [];
  for await (const path of filesOf("native/core", /\.(cpp|h)$/)) {
    const text = await Deno.readTextFile(new URL(path, ROOT));
    for (const [, header] of text.matchAll(/#include "([^"]+)"/g)) {
      if (/\b(cpu|cuda)\//.test(header!)) {
        wrong.push(`${path} includes ${header}`);
      }
    }
  }
  assertEquals(wrong, []);
});

Deno.test("every file that the CUDA kernels include is compiled into the library", async () => {
  const folder = "native/cuda/kernels";
  const embedded = await Deno.readTextFile(
    new URL("native/cuda/CMakeLists.txt", ROOT),
  );
  const missing: string[] = [];
  for await (const path of filesOf(folder, /\.(h|cu)$/)) {
    const text = await Deno.readTextFile(new URL(path, ROOT));
    for (const [, name] of text.matchAll(/^#include "([^"]+)"/gm)) {
      // What stands for a GPU on the host is compiled there.
      if (name === "host_platform.h" || embedded.includes(`/${name}`)) continue;
      missing.push(`${path}: ${name}`);
    }
  }
  assertEquals(missing, [], "NVRTC finds no files; see CMakeLists.txt");
});

Deno.test("no text in src speaks of flags, which only commands have", async () => {
  const wrong: string[] = [];
  for await (const path of filesOf("src", /\.ts$/)) {
    const text = await Deno.readTextFile(new URL(path, ROOT));
    for (const line of text.split("\n")) {
      if (/^\s*(\*|\/[/*])/.test(line)) continue;
      if (/[\s"'`(]--[a-z][a-z-]*(?![\w.])/.test(line)) {
        wrong.push(`${path}: ${line.trim()}`);
      }
    }
  }
  assertEquals(wrong, []);
});

for (
  const [folder, pattern, most] of [
    ["src", /\.ts$/, 300],
    ["native", /\.(cpp|h|cu)$/, 400],
  ] as const
) {
  Deno.test(`no file in ${folder} has more than ${most} lines without a reason`, async () => {
    const long: string[] = [];
    for await (const path of filesOf(folder, pattern)) {
      const text = await Deno.readTextFile(new URL(path, ROOT));
      const lines = text.split("\n").length - 1;
      if (lines > most && !(path in LONG)) long.push(`${path}: ${lines}`);
    }
    assertEquals(long, []);
  });
}

async function* filesOf(
  folder: string,
  pattern: RegExp,
): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(new URL(folder, ROOT))) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) yield* filesOf(path, pattern);
    else if (pattern.test(entry.name)) yield path;
  }
}
