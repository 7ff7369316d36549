import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertLess,
  assertRejects,
} from "@std/assert";
import {
  conv2d,
  dropout,
  Explainer,
  GapcamError,
  globalAveragePool,
  InferenceProgram,
  linear,
  Network,
  openDevice,
  probabilitiesOf,
  relu,
  sequential,
  shapesDataset,
  vgg,
} from "../../mod.ts";

const SHAPES = shapesDataset("test", { size: 16, length: 12 });

async function pixelsOf(...indices: number[]): Promise<Uint8Array> {
  const pixels = new Uint8Array(indices.length * 16 * 16 * 3);
  await SHAPES.read(indices, pixels);
  return pixels;
}

Deno.test("Explainer gives an image the same map alone and in a batch", async () => {
  using device = openDevice("cpu", { threads: 1 });
  const model = vgg([4, "M", 8], { classes: 10, batchNorm: true });
  using network = new Network(device, model, { seed: 1 });
  using one = await Explainer.create(network, { batchSize: 1, image: SHAPES });
  using three = await Explainer.create(network, {
    batchSize: 3,
    image: SHAPES,
  });
  const many = await three.explain(await pixelsOf(4, 5));
  assertEquals(many.length, 2);
  const [alone] = await one.explain(await pixelsOf(5));
  assertEquals(alone!.predicted, many[1]!.predicted);
  assertEquals(alone!.map.width, 8);
  alone!.map.data.forEach((value, i) =>
    assertAlmostEquals(value, many[1]!.map.data[i]!, 1e-5)
  );
});

Deno.test("Explainer explains any class, with a head without bias too", async () => {
  using device = openDevice("cpu", { threads: 1 });
  const model = sequential([
    conv2d(3, 6, { padding: 1 }),
    relu(),
    globalAveragePool(),
    linear(6, 4, { bias: false }),
  ]);
  using network = new Network(device, model, { seed: 2 });
  using explainer = await Explainer.create(network, {
    batchSize: 1,
    image: SHAPES,
  });
  const pixels = await pixelsOf(0);
  for (let classIndex = 0; classIndex < 4; classIndex++) {
    const [explanation] = await explainer.explain(pixels, { classIndex });
    assertEquals(explanation!.classIndex, classIndex);
    assertEquals(explanation!.proof.logit, explanation!.logits[classIndex]);
    assertLess(explanation!.proof.residual, 1e-5);
    const { probabilities, probability } = explanation!;
    assertEquals(probability, probabilities[classIndex]);
    assertEquals(probabilities, probabilitiesOf(explanation!.logits));
    assertAlmostEquals(probabilities.reduce((a, b) => a + b), 1, 1e-6);
  }
  await assertRejects(
    () => explainer.explain(pixels, { classIndex: 4 }),
    GapcamError,
    "expected 0 to 3",
  );
});

Deno.test("Explainer proves sum and places of random networks to 1e-5", async () => {
  using device = openDevice("cpu", { threads: 1 });
  let [worstSum, worstPlace] = [0, 0];
  for (let seed = 0; seed < 8; seed++) {
    const size = [16, 23, 30][seed % 3]!;
    const images = shapesDataset("test", { size, length: 3 });
    const steps = [5 + seed, "M", 16 + 5 * seed, seed % 2 ? "M" : 24] as const;
    const model = vgg(steps, { classes: 4, batchNorm: seed % 3 === 0 });
    using network = new Network(device, model, { seed });
    using explainer = await Explainer.create(network, {
      batchSize: 3,
      image: images,
    });
    const pixels = new Uint8Array(3 * size * size * 3);
    await images.read([0, 1, 2], pixels);
    for (let classIndex = 0; classIndex < 4; classIndex++) {
      for (const one of await explainer.explain(pixels, { classIndex })) {
        worstSum = Math.max(worstSum, one.proof.residual);
        worstPlace = Math.max(worstPlace, one.place.residual);
        assertEquals(one.place.tolerance, 1e-4);
      }
    }
  }
  assertLess(worstSum, 1e-5);
  assertLess(worstPlace, 1e-5);
});

Deno.test("Explainer finds features that arrive in another layout than the device holds", async () => {
  using device = openDevice("cpu", { threads: 1 });
  const model = vgg([4, "M", 8], { classes: 10 });
  using network = new Network(device, model, { seed: 1 });
  using explainer = await Explainer.create(network, {
    batchSize: 1,
    image: SHAPES,
  });
  const pixels = await pixelsOf(3);
  await explainer.explain(pixels);
  // The planted fault: each plane is read column by column.
  const { features } = InferenceProgram.prototype;
  InferenceProgram.prototype.features = function (target) {
    const right = features.call(this, target).slice();
    const [, , height, width] = this.featureShape as number[];
    const area = height! * width!;
    return right.map((_, i) => {
      const place = i % area;
      const [y, x] = [place % height!, Math.floor(place / height!)];
      return right[i - place + y * width! + x]!;
    });
  };
  try {
    await assertRejects(
      () => explainer.explain(pixels),
      GapcamError,
      "Cannot prove the places of the map",
    );
  } finally {
    InferenceProgram.prototype.features = features;
  }
  await explainer.explain(pixels);
});

