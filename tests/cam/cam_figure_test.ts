import { assert, assertEquals, assertThrows } from "@std/assert";
import { ticksOf } from "../../src/cam/_figure_parts.ts";
import {
  classLabel,
  percent,
  short,
  topClasses,
  verdictOf,
} from "../../src/cam/_wording.ts";
import { camFigure, type CamFigureOptions } from "../../src/cam/cam_figure.ts";
import { probabilitiesOf } from "../../src/cam/probabilities_of.ts";
import { GapcamError } from "../../src/error.ts";
import type { Image } from "../../src/image/image.ts";

const classes = ["ship", "frog", "犬"];
const logits = [3, 1, -2];
const subject = {
  map: { width: 2, height: 2, data: Float32Array.of(0, 1, 2, 9) },
  classIndex: 0,
  predicted: 0,
  logits,
  probabilities: probabilitiesOf(logits),
};

function grey(height: number, width: number, level = 90): Image {
  const data = new Uint8Array(height * width).fill(level);
  return { height, width, channels: 1, data };
}

/** How many pixels of a figure have a colour. */
function count(figure: Image, colour: readonly number[]): number {
  let found = 0;
  for (let i = 0; i < figure.data.length; i += 3) {
    if (colour.every((level, c) => figure.data[i + c] === level)) found++;
  }
  return found;
}

const RED = [190, 20, 30];
const GREEN = [0, 104, 55];

Deno.test("camFigure() marks a wrong answer in red and a right one in green", () => {
  const image = grey(8, 8);
  const wrong = camFigure(image, subject, { classes, label: 1 });
  assert(count(wrong, RED) > 20 && count(wrong, GREEN) === 0);
  const right = camFigure(image, subject, { classes, label: 0 });
  assert(count(right, GREEN) > 20 && count(right, RED) === 0);
  const unlabelled = camFigure(image, subject, { classes });
  assertEquals(count(unlabelled, RED) + count(unlabelled, GREEN), 0);
});

Deno.test("camFigure() shows the original left of the evidence, in the same size", () => {
  const figure = camFigure(grey(8, 8), subject, { classes, size: 224 });
  const plain = count(figure, [90, 90, 90]);
  assertEquals(plain, 224 * 224);
});

Deno.test("camFigure() draws tiny, wide and high pictures", () => {
  for (
    const [height, width] of [[1, 1], [1, 60000], [60000, 1], [
      30,
      200,
    ]] as const
  ) {
    for (const size of [8, 160, 500]) {
      const figure = camFigure(grey(height, width), subject, {
        classes,
        size,
        note: "The network looked at the middle of a very long photograph",
      });
      assert(figure.width > 400 && figure.height > 200);
      assert(figure.width < 4 * Math.max(size, 160) + 300);
    }
  }
});

Deno.test("camFigure() gives the list of classes the room of the longest name, but no more than a picture has", () => {
  const widths = ["frog", "black and gold garden spider", "long ".repeat(99)]
    .map((name) =>
      camFigure(grey(8, 8), subject, {
        classes: ["ship", name, "x"],
        size: 224,
      })
        .width
    ) as [number, number, number];
  const [short, long, longest] = widths;
  assert(short < long && long <= longest);
  assertEquals(longest - short, 224 - Math.round(0.75 * 224));
});

Deno.test("camFigure() draws the same for a name that the font lacks as for none", () => {
  const draw = (options: Partial<CamFigureOptions>) =>
    camFigure(grey(4, 4), { ...subject, classIndex: 2 }, {
      classes,
      ...options,
    });
  assertEquals(
    draw({}),
    draw({ classes: ["ship", "frog", "class 2"] }),
  );
  assertEquals(draw({ name: "犬.jpg" }), draw({}));
});

Deno.test("camFigure() refuses a map that is not finite and a share beyond 1", () => {
  const map = { width: 1, height: 1, data: Float32Array.of(NaN) };
  assertThrows(
    () => camFigure(grey(4, 4), { ...subject, map }, { classes }),
    GapcamError,
    "found NaN",
  );
  assertThrows(
    () => camFigure(grey(4, 4), subject, { classes, alpha: 2 }),
    GapcamError,
    "found alpha 2",
  );
});

Deno.test("a caption says the answer, how likely it is, and what is wrong", () => {
  const answer = { predicted: 0, probabilities: [0.81, 0.19] };
  assertEquals(verdictOf(answer, { classes, label: 1 }), {
    text: "wrong: ship 81 %, labelled frog",
    right: false,
  });
  assertEquals(
    verdictOf(answer, { classes, label: 0 }).text,
    "right: ship 81 %",
  );
  assertEquals(verdictOf(answer, { classes }).right, undefined);
  assertEquals(classLabel(classes, 2), "class 2");
  assertEquals(classLabel([""], 0), "class 0");
});

Deno.test("percent() never rounds to certainty or to nothing", () => {
  assertEquals(
    [1, 0.99999, 0.9876, 0.81, 0.1, 0.0512, 0.0004, 0].map(percent),
    ["100 %", ">99.9 %", "98.8 %", "81 %", "10 %", "5.1 %", "<0.1 %", "0 %"],
  );
});

Deno.test("short() gives three digits and a true minus sign", () => {
  assertEquals(
    [12.345, -0.00123, 0, -0, 1234.5, -1e-9].map(short),
    ["12.3", "−0.00123", "0", "0", "1230", "−1e−9"],
  );
});

Deno.test("topClasses() are the likeliest, the first of equals first", () => {
  assertEquals(
    topClasses([0.1, 0.4, 0.1, 0.4], 3).map(({ index }) => index),
    [1, 3, 0],
  );
});

Deno.test("ticksOf() are round numbers within the scale", () => {
  assertEquals(ticksOf(0, 16.4, 6), [0, 5, 10, 15]);
  assertEquals(ticksOf(-14.5, 14.5, 4), [-10, 0, 10]);
  assertEquals(ticksOf(0, 1, 5), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assertEquals(ticksOf(0, 1234567, 3), [0, 500000, 1000000]);
});
