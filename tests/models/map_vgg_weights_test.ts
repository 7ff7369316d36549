import { assert, assertEquals, assertThrows } from "@std/assert";
import { GapcamError } from "../../src/error.ts";
import { initialise, parametersOf } from "../../src/nn/parameters.ts";
import { vgg } from "../../src/models/vgg.ts";
import { mapVggWeights } from "../../src/models/map_vgg_weights.ts";
import type { StateDict } from "../../src/host_tensor.ts";

const SHAPES: Record<string, Record<string, number[]>> = JSON.parse(
  await Deno.readTextFile(
    new URL("../fixtures/weights/torchvision_vgg.json", import.meta.url),
  ),
);

/** Tensors of these shapes; mapping does not look at values. */
function tensors(shapes: Record<string, number[]>): StateDict {
  return new Map(
    Object.entries(shapes).map(([name, shape]) => [
      name,
      { shape, data: new Float32Array(0) },
    ]),
  );
}

function refusal(...args: Parameters<typeof mapVggWeights>): string {
  return (assertThrows(() => mapVggWeights(...args), GapcamError) as Error)
    .message;
}

Deno.test("mapVggWeights() takes the trunk of each of torchvision's VGGs", () => {
  assertEquals(Object.keys(SHAPES).length, 8);
  for (const [name, shapes] of Object.entries(SHAPES)) {
    const weights = tensors(shapes);
    const mapped = mapVggWeights(weights, name, { head: "new" });
    assertEquals(mapped.naming, "torchvision");
    assertEquals(mapped.batchNorm, name.endsWith("_bn"));
    assertEquals(mapped.classes, undefined);
    const model = vgg(mapped.trunk, {
      classes: 10,
      batchNorm: mapped.batchNorm,
    });
    const wanted = parametersOf(model).map((parameter) => parameter.name)
      .filter((one) => one.startsWith("features."));
    assertEquals([...mapped.state.keys()], wanted);
    for (const [key, tensor] of mapped.state) {
      assert(tensor === weights.get(key), "values are not copied");
    }
    assertEquals(mapped.notes, [
      "Left out the head (classifier.0.weight, classifier.0.bias, " +
      "classifier.3.weight, classifier.3.bias, classifier.6.weight, " +
      "classifier.6.bias); a fresh one is to be trained",
    ]);
  }
});

Deno.test("mapVggWeights() says why torchvision's classifier is no head", () => {
  assertEquals(
    refusal(tensors(SHAPES.vgg16!), "vgg16"),
    "Cannot keep the head of these vgg16 weights: it has the tensors " +
      '"classifier.0.weight", "classifier.0.bias", "classifier.3.weight", ' +
      '"classifier.3.bias", "classifier.6.weight", "classifier.6.bias", and ' +
      "class activation maps need one linear layer behind global average " +
      "pooling; keep only the trunk and start a fresh head",
  );
});

/** The notebook's names for a network. */
function notebook(trunk: Parameters<typeof vgg>[0]): StateDict {
  return new Map(
    [...initialise(vgg(trunk, { classes: 10 }), 0)].map(([name, tensor]) => [
      name.replace("features.", "conv."),
      tensor,
    ]),
  );
}

Deno.test("mapVggWeights() maps the notebook's names, head and all", () => {
  const weights = notebook("vgg16");
  const mapped = mapVggWeights(weights, "vgg16");
  assertEquals(mapped.naming, "notebook");
  assertEquals(mapped.classes, 10);
  assertEquals(mapped.inputChannels, 3);
  assertEquals(mapped.notes, []);
  assertEquals(
    [...mapped.state.keys()],
    parametersOf(vgg("vgg16", { classes: 10 })).map(({ name }) => name),
  );
  assert(mapped.state.get("features.28.bias") === weights.get("conv.28.bias"));
  assert(
    mapped.state.get("classifier.weight") === weights.get("classifier.weight"),
  );
});

Deno.test("mapVggWeights() explains another number of classes", () => {
  assertEquals(
    refusal(notebook([4, "M", 8]), [4, "M", 8], { classes: 3 }),
    "Cannot keep the head of these 4,M,8 weights: it decides between 10 " +
      "classes, expected 3; keep only the trunk and start a fresh head",
  );
});

Deno.test("mapVggWeights() lists what is missing, misshapen and left over", () => {
  const weights = notebook([4, "M", 8]);
  weights.delete("conv.0.bias");
  weights.set("conv.3.weight", {
    shape: [8, 4, 5, 5],
    data: new Float32Array(800),
  });
  weights.set("attention.weight", { shape: [1], data: new Float32Array(1) });
  assertEquals(
    refusal(weights, [4, "M", 8]),
    "Cannot map weights to 4,M,8: features.0.bias is missing; " +
      "features.3.weight is [8,4,5,5], expected [8,4,3,3]; " +
      '"attention.weight" has no place',
  );
});

Deno.test("mapVggWeights() notices batch normalisation where none was named, and the reverse", () => {
  const plain = refusal(tensors(SHAPES.vgg11_bn!), "vgg11", { head: "new" });
  assert(
    plain.endsWith(
      "the weights have batch normalisation, which names ending in _bn have",
    ),
    plain,
  );
  const normalised = refusal(tensors(SHAPES.vgg11!), "vgg11_bn", {
    head: "new",
  });
  assert(
    normalised.endsWith("; the weights have no batch normalisation"),
    normalised,
  );
});

Deno.test("mapVggWeights() refuses unknown architectures and other networks", () => {
  assertEquals(
    refusal(new Map(), "resnet18"),
    'Cannot map weights to "resnet18": expected one of vgg11, vgg11_bn, ' +
      "vgg13, vgg13_bn, vgg16, vgg16_bn, vgg19, vgg19_bn",
  );
  assertEquals(
    refusal(tensors({ "layer1.0.weight": [1] }), "vgg16"),
    "Cannot map weights to vgg16: no name is that of a numbered layer, such " +
      'as "features.0.weight", found "layer1.0.weight"',
  );
});
