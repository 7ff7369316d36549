import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { canvasOf } from "../../src/image/_canvas.ts";
import {
  drawText,
  isDrawable,
  lineHeight,
  shorten,
  textWidth,
  wrap,
} from "../../src/image/_text.ts";

function drawn(text: string, size: number): string {
  const canvas = canvasOf(lineHeight(size) + 8, textWidth(text, size) + 8);
  drawText(canvas, text, { x: 4, y: 4, size });
  return canvas.data.join();
}

Deno.test("drawText() draws each letter unlike every other, in every size", () => {
  const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" +
    "0123456789!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~äÄßçéñøæþğłőšžΑΩαβγδωάЖДЯжйщыэюяЁёІіЇї";
  for (const size of [12, 16, 24]) {
    const seen = new Map<string, string>();
    for (const letter of letters) {
      const pixels = drawn(letter, size);
      // A Greek alpha is a Latin A.
      if (letter === "Α") continue;
      if (
        letter !== "І" && letter !== "і" && letter !== "Ї" && letter !== "ї"
      ) {
        assertEquals(seen.get(pixels), undefined, `${letter} at ${size}`);
      }
      assert(!/^[25,]*$/.test(pixels), letter);
      seen.set(pixels, letter);
    }
  }
});

Deno.test("drawText() has smooth edges, keeps to the canvas and takes a colour", () => {
  const canvas = canvasOf(20, 20);
  drawText(canvas, "Sg", { x: -3, y: 12, size: 16, colour: [255, 0, 0] });
  drawText(canvas, "W", { x: 15, y: -4, size: 24, colour: [255, 0, 0] });
  const levels = new Set(canvas.data);
  assert(levels.size > 5, "no grey levels");
  assert(canvas.data.every((level, i) => i % 3 !== 0 || level === 255));
});

Deno.test("isDrawable() knows Latin, Greek and Cyrillic in either Unicode form, and nothing else", () => {
  for (
    const text of [
      "ship",
      "Żółć",
      "Größe",
      "κουτάβι",
      "щенок",
      "й".normalize("NFD"),
      "Đặng",
      "50 µm – „x“",
      "",
    ]
  ) {
    assert(isDrawable(text), text);
  }
  for (const text of ["犬", "ship 🚢", "कुत्ता", "كلب", "a\tb", "\u001b[1m"]) {
    assert(!isDrawable(text), text);
  }
  assertEquals(drawn("é".normalize("NFD"), 16), drawn("é", 16));
});

Deno.test("drawText() draws an empty box, no question mark, for what the font lacks", () => {
  assertEquals(drawn("犬", 16), drawn("狗", 16));
  assertNotEquals(drawn("犬", 16), drawn("?", 16));
});

Deno.test("shorten() and wrap() keep to a width", () => {
  assertEquals(shorten("frog", 100, 12), "frog");
  const short = shorten("a very long name", 60, 12);
  assert(short.endsWith("…") && textWidth(short, 12) <= 60, short);
  assertEquals(shorten("frog", 3, 12), "");
  const lines = wrap("one two three four five", 60, 12);
  assertEquals(lines.join(" "), "one two three four five");
  for (const line of lines) assert(textWidth(line, 12) <= 60, line);
  assertEquals(wrap("", 60, 12), [""]);
});
