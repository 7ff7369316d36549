import { assertEquals } from "@std/assert";
import { graphOf } from "../../src/nn/graph_of.ts";
import { MODELS } from "../../src/models/find_model.ts";
import { vgg } from "../../src/models/vgg.ts";
import { withClasses } from "../../src/train/_with_classes.ts";

Deno.test("withClasses() changes the head alone, of layers and of a graph", () => {
  const old = vgg([4, "M", 8], { classes: 10, batchNorm: true });
  const wanted = vgg([4, "M", 8], { classes: 3, batchNorm: true });
  assertEquals(withClasses(old, 3), wanted);
  assertEquals(withClasses(graphOf(old), 3), graphOf(wanted));
});

Deno.test("withClasses() changes the head of every network that is known", () => {
  for (const [name, { build }] of Object.entries(MODELS)) {
    const [old, wanted] = [build({ classes: 10 }), build({ classes: 3 })];
    assertEquals(withClasses(old, 3), wanted, name);
    assertEquals(withClasses(graphOf(old), 3), graphOf(wanted), name);
  }
});
