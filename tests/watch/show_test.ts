import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type ClassActivationMap,
  type Explanation,
  GapcamError,
  type Image,
  probabilitiesOf,
  show,
  type Shown,
} from "../../mod.ts";
import { decodeImage } from "../../src/image/decode_image.ts";
import { evaluationOf } from "../../src/train/evaluation.ts";
import { terminalPicture } from "../../src/watch/_terminal_picture.ts";

/** What a notebook is given. */
function displayed(shown: Shown): Record<string, string> {
  const key = Symbol.for("Jupyter.display") as unknown as keyof Shown;
  return (shown[key] as unknown as () => Record<string, string>).call(shown);
}

const IMAGE: Image = {
  ...{ width: 3, height: 2, channels: 3 },
  data: Uint8Array.from({ length: 18 }, (_, i) => i * 14),
};

Deno.test("show() gives a notebook an image's own pixels, and says its size elsewhere", async () => {
  const shown = show(IMAGE);
  const bundle = displayed(shown);
  assertEquals(Object.keys(bundle), ["text/plain", "image/png"]);
  const image = await decodeImage(Uint8Array.fromBase64(bundle["image/png"]!));
  assertEquals(image.data, IMAGE.data);
  assertEquals(Deno.inspect(shown), "image of 3 x 2 pixels");
  assertEquals(`${shown}`, "image of 3 x 2 pixels");
});

Deno.test("show() puts images on one sheet with their labels", () => {
  const shown = show([IMAGE, IMAGE], { labels: ["a", "b"], columns: 2 });
  assertEquals(shown.text, "2 images");
  assert(shown.png!.length > 100);
});

Deno.test("show() draws a map over its image and names class and proof", () => {
  const logits = Float32Array.of(1, 3);
  const cam: ClassActivationMap = {
    classIndex: 1,
    map: { width: 1, height: 1, data: Float32Array.of(3) },
    proof: { logit: 3, computed: 3, residual: 2e-7 } as never,
  };
  const explanation = {
    ...{ ...cam, logits, predicted: 1, probability: 0.88, peak: 3 },
    probabilities: probabilitiesOf(logits),
  } as unknown as Explanation;
  const shown = show(explanation, { image: IMAGE, classes: ["cat", "dog"] });
  assertEquals(shown.text, "dog, 88 %; map proved to 2.0e-7");
  assert(shown.png!.length > 1000);
  assertThrows(
    () => show(explanation, {} as never),
    GapcamError,
    "Cannot show a map: found no image in the options",
  );
});

Deno.test("show() makes tables of rows and of evaluations, in HTML that names cannot break", () => {
  const shown = show([
    { name: "<b>a</b>", output: [3, 4, 4], parameters: 12 },
    { name: "b", parameters: 3, note: "x" },
  ]);
  assertEquals(
    shown.text,
    "name      output     parameters  note\n" +
      "<b>a</b>  3 x 4 x 4          12\n" +
      "b                             3  x",
  );
  const { "text/html": html } = displayed(shown);
  assert(html!.includes("&#60;b&#62;a&#60;/b&#62;") && !html!.includes("<b>"));
  const evaluation = show(evaluationOf([[2, 0], [1, 1]], {
    classes: ["cat<i>", "dog"],
    ...{ dataset: "pets", split: "test", loss: 0.4 },
  }));
  assert(evaluation.text.includes("75.00 %  of all 4 images"));
  assert(!evaluation.html!.includes("<i>"));
  assert(evaluation.html!.includes("data:image/png;base64,"));
});

Deno.test("show() refuses a list of nothing", () => {
  assertThrows(() => show([]), GapcamError, "Cannot show a list: it is empty");
});

Deno.test("a terminal is shown two pixels in a character, at most 80 in a line", () => {
  const lines = terminalPicture(IMAGE).split("\n");
  assertEquals(lines.length, 1);
  assertEquals(lines[0]!.split("▀").length - 1, 3);
  assert(lines[0]!.startsWith("\x1b[38;2;0;14;28;48;2;126;140;154m▀"));
  const wide: Image = {
    ...{ width: 400, height: 200, channels: 1 },
    data: new Uint8Array(80000),
  };
  const rows = terminalPicture(wide).split("\n");
  assertEquals([rows.length, rows[0]!.split("▀").length - 1], [20, 80]);
});
