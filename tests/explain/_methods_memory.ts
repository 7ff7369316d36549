/** Explains 2,000 images with each method's programs kept, and prints what device and process hold before, half way and after. */
import {
  MethodExplainer,
  METHODS,
  Network,
  openDevice,
  shapesDataset,
  vgg,
} from "../../mod.ts";

const { gc } = globalThis as unknown as { gc(): void };

using device = openDevice("cpu", { threads: 1 });
const held = async () => {
  // What a finished promise or a buffer's finaliser still holds is freed by the next.
  for (let i = 0; i < 3; i++) {
    gc();
    await new Promise((done) => setTimeout(done, 5));
  }
  const { heapUsed, external } = Deno.memoryUsage();
  const { liveBytes, allocations } = device.memory();
  return { device: { liveBytes, allocations }, host: heapUsed + external };
};
const first = device.memory().liveBytes;
const lines: Record<string, unknown> = {};
const shapes = shapesDataset("test", { size: 16, length: 4 });
const pixels = new Uint8Array(4 * 16 * 16 * 3);
await shapes.read([0, 1, 2, 3], pixels);
{
  using network = new Network(device, vgg([4, "M", 8], { classes: 10 }));
  for (const { name } of METHODS) {
    using explainer = await MethodExplainer.create(network, {
      method: name,
      batchSize: 4,
      image: shapes,
      ...{ steps: 2, samples: 2, grid: 3, lookBatch: 4 },
    });
    for (let i = 0; i < 50; i++) await explainer.explain(pixels);
    const weighed = [await held()];
    for (let span = 0; span < 2; span++) {
      for (let i = 0; i < 250; i++) await explainer.explain(pixels);
      weighed.push(await held());
    }
    lines[name] = weighed;
  }
}
console.log(JSON.stringify({ lines, left: device.memory().liveBytes - first }));
