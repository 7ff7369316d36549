import { assertLess } from "@std/assert";
import { InferenceProgram } from "../../src/nn/inference_program.ts";
import { Network } from "../../src/nn/network.ts";
import { parametersOf } from "../../src/nn/parameters.ts";
import type { Model } from "../../src/nn/graph_of.ts";
import type { StateDict } from "../../src/host_tensor.ts";
import { MODELS } from "../../src/models/find_model.ts";
import { openTestDevice } from "../device/_test_device.ts";
import { fillUniform, images, relativeError } from "../nn/_hashed.ts";

const SIZE = 64;
const LOGITS: Record<string, number[]> = JSON.parse(
  Deno.readTextFileSync(
    new URL("../fixtures/models/logits.json", import.meta.url),
  ),
);

/** The weights that scripts/fixtures/models_logits.py draws. */
function drawn(model: Model): StateDict {
  return new Map(
    parametersOf(model).map(({ name, shape, fanIn, initialValue }, seed) => {
      const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
      const isWeight = shape.length > 1;
      fillUniform(data, seed, isWeight ? Math.sqrt(6 / fanIn) : 0.25);
      if (!isWeight && initialValue !== 0) {
        for (let i = 0; i < data.length; i++) data[i]! += initialValue;
      }
      return [name, { shape, data }];
    }),
  );
}

for (const [name, expected] of Object.entries(LOGITS)) {
  Deno.test(`${name} computes what it computes in PyTorch`, async () => {
    const model = MODELS[name]!.build({ classes: expected.length });
    using device = openTestDevice({ threads: 2 });
    using network = new Network(device, model, { state: drawn(model) });
    using inference = await InferenceProgram.compile(network, {
      batchSize: 1,
      image: { height: SIZE, width: SIZE, channels: 3 },
    });
    const logits = await inference.run(images(SIZE * SIZE * 3, 5));
    assertLess(relativeError(logits, expected), 1e-4);
  });
}
