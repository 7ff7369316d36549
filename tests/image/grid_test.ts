import { assert, assertEquals, assertThrows } from "@std/assert";
import { GapcamError } from "../../src/error.ts";
import { grid, type GridOptions } from "../../src/image/grid.ts";
import type { Image } from "../../src/image/image.ts";

/** Dark on white as "#" and ".", from a region of a sheet. */
function art(
  sheet: Image,
  { x, y, width, height }: Record<"x" | "y" | "width" | "height", number>,
): string[] {
  return Array.from({ length: height }, (_, row) =>
    Array.from(
      { length: width },
      (_, column) =>
        sheet.data[((y + row) * sheet.width + x + column) * 3]! < 128
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

Deno.test("grid() writes labels below their tiles, in the middle", () => {
  const sheet = grid([white(4, 60)], { labels: ["lil"], padding: 0 });
  assertEquals([sheet.height, sheet.width], [4 + 15, 60]);
  const columns = Array.from(
    { length: 60 },
    (_, x) => art(sheet, { x, y: 4, width: 1, height: 15 }).includes("#"),
  );
  const middle = (columns.indexOf(true) + columns.lastIndexOf(true)) / 2;
  assert(Math.abs(middle - 29.5) <= 1, `${middle}`);
});

Deno.test("grid() cuts a long label, and says so with three points", () => {
  const labels = (text: string): GridOptions => ({
    labels: [text],
    padding: 0,
  });
  const tile = white(1, 40);
  assertEquals(
    grid([tile], labels("airplane")),
    grid([tile], labels("airpl…")),
  );
});

Deno.test("grid() draws larger letters below larger tiles", () => {
  const heights = [20, 192, 384, 768].map((width) =>
    grid([white(1, width)], { labels: ["#"], padding: 0 }).height - 1
  );
  assertEquals(heights, [15, 19, 29, 58]);
});

Deno.test("grid() starts another line at a line feed", () => {
  const one = grid([white(5, 9)], { labels: ["a"] });
  const two = grid([white(5, 9)], { labels: ["a\nb"] });
  assertEquals(two.height - one.height, 15);
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
