import { assertEquals } from "@std/assert";
import { graphOf } from "../../src/nn/graph_of.ts";
import { vgg } from "../../src/models/vgg.ts";
import { withClasses } from "../../src/train/_with_classes.ts";

Deno.test("withClasses() changes the head alone, of layers and of a graph", () => {
  const old = vgg([4, "M", 8], { classes: 10, batchNorm: true });
  const wanted = vgg([4, "M", 8], { classes: 3, batchNorm: true });
  assertEquals(withClasses(old, 3), wanted);
  assertEquals(withClasses(graphOf(old), 3), graphOf(wanted));
});
