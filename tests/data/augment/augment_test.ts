import { assert, assertEquals } from "@std/assert";
import { augment } from "../../../src/data/augment/augment.ts";
import { Random } from "../../../src/random.ts";

const SHAPE = { height: 3, width: 4, channels: 2 };
const IMAGE = Uint8Array.from({ length: 24 }, (_, i) => i + 1);

/** The image at (row, column), or zeros outside. */
function pixel(row: number, column: number): number[] {
  const inside = row >= 0 && row < 3 && column >= 0 && column < 4;
  const at = (row * 4 + column) * 2;
  return inside ? [IMAGE[at]!, IMAGE[at + 1]!] : [0, 0];
}

function expected(down: number, right: number, flip: boolean): string {
  const values: number[] = [];
  for (let row = 0; row < 3; row++) {
    for (let column = 0; column < 4; column++) {
      const from = flip ? 3 - column : column;
      values.push(...pixel(row + down, from + right));
    }
  }
  return values.join();
}

function seen(options: { horizontalFlip?: boolean; randomCrop?: number }) {
  const counts = new Map<string, number>();
  for (let seed = 0; seed < 3000; seed++) {
    const image = IMAGE.slice();
    augment(image, SHAPE, {
      ...options,
      random: new Random(seed),
      scratch: new Uint8Array(24),
    });
    const key = image.join();
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

Deno.test("augment() crops every window of the padded image equally often", () => {
  const counts = seen({ randomCrop: 1 });
  const wanted = [-1, 0, 1].flatMap((down) =>
    [-1, 0, 1].map((right) => expected(down, right, false))
  );
  assertEquals([...counts.keys()].sort(), wanted.sort());
  for (const count of counts.values()) {
    assert(Math.abs(count - 3000 / 9) < 90, `${[...counts.values()]}`);
  }
});

Deno.test("augment() flips one image in two", () => {
  const counts = seen({ horizontalFlip: true });
  assertEquals(
    [...counts.keys()].sort(),
    [expected(0, 0, false), expected(0, 0, true)].sort(),
  );
  assert(Math.abs(counts.get(expected(0, 0, true))! - 1500) < 140);
});

Deno.test("augment() crops with a padding larger than the image", () => {
  const counts = seen({ randomCrop: 5 });
  const wanted = new Set<string>();
  for (let down = -5; down <= 5; down++) {
    for (let right = -5; right <= 5; right++) {
      wanted.add(expected(down, right, false));
    }
  }
  assertEquals([...counts.keys()].sort(), [...wanted].sort());
});

Deno.test("augment() without options changes nothing", () => {
  assertEquals([...seen({}).keys()], [IMAGE.join()]);
});
