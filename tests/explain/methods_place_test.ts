import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  GapcamError,
  MethodExplainer,
  type MethodName,
  METHODS,
  Network,
  openDevice,
  shapesDataset,
  vgg,
} from "../../mod.ts";
import { Tensor, type TensorData } from "../../src/device/tensor.ts";
import { deviceTest } from "../device/_devices.ts";

const SHAPES = shapesDataset("test", { size: 16, length: 12 });
const PIXELS = new Uint8Array(16 * 16 * 3);
await SHAPES.read([3], PIXELS);

/** Few looks: what is tested are places. */
const SETTINGS = {
  steps: 4,
  samples: 2,
  grid: 4,
  lookBatch: 4,
  tolerance: 1e-4,
};

function create(network: Network, method: MethodName, layer?: string) {
  return MethodExplainer.create(network, {
    method,
    batchSize: 1,
    image: SHAPES,
    ...SETTINGS,
    ...(layer === undefined ? {} : { layer }),
  });
}

/** Every method, and every layer's map where it looks at layers. */
function* cases(): Generator<[MethodName, string?]> {
  for (const { name, looksAt } of METHODS) {
    yield [name];
    if (looksAt === "layer") yield [name, "features.1"];
  }
}

deviceTest(
  "every method proves that its map's values stand where the device has them",
  async (device) => {
    using network = new Network(device, vgg([4, "M", 8], { classes: 10 }));
    for (const [method, layer] of cases()) {
      using explainer = await create(network, method, layer);
      const [one] = await explainer.explain(PIXELS);
      const { place } = one!;
      assert(place.residual < 1e-5, `${method} ${layer}: ${place.residual}`);
    }
  },
);

Deno.test("every method finds values that arrive in another layout than the device holds", async () => {
  using device = openDevice("cpu", { threads: 1 });
  using network = new Network(device, vgg([4, "M", 8], { classes: 10 }));
  const { read } = Tensor.prototype;
  for (const [method, layer] of cases()) {
    using explainer = await create(network, method, layer);
    await explainer.explain(PIXELS);
    // The planted fault: each plane is read column by column.
    Tensor.prototype.read = function <Data extends TensorData>(
      this: Tensor,
      target?: Data,
    ): Data {
      const values = read.call(this, target) as Data;
      const [, , height, width] = this.shape;
      if (width === undefined || height! * width === 1) return values;
      const right = values.slice();
      const area = height! * width;
      right.forEach((_, i) => {
        const place = i % area;
        const [y, x] = [place % height!, Math.floor(place / height!)];
        values[i] = right[i - place + y * width + x]!;
      });
      return values;
    };
    try {
      const error = await assertRejects(
        () => explainer.explain(PIXELS),
        GapcamError,
      );
      assertEquals(error.code, "bad-data");
      // Ablation-CAM's own check is the first to see it where it can.
      const expected = method === "ablation-cam" && layer !== undefined
        ? "where no channel is left out"
        : "Cannot prove the places";
      assert(error.message.includes(expected), error.message);
    } finally {
      Tensor.prototype.read = read;
    }
  }
});
