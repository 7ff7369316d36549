import { assert, assertEquals } from "@std/assert";
import {
  Network,
  openDevice,
  shapesDataset,
  train,
  trainingConfig,
  vgg,
} from "../../mod.ts";

Deno.test("memory is flat from step 20 to step 200 of a 64 x 64 run: less than 4 MiB resident, 0 native bytes", async () => {
  const folder = await Deno.makeTempDir();
  // A process of its own: what other tests left would hide a leak.
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--allow-all",
      "--quiet",
      new URL("./_resident_memory.ts", import.meta.url).pathname,
      folder,
    ],
  }).output();
  await Deno.remove(folder, { recursive: true });
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  const { resident, live } = JSON.parse(new TextDecoder().decode(stdout));
  assertEquals(resident.length, 10);
  assertEquals(new Set(live).size, 1);
  // A leak of one batch of images a step would be 9 MB; the runtime's own heap
  // moves by one or two.
  // The least of each half: single moves of the heap are no leak.
  const growth = Math.min(...resident.slice(5)) -
    Math.min(...resident.slice(0, 5));
  assert(growth < 4 * 2 ** 20, `${growth} bytes: ${resident}`);
});

Deno.test("a checkpoint takes one copy of the network to the host, with averages too", async () => {
  for (const emaDecay of [0, 0.9]) {
    const folder = await Deno.makeTempDir();
    using device = openDevice("cpu", { threads: 1 });
    using network = new Network(device, vgg([4], { classes: 10 }));
    const state = network.state.bind(network);
    let copies = 0, saved = 0;
    network.state = () => {
      copies++;
      return state();
    };
    await train(network, shapesDataset("train", { size: 16, length: 20 }), {
      config: trainingConfig({
        imageSize: 16,
        batchSize: 20,
        epochs: 2,
        emaDecay,
      }),
      folder: `${folder}/run`,
      onEvent: ({ event }) => {
        if (event === "checkpoint") saved++;
      },
    });
    await Deno.remove(folder, { recursive: true });
    assertEquals(saved, 3);
    // Averages are on the device, as the network is.
    assertEquals(copies, saved);
  }
});
