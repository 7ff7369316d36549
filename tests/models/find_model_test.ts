import { assertEquals } from "@std/assert";
import { MODELS } from "../../src/models/find_model.ts";
import { shapesOf } from "../../src/nn/output_shapes.ts";
import { parametersOf } from "../../src/nn/parameters.ts";
import { parseModel } from "../../src/nn/parse_model.ts";

/** Written by scripts/fixtures/models_names.py. */
const PUBLISHED: Record<string, { tensors: number; sha256: string }> = JSON
  .parse(
    await Deno.readTextFile(
      new URL("../fixtures/models/names.json", import.meta.url),
    ),
  );

Deno.test("every model but two sizes is compared with published weights", () => {
  assertEquals(
    Object.keys(MODELS).filter((name) => !(name in PUBLISHED)),
    // ResNet-9 ends otherwise than its author's, of which no weights were published.
    ["resnet9", "efficientnet_lite3", "efficientnet_lite4"],
  );
});

for (const [name, { build, imageSize }] of Object.entries(MODELS)) {
  Deno.test(`${name} has the tensors of the published weights, in order`, async () => {
    const model = build({ classes: 1000 });
    const lines = parametersOf(model).map(({ name, shape }) =>
      `${name} ${shape.join("x")}`
    );
    const digest = await crypto.subtle.digest(
      "SHA-256",
      new TextEncoder().encode(lines.join("\n")),
    );
    const sha256 = new Uint8Array(digest).toHex();
    const expected = PUBLISHED[name];
    if (expected) assertEquals({ tensors: lines.length, sha256 }, expected);
    const nodes = shapesOf(model, [3, imageSize, imageSize]);
    assertEquals(nodes.at(-1)!.outputShape, [1000]);
    assertEquals(parseModel(JSON.parse(JSON.stringify(model))), model);
  });
}
