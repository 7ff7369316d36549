import { assert, assertEquals } from "@std/assert";
import { imagenetClasses, MODELS, PRETRAINED } from "../../src/models/mod.ts";

Deno.test("imagenetClasses() has 1,000 names, each once, on their places", () => {
  const classes = imagenetClasses();
  assertEquals([classes.length, new Set(classes).size], [1000, 1000]);
  assert(classes.every((name) => /^\S+( \S+)*$/.test(name)));
  const places = [0, 134, 281, 282, 285, 517, 657, 744, 967, 999];
  assertEquals(places.map((i) => classes[i]), [
    ...["tench", "crane (bird)", "tabby", "tiger cat", "Egyptian cat"],
    ...["crane (machine)", "missile", "projectile", "espresso"],
    "toilet tissue",
  ]);
});

Deno.test("networks that can be had are known by name, and look at their own size", () => {
  for (const [name, network] of Object.entries(PRETRAINED)) {
    assertEquals(name.replaceAll("-", "_"), network.model);
    assertEquals(network.imageSize, MODELS[network.model]!.imageSize);
    // The picture is 32 pixels larger than what is looked at.
    const { imageSize, cropShare } = network;
    assertEquals(Math.round(imageSize / cropShare), imageSize + 32);
  }
});
