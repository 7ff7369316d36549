import { assertEquals } from "@std/assert";
import { inverseMatrix, transform } from "../../../src/data/augment/_affine.ts";
import {
  brightness,
  contrast,
  hue,
  saturation,
} from "../../../src/data/augment/_colour.ts";
import { resizedCrop, shift } from "../../../src/data/augment/_crop.ts";
import type { Pixels } from "../../../src/data/augment/_pixels.ts";
import {
  autocontrast,
  equalize,
  posterize,
  sharpness,
  solarize,
} from "../../../src/data/augment/_tone.ts";

interface Case {
  operation: string;
  // deno-lint-ignore no-explicit-any
  arguments: any[];
  image: "rgb" | "grey";
  bytes: string;
}

/** Written by scripts/fixtures/data_augment.py. */
const FIXTURE = JSON.parse(
  Deno.readTextFileSync(
    new URL("../../fixtures/data/augment.json", import.meta.url),
  ),
) as {
  height: number;
  width: number;
  rgb: string;
  grey: string;
  cases: Case[];
};

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
}

function run({ operation, arguments: [first, second], image }: Case) {
  const data = bytesOf(FIXTURE[image]);
  const { height, width } = FIXTURE;
  const channels = image === "rgb" ? 3 : 1;
  const pixels: Pixels = { data, height, width, channels };
  const scratch = new Uint8Array(data.length);
  switch (operation) {
    case "brightness":
      brightness(pixels, first);
      break;
    case "contrast":
      contrast(pixels, first);
      break;
    case "saturation":
      saturation(pixels, first);
      break;
    case "hue":
      hue(pixels, first);
      break;
    case "sharpness":
      sharpness(pixels, first, scratch);
      break;
    case "posterize":
      posterize(pixels, first);
      break;
    case "solarize":
      solarize(pixels, first);
      break;
    case "autocontrast":
      autocontrast(pixels);
      break;
    case "equalize":
      equalize(pixels);
      break;
    case "affine":
      transform(pixels, inverseMatrix(first, pixels), scratch);
      break;
    case "resizedCrop": {
      const [top, left, rows, columns] = first;
      resizedCrop(pixels, { top, left, height: rows, width: columns });
      break;
    }
    case "reflect":
      shift(pixels, { down: first, right: second }, {
        scratch,
        padding: "reflect",
      });
      break;
    default:
      throw new Error(`no operation ${operation}`);
  }
  return data;
}

const operations = [
  ...new Set(FIXTURE.cases.map(({ operation }) => operation)),
];

for (const operation of operations) {
  Deno.test(`${operation} gives the bytes of Pillow and torchvision`, () => {
    for (const one of FIXTURE.cases) {
      if (one.operation !== operation) continue;
      const named = `${one.image} ${JSON.stringify(one.arguments)}`;
      assertEquals(run(one), bytesOf(one.bytes), named);
    }
  });
}

Deno.test("the fixture holds every operation", () => {
  assertEquals(operations.length, 12);
});