Deno.test("Explainer refuses a map when the head has changed since", async () => {
  using device = openDevice("cpu", { threads: 1 });
  const model = vgg([4], { classes: 10 });
  using network = new Network(device, model, { seed: 1 });
  using explainer = await Explainer.create(network, {
    batchSize: 1,
    image: SHAPES,
  });
  const weight = network.tensor("classifier.weight");
  weight.write(weight.read().map((value) => value + 1));
  await assertRejects(
    async () => explainer.explain(await pixelsOf(0)),
    GapcamError,
    "Cannot prove the sum of the map",
  );
});

Deno.test("Explainer.create() refuses a network that does not end in GAP and linear", async () => {
  using device = openDevice("cpu", { threads: 1 });
  const model = sequential([
    globalAveragePool(),
    linear(3, 8),
    linear(8, 2),
  ]);
  using network = new Network(device, model);
  await assertRejects(
    () => Explainer.create(network, { batchSize: 1, image: SHAPES }),
    GapcamError,
    "its last layers are linear and linear, expected globalAveragePool and at most one linear",
  );
});

Deno.test("2,000 maps grow neither the device's memory nor the process", async () => {
  // A process of its own, whose garbage is collected before it is weighed.
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--allow-all",
      "--quiet",
      "--v8-flags=--expose-gc",
      new URL("./_explained_memory.ts", import.meta.url).pathname,
    ],
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  const [before, after] = JSON.parse(new TextDecoder().decode(stdout));
  assertEquals(after.device, before.device);
  // 2,000 maps of 8 x 8 alone would be 512,000 bytes.
  assertLess(after.host - before.host, 400_000);
});

Deno.test("an explainer gives the likeliest classes' maps and what one class has more than another, proved", async () => {
  using device = openDevice("cpu", { threads: 1 });
  const model = vgg([4, "M", 8], { classes: 5 });
  using network = new Network(device, model, { seed: 2 });
  const image = { height: 12, width: 20, channels: 3 };
  using explainer = await Explainer.create(network, { batchSize: 2, image });
  const pixels = Uint8Array.from(
    { length: 2 * 12 * 20 * 3 },
    (_, i) => (i * 97) % 251,
  );
  const all = await explainer.explain(pixels, { top: 3 });
  for (const { likeliest, logits, map, predicted } of all) {
    const order = Array.from(logits.keys())
      .sort((a, b) => logits[b]! - logits[a]!);
    assertEquals(
      likeliest!.map(({ classIndex }) => classIndex),
      order.slice(0, 3),
    );
    assertEquals(likeliest![0]!.map, map);
    assertEquals(likeliest![0]!.classIndex, predicted);
    for (const { classIndex, proof, place } of likeliest!) {
      assertEquals(proof.logit, logits[classIndex]);
      assert(proof.residual < 1e-5 && place!.residual < 1e-5);
    }
  }
  const [one] = await explainer.explain(pixels, { against: 4 });
  const runnerUp = all[0]!.likeliest![1]!.classIndex;
  const { predicted, logits } = one!;
  assertEquals(one!.classIndex, predicted === 4 ? runnerUp : predicted);
  assertEquals(one!.against, 4);
  assertEquals(one!.proof.logit, logits[one!.classIndex]! - logits[4]!);
  for (
    const options of [
      { against: 5 },
      { against: -1 },
      { against: 2, classIndex: 2 },
      { top: 0 },
      { top: 1.5 },
    ]
  ) {
    await assertRejects(
      () => explainer.explain(pixels, options),
      GapcamError,
      "Cannot explain images: found",
    );
  }
});

Deno.test("a class's own channel is its map where pooling alone decides", async () => {
  using device = openDevice("cpu", { threads: 1 });
  const model = sequential([
    conv2d(3, 8, { padding: 1 }),
    relu(),
    dropout(),
    conv2d(8, 10, { kernelSize: 1 }),
    relu(),
    globalAveragePool(),
  ]);
  using network = new Network(device, model, { seed: 1 });
  using explainer = await Explainer.create(network, {
    batchSize: 1,
    image: SHAPES,
  });
  const [explanation] = await explainer.explain(await pixelsOf(3), {
    classIndex: 4,
  });
  const { map, logits, proof, place } = explanation!;
  const mean = map.data.reduce((sum, value) => sum + value, 0) /
    map.data.length;
  assertAlmostEquals(mean, logits[4]!, 1e-6);
  assertLess(Math.max(proof.residual, place.residual), 1e-4);
});
