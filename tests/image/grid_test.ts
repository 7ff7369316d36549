import { assertEquals, assertThrows } from "@std/assert";
import { GapcamError } from "../../src/error.ts";
import { grid, type GridOptions } from "../../src/image/grid.ts";
import type { Image } from "../../src/image/image.ts";

/** Black on white as "#" and ".", from a region of a sheet. */
function art(
  sheet: Image,
  { x, y, width, height }: Record<"x" | "y" | "width" | "height", number>,
): string[] {
  return Array.from({ length: height }, (_, row) =>
    Array.from(
      { length: width },
      (_, column) =>
        sheet.data[((y + row) * sheet.width + x + column) * 3] === 0
          ? "#"
          : ".",
    ).join(""));
}

function white(height: number, width: number): Image {
  return {
    height,
    width,
    channels: 1,
    data: new Uint8Array(height * width).fill(255),
  };
}

Deno.test("grid() puts tiles row by row, centres small ones and leaves white around", () => {
  const red: Image = {
    height: 1,
    width: 1,
    channels: 3,
    data: Uint8Array.of(255, 0, 0),
  };
  const dark: Image = {
    height: 3,
    width: 3,
    channels: 1,
    data: new Uint8Array(9),
  };
  const sheet = grid([dark, red, dark], { columns: 2, padding: 1 });
  assertEquals([sheet.height, sheet.width, sheet.channels], [9, 9, 3]);
  assertEquals(
    Array.from({ length: 9 }, (_, y) =>
      Array.from({ length: 9 }, (_, x) => {
        const at = (y * 9 + x) * 3;
        const [r, g] = [sheet.data[at], sheet.data[at + 1]];
        return r === 0 ? "#" : g === 0 ? "r" : ".";
      }).join("")),
    [
      ".........",
      ".###.....",
      ".###..r..",
      ".###.....",
      ".........",
      ".###.....",
      ".###.....",
      ".###.....",
      ".........",
    ],
  );
});

Deno.test("grid() writes labels below their tiles", () => {
  const sheet = grid([white(4, 19)], { labels: ["gA1"], padding: 0 });
  assertEquals(sheet.height, 14);
  assertEquals(art(sheet, { x: 1, y: 6, width: 17, height: 8 }), [
    "...... ###.   #  ".replaceAll(" ", "."),
    "......#...#. ##  ".replaceAll(" ", "."),
    ".####.#...#.  #  ".replaceAll(" ", "."),
    "#...#.#####.  #  ".replaceAll(" ", "."),
    "#...#.#...#.  #  ".replaceAll(" ", "."),
    ".####.#...#.  #  ".replaceAll(" ", "."),
    "....#.#...#. ### ".replaceAll(" ", "."),
    ".###.............",
  ]);
});

Deno.test("grid() cuts a long label, with two points at its end", () => {
  const labels = (text: string): GridOptions => ({
    labels: [text],
    padding: 0,
  });
  const tile = white(1, 29);
  assertEquals(
    grid([tile], labels("airplane")),
    grid([tile], labels("air..")),
  );
  assertEquals(
    grid([tile], labels("plane")).data.length,
    grid([tile], labels("air..")).data.length,
  );
});

Deno.test("grid() doubles the letters of tiles of 384 pixels", () => {
  const small = grid([white(1, 20)], { labels: ["#"], padding: 0 });
  const large = grid([white(1, 384)], { labels: ["#"], padding: 0 });
  assertEquals(large.height - 1, 2 * (small.height - 1));
  const count = ({ data }: Image) => data.filter((value) => value === 0).length;
  assertEquals(count(large), 4 * count(small));
});

Deno.test("grid() draws each ASCII character unlike every other", () => {
  const seen = new Map<string, string>();
  for (let code = 32; code < 127; code++) {
    const label = String.fromCharCode(code);
    const sheet = grid([white(1, 5)], { labels: [label], padding: 0 });
    const drawn = art(sheet, { x: 0, y: 3, width: 5, height: 8 }).join("\n");
    assertEquals(seen.get(drawn), undefined, `${label} looks the same`);
    assertEquals(drawn.includes("#"), label !== " ");
    seen.set(drawn, label);
  }
  assertEquals(seen.size, 95);
});

Deno.test("grid() draws a question mark for what its font lacks", () => {
  const options = (label: string) => ({ labels: [label] });
  assertEquals(
    grid([white(9, 9)], options("é")),
    grid([white(9, 9)], options("?")),
  );
});

Deno.test("grid() starts another line at a line feed", () => {
  const one = grid([white(5, 9)], { labels: ["a"] });
  const two = grid([white(5, 9)], { labels: ["a\nb"] });
  assertEquals(two.height - one.height, 10);
});

Deno.test("grid() rejects no images, missing labels and bad columns", () => {
  assertThrows(() => grid([]), GapcamError, "found no image");
  assertThrows(
    () => grid([white(1, 1)], { labels: [] }),
    GapcamError,
    "Cannot lay out grid: found 0 labels, expected 1, one for each image",
  );
  assertThrows(
    () => grid([white(1, 1)], { columns: 0 }),
    GapcamError,
    "found 0 columns",
  );
  assertThrows(
    () => grid([white(1, 1)], { padding: -1 }),
    GapcamError,
    "found padding -1",
  );
});
