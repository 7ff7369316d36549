import { assert, assertEquals, assertThrows } from "@std/assert";
import { GapcamError } from "../../src/error.ts";
import { initialise } from "../../src/nn/parameters.ts";
import { vgg } from "../../src/models/vgg.ts";
import { parseCheckpoint } from "../../src/train/checkpoint.ts";
import {
  describedWeights,
  importWeights,
} from "../../src/train/imported_weights.ts";
import { mapVggWeights } from "../../src/models/map_vgg_weights.ts";
import type { StateDict } from "../../src/host_tensor.ts";

const TRUNK = [4, "M", 8] as const;

/** The conventions that a file's metadata describes. */
function conventionsOf(metadata: Record<string, string>) {
  const { negativeSlope, mean, deviation, batchNorm } = describedWeights(
    metadata,
  )!;
  return { negativeSlope, mean, deviation, batchNorm };
}

function notebook(): StateDict {
  return new Map(
    [...initialise(vgg(TRUNK, { classes: 2 }), 5)].map(([name, tensor]) => [
      name.replace("features.", "conv."),
      tensor,
    ]),
  );
}

/** A trunk under torchvision's names, with its classifier of three layers. */
function torchvision(options: { batchNorm?: boolean } = {}): StateDict {
  const state = initialise(vgg(TRUNK, { classes: 2, ...options }), 5);
  for (const kind of ["weight", "bias"]) {
    state.set(`classifier.6.${kind}`, state.get(`classifier.${kind}`)!);
    state.delete(`classifier.${kind}`);
  }
  return state;
}

Deno.test("importWeights() makes a checkpoint of the notebook's network", () => {
  const weights = notebook();
  const imported = importWeights(mapVggWeights(weights, TRUNK), {
    modelName: "4,M,8",
    classes: ["cat", "dog"],
    dataset: "pets",
    imageSize: 32,
  });
  assertEquals(imported.complete, true);
  const checkpoint = parseCheckpoint(imported.tensors, imported.metadata);
  assertEquals(checkpoint.model, vgg(TRUNK, { classes: 2 }));
  assertEquals(checkpoint.classes, ["cat", "dog"]);
  assertEquals(checkpoint.dataset, { name: "pets" });
  assertEquals(checkpoint.training.imageSize, 32);
  assertEquals(checkpoint.training.mean, [0.5, 0.5, 0.5]);
  assertEquals(
    checkpoint.parameters.get("features.3.weight")!.data,
    weights.get("conv.3.weight")!.data,
  );
  assertEquals(conventionsOf(imported.metadata), {
    negativeSlope: 0.2,
    mean: [0.5, 0.5, 0.5],
    deviation: [0.5, 0.5, 0.5],
    batchNorm: false,
  });
});

Deno.test("importWeights() makes a trunk of torchvision's network, with its conventions", () => {
  const mapped = mapVggWeights(torchvision({ batchNorm: true }), TRUNK, {
    head: "new",
  });
  const imported = importWeights(mapped, { modelName: "4,M,8" });
  assertEquals(imported.complete, false);
  assert([...imported.tensors.keys()].every((name) => /^features/.test(name)));
  assertEquals(conventionsOf(imported.metadata), {
    negativeSlope: 0,
    mean: [0.485, 0.456, 0.406],
    deviation: [0.229, 0.224, 0.225],
    batchNorm: true,
  });
  assertThrows(
    () => parseCheckpoint(imported.tensors, imported.metadata),
    GapcamError,
  );
});

Deno.test("importWeights() gives a trunk a fresh head where classes are named", () => {
  const weights = torchvision();
  const imported = importWeights(
    mapVggWeights(weights, TRUNK, { head: "new" }),
    { modelName: "4,M,8", classes: ["a", "b", "c"], negativeSlope: 0.1 },
  );
  assertEquals(imported.complete, true);
  const checkpoint = parseCheckpoint(imported.tensors, imported.metadata);
  assertEquals(checkpoint.parameters.get("classifier.weight")!.shape, [3, 8]);
  assertEquals(
    checkpoint.model,
    vgg(TRUNK, { classes: 3, negativeSlope: 0.1 }),
  );
  assertEquals(
    checkpoint.parameters.get("features.0.bias"),
    weights.get("features.0.bias"),
  );
});

Deno.test("importWeights() refuses names and means that do not fit", () => {
  const mapped = mapVggWeights(notebook(), TRUNK);
  const refusal = (options: object) =>
    (assertThrows(
      () => importWeights(mapped, { modelName: "4,M,8", ...options }),
      GapcamError,
    ) as Error).message;
  assertEquals(
    refusal({ classes: ["a", "b", "c"] }),
    "Cannot name the classes: found 3 names, expected 2, as many as the head " +
      "decides between",
  );
  assertEquals(
    refusal({ mean: [0.5] }),
    "Cannot normalise images by a mean of 1 values: expected 3, one a channel",
  );
});

Deno.test("importWeights() says what it assumed, and only that", () => {
  const mapped = mapVggWeights(notebook(), TRUNK);
  const assumed = (options: object) =>
    importWeights(mapped, { modelName: "4,M,8", ...options }).assumed;
  assertEquals(assumed({}), [
    { of: "negativeSlope", value: 0.2 },
    { of: "mean", value: [0.5, 0.5, 0.5] },
    { of: "deviation", value: [0.5, 0.5, 0.5] },
    { of: "imageSize", value: 224 },
    { of: "classes", value: ["class 0", "class 1"] },
  ]);
  const half = [0.5, 0.5, 0.5];
  const all = {
    mean: half,
    deviation: half,
    imageSize: 16,
    classes: ["a", "b"],
  };
  assertEquals(assumed({ negativeSlope: 0, ...all }), []);
  assertEquals(assumed(all), [{ of: "negativeSlope", value: 0.2 }]);
  const trunk = mapVggWeights(torchvision(), TRUNK, { head: "new" });
  assertEquals(
    importWeights(trunk, { modelName: "4,M,8" }).assumed.map(({ of }) => of),
    ["negativeSlope", "mean", "deviation"],
  );
});

Deno.test("describedWeights() knows nothing of foreign files and refuses damaged ones", () => {
  assertEquals(describedWeights({ format: "pt" }), undefined);
  assertEquals(describedWeights({}), undefined);
  const damaged: Record<string, string>[] = [
    { gapcam_version: "1" },
    { gapcam_trunk_version: "1", model: "{}", training: "{}" },
    { gapcam_trunk_version: "1", model: "[", training: "{}" },
  ];
  for (const metadata of damaged) {
    const error = assertThrows(() => describedWeights(metadata), GapcamError);
    assertEquals(
      (error as Error).message,
      "Cannot read the weights' description: it is damaged",
    );
  }
});
