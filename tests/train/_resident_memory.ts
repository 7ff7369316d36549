/** Trains for 200 steps at 64 x 64 and prints the resident bytes after each 20. */
import {
  Network,
  openDevice,
  shapesDataset,
  train,
  trainingConfig,
  vgg,
} from "../../mod.ts";

using device = openDevice("cpu", { threads: 1 });
const model = vgg([16, "M", 32, "M", 32], { classes: 10 });
using network = new Network(device, model);
const resident: number[] = [];
const live: number[] = [];
await train(network, shapesDataset("train", { size: 64, length: 800 }), {
  config: trainingConfig({
    imageSize: 64,
    batchSize: 4,
    epochs: 1,
    flip: true,
    crop: 4,
    logEvery: 10,
  }),
  folder: `${Deno.args[0]}/run`,
  onStep: ({ totalSteps }) => {
    if (totalSteps % 20 !== 0) return;
    resident.push(Deno.memoryUsage().rss);
    live.push(device.memory().liveBytes);
  },
});
console.log(JSON.stringify({ resident, live }));
