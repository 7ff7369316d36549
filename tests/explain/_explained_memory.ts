/** Explains 2,000 images and prints what device and process hold before and after. */
import {
  Explainer,
  Network,
  openDevice,
  shapesDataset,
  vgg,
} from "../../mod.ts";

const { gc } = globalThis as unknown as { gc(): void };

using device = openDevice("cpu", { threads: 1 });
using network = new Network(device, vgg([4, "M", 8], { classes: 10 }));
const shapes = shapesDataset("test", { size: 16, length: 4 });
using explainer = await Explainer.create(network, {
  batchSize: 4,
  image: shapes,
});
const pixels = new Uint8Array(4 * 16 * 16 * 3);
await shapes.read([0, 1, 2, 3], pixels);

function held() {
  gc();
  const { heapUsed, external } = Deno.memoryUsage();
  const { liveBytes, allocations } = device.memory();
  return { device: { liveBytes, allocations }, host: heapUsed + external };
}

for (let i = 0; i < 100; i++) await explainer.explain(pixels);
const before = held();
for (let i = 0; i < 500; i++) await explainer.explain(pixels);
console.log(JSON.stringify([before, held()]));
