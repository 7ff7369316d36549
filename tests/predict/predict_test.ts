import { assert, assertEquals, assertRejects } from "@std/assert";
import { GapcamError } from "../../src/error.ts";
import { fitImage } from "../../src/image/fit_image.ts";
import { fitPhotograph } from "../../src/image/fit_photograph.ts";
import { encodePng } from "../../src/image/encode_png.ts";
import { toGrey } from "../../src/image/to_grey.ts";
import { openDevice } from "../../src/device/open_device.ts";
import { shapesDataset } from "../../src/data/shapes_dataset.ts";
import { openFolder } from "../../src/data/folder.ts";
import { InferenceProgram } from "../../src/nn/inference_program.ts";
import { Network } from "../../src/nn/network.ts";
import { vgg } from "../../src/models/vgg.ts";
import { predict, type PredictOptions } from "../../src/predict/predict.ts";
import type { Dataset } from "../../src/data/dataset.ts";
import { testImage } from "../image/_reference.ts";
import { bytes, write } from "../data/_helpers.ts";

const preprocessing = { imageSize: 16, mean: [0.4], deviation: [0.3] };

async function all(
  network: Network,
  source: readonly string[] | Dataset,
  options: Partial<PredictOptions> = {},
) {
  const found = [];
  for await (
    const one of predict(network, source, { preprocessing, ...options })
  ) {
    found.push(one);
  }
  return found;
}

/** The logits of one image that has the network's size. */
async function logitsOf(network: Network, data: Uint8Array, channels: number) {
  using program = await InferenceProgram.compile(network, {
    batchSize: 1,
    image: { height: 16, width: 16, channels },
    ...preprocessing,
  });
  return await program.run(data);
}

function near(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  return Array.from(a).every((value, i) => Math.abs(value - b[i]!) < 1e-5);
}

for (const channels of [3, 1] as const) {
  Deno.test(`predict() says of files what the network says of each fitted by itself, ${channels} channels`, async () => {
    const folder = await Deno.makeTempDir();
    using device = openDevice("cpu", { threads: 1 });
    const model = vgg([4, "M", 8], { classes: 3, inputChannels: channels });
    using network = new Network(device, model, { seed: 1 });
    const sides = [[16, 16], [40, 20], [9, 31], [1, 50], [25, 25]] as const;
    const paths: string[] = [];
    for (const [i, [height, width]] of sides.entries()) {
      paths.push(`${folder}/${i}.png`);
      write(paths[i]!, encodePng(testImage(height, width, 3)));
    }
    paths.splice(2, 0, `${folder}/broken.png`, `${folder}/missing.png`);
    write(paths[2]!, bytes(1, 2, 3));
    for (const fit of ["crop", "stretch"] as const) {
      for (const batchSize of [2, 32]) {
        const found = await all(network, paths, { fit, batchSize, workers: 1 });
        assertEquals(found.map(({ image }) => image), paths);
        for (const [i, [height, width]] of sides.entries()) {
          const one = found[i < 2 ? i : i + 2]!;
          assert(!("reason" in one));
          const fitted = fitImage(testImage(height, width, 3), 16, 16, { fit });
          const { data } = channels === 1 ? toGrey(fitted) : fitted;
          assert(near(one.logits, await logitsOf(network, data, channels)));
          assertEquals(one.top.length, 3);
          assertEquals("label" in one, false);
        }
        assert("reason" in found[2]! && /broken.png/.test(found[2].reason));
        assert("reason" in found[3]! && /no such file/.test(found[3].reason));
      }
    }
    await Deno.remove(folder, { recursive: true });
  });
}

Deno.test("predict() lists the likeliest classes of a data set's images, with their labels", async () => {
  using device = openDevice("cpu", { threads: 1 });
  using network = new Network(device, vgg([4, "M", 8], { classes: 10 }));
  const shapes = shapesDataset("test", { size: 24, length: 7 });
  const found = await all(network, shapes, { top: 4, batchSize: 3 });
  assertEquals(found.map(({ image }) => image), [0, 1, 2, 3, 4, 5, 6]);
  for (const [i, one] of found.entries()) {
    assert(!("reason" in one));
    assertEquals(one.label, shapes.labels[i]);
    const sorted = Array.from(one.probabilities).sort((a, b) => b - a);
    assertEquals(
      one.top.map(({ probability }) => probability),
      sorted.slice(0, 4),
    );
    for (const { index, probability } of one.top) {
      assertEquals(probability, one.probabilities[index]);
    }
    const sum = one.probabilities.reduce((a, b) => a + b);
    assert(Math.abs(sum - 1) < 1e-5);
  }
});

Deno.test("predict() says why an image of a data set could not be read", async () => {
  const folder = await Deno.makeTempDir();
  for (const name of ["cat", "dog"]) {
    for (let i = 0; i < 3; i++) {
      const path = `${folder}/test/${name}/${i}.png`;
      write(path, i === 1 ? bytes(7) : encodePng(testImage(8, 8, 3)));
      write(`${folder}/train/${name}/${i}.png`, encodePng(testImage(8, 8, 3)));
    }
  }
  using device = openDevice("cpu", { threads: 1 });
  using network = new Network(device, vgg([4, "M", 8], { classes: 2 }));
  {
    using pictures = openFolder("test", folder, { size: 16, workers: 1 });
    const found = await all(network, pictures, { batchSize: 4 });
    const reasons = found.flatMap((one) => "reason" in one ? [one.reason] : []);
    assertEquals([found.length, reasons.length], [6, 2]);
    assert(reasons.every((reason) => /Cannot read \S+1.png: /.test(reason)));
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("predict() refuses to list no class and to run no image, and stops when told to", async () => {
  using device = openDevice("cpu", { threads: 1 });
  using network = new Network(device, vgg([4, "M", 8], { classes: 10 }));
  const shapes = shapesDataset("test", { size: 16, length: 7 });
  for (const options of [{ top: 0 }, { top: 1.5 }, { batchSize: 0 }]) {
    await assertRejects(
      () => all(network, shapes, options),
      GapcamError,
      "expected a whole number from 1",
    );
  }
  assertEquals(await all(network, []), []);
  await assertRejects(
    () =>
      all(network, shapes, { signal: AbortSignal.abort(new Error("stop")) }),
    Error,
    "stop",
  );
});

Deno.test("predict() shows photographs whole, in sizes of their own", async () => {
  const folder = await Deno.makeTempDir();
  using device = openDevice("cpu", { threads: 1 });
  using network = new Network(device, vgg([4, "M", 8], { classes: 3 }));
  const sides = [[16, 16], [40, 20], [9, 31], [20, 40], [24, 25], [12, 50]];
  const paths: string[] = [];
  for (const [i, [height, width]] of sides.entries()) {
    paths.push(`${folder}/${i}.png`);
    write(paths[i]!, encodePng(testImage(height!, width!, 3)));
  }
  paths.push(`${folder}/missing.png`);
  const found = await all(network, paths, { fit: "whole" });
  for (const [i, [height, width]] of sides.entries()) {
    const one = found[i]!;
    assert(!("reason" in one));
    const { image } = fitPhotograph(
      testImage(height!, width!, 3),
      preprocessing,
      {
        fit: "whole",
        stride: { height: 2, width: 2 },
      },
    );
    assertEquals([image.height % 2, image.width % 2], [0, 0]);
    const { mean, deviation } = preprocessing;
    using program = await InferenceProgram.compile(network, {
      ...{ batchSize: 1, image, mean, deviation },
    });
    assert(near(one.logits, await program.run(image.data)));
  }
  assert("reason" in found.at(-1)!);
  await assertRejects(
    () => all(network, paths, { fit: "middle" as "crop" }),
    GapcamError,
    'Cannot predict with fit "middle": expected one of crop, stretch, pad',
  );
  await Deno.remove(folder, { recursive: true });
});
