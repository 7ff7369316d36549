import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertLess,
} from "@std/assert";
import {
  InferenceProgram,
  MethodExplainer,
  type MethodOptions,
  METHODS,
  Network,
  openDevice,
  vgg,
} from "../../mod.ts";
import { resnet } from "../../src/models/resnet.ts";
import { ExplainProgram } from "../../src/explain/_explain_program.ts";
import { legendre } from "../../src/explain/_legendre.ts";
import { MaskProgram } from "../../src/explain/_mask_program.ts";
import { Random } from "../../src/random.ts";
import { deviceTest } from "../device/_devices.ts";
import { explain, PIXELS, SHAPES, transfersOf } from "./_explain.ts";

/** The logits of images that the host made. */
async function logitsOf(network: Network, images: Float32Array) {
  using program = await ExplainProgram.compile(network, {
    source: "floats",
    batchSize: images.length / (3 * 32 * 32),
    image: SHAPES,
    layers: [],
  });
  return await program.forward(images);
}

/** The images as the network reads them. */
function normalised(): Float32Array {
  const area = 32 * 32;
  return Float32Array.from({ length: 2 * 3 * area }, (_, i) => {
    const [image, c, place] = [
      Math.floor(i / (3 * area)),
      Math.floor(i / area) % 3,
      i % area,
    ];
    return (PIXELS[3 * (image * area + place) + c]! / 255 - 0.5) / 0.5;
  });
}

deviceTest(
  "Ablation-CAM's falls are those of single forward passes",
  async (device) => {
    const model = vgg([4, "M", 6, "M", 8], { classes: 10 });
    using network = new Network(device, model, { seed: 4 });
    // Within the convolution's weights a channel is left out by hand.
    const [one] = await explain(network, "ablation-cam", {
      layer: "features.4",
      target: 3,
    });
    assertEquals(one!.standing, "checked");
    assertLess(one!.residual!, 1e-5);
    const node = network.graph.nodes.findIndex(({ name }) =>
      name === "features.4"
    );
    using seen = await ExplainProgram.compile(network, {
      source: "pixels",
      batchSize: 2,
      image: SHAPES,
      layers: [node],
    });
    const whole = (await seen.forward(PIXELS))[3]!;
    seen.readValues(0);
    const { shape: [channels, height, width], data } = seen.values(0, 0);
    const weight = network.tensor("features.3.weight");
    const bias = network.tensor("features.3.bias");
    const [weights, biases] = [weight.read(), bias.read()];
    const wanted = new Float64Array(height * width);
    for (let k = 0; k < channels; k++) {
      const size = weights.length / channels;
      weight.write(weights.map((w, i) => Math.floor(i / size) === k ? 0 : w));
      bias.write(biases.map((b, i) => i === k ? 0 : b));
      using program = await InferenceProgram.compile(network, {
        batchSize: 2,
        image: SHAPES,
      });
      const without = (await program.run(PIXELS))[3]!;
      for (let i = 0; i < wanted.length; i++) {
        wanted[i]! += (whole - without) / whole * data[k * wanted.length + i]!;
      }
    }
    weight.write(weights);
    bias.write(biases);
    const scale = Math.max(...wanted.map(Math.abs));
    one!.map.data.forEach((value, i) =>
      assertAlmostEquals(value / scale, wanted[i]! / scale, 1e-4)
    );
  },
);

Deno.test("Ablation-CAM runs what follows a layer within a residual block", async () => {
  using device = openDevice("cpu", { threads: 1 });
  const model = resnet("resnet18", { classes: 10, stem: "small" });
  using network = new Network(device, model, { seed: 3 });
  const [one] = await explain(network, "ablation-cam", {
    layer: "layer4.1.conv1",
    lookBatch: 64,
  });
  assertEquals(one!.layers, ["layer4.1.conv1"]);
  assertEquals(one!.standing, "checked");
  assertLess(one!.residual!, 1e-5);
});

deviceTest(
  "integrated gradients add up to what the image has more than black, with as many steps as that takes",
  async (device) => {
    const model = vgg([6, "M", 8], { classes: 10, negativeSlope: 0.2 });
    using network = new Network(device, model, { seed: 6 });
    const black = new Float32Array(2 * 3 * 32 * 32).fill(-1);
    const [logits, dark] = [
      await logitsOf(network, normalised()),
      await logitsOf(network, black),
    ];
    for (const target of [2, { classIndex: 4, against: 7 }]) {
      const all = await explain(network, "integrated-gradients", { target });
      all.forEach((one, i) => {
        const of = (values: Float32Array) =>
          typeof target === "number"
            ? values[10 * i + target]!
            : values[10 * i + 4]! - values[10 * i + 7]!;
        const gap = of(logits) - of(dark);
        assertEquals(one.standing, "proved");
        assert(one.residual! <= 0.01);
        const total = one.map.data.reduce((a, b) => a + b);
        const scale = Math.max(
          Math.abs(gap),
          Math.abs(of(logits)) / 10,
          Math.abs(of(dark)) / 10,
        );
        assertLess(Math.abs(total - gap) / scale, 0.011);
        assertEquals([one.map.height, one.map.width], [32, 32]);
      });
    }
    const [few] = await explain(network, "integrated-gradients", {
      target: 2,
      steps: 1,
    });
    assertEquals(
      few!.standing,
      few!.residual! <= 0.01 ? "proved" : "heuristic",
    );
    assert(few!.note!.startsWith("1 steps"));
  },
);

Deno.test("Gauss-Legendre points integrate polynomials exactly", () => {
  for (const count of [1, 2, 5, 16, 64]) {
    const { points, weights } = legendre(count);
    for (let power = 0; power < Math.min(2 * count, 12); power++) {
      const sum = points.reduce(
        (sum, x, i) => sum + weights[i]! * x ** power,
        0,
      );
      assertAlmostEquals(sum, 1 / (power + 1), 1e-12);
    }
  }
});

deviceTest(
  "occlusion's cells are the mean falls of the squares that hide them",
  async (device) => {
    const model = vgg([6, "M", 8], { classes: 10 });
    using network = new Network(device, model, { seed: 6 });
    const [, one] = await explain(network, "occlusion", { target: 5, grid: 4 });
    assertEquals(one!.standing, "checked");
    const image = normalised().slice(3 * 32 * 32);
    const hidden = new Float32Array(2 * image.length);
    hidden.set(image);
    hidden.set(image, image.length);
    // The square of the first row and column alone covers their cell.
    for (let c = 0; c < 3; c++) {
      for (let y = 0; y < 16; y++) {
        const start = c * 1024 + y * 32;
        hidden.fill(0, start, start + 16);
      }
    }
    const logits = await logitsOf(network, hidden);
    assertAlmostEquals(one!.map.data[0]!, logits[15]! - logits[5]!, 1e-5);
    assertEquals([one!.map.height, one!.map.width], [4, 4]);
  },
);

Deno.test("SmoothGrad without noise is gradient times image, and the same seed gives the same map", async () => {
  using device = openDevice("cpu", { threads: 1 });
  const model = vgg([6, "M", 8], { classes: 10 });
  using network = new Network(device, model, { seed: 6 });
  const map = async (options: Partial<MethodOptions>) =>
    (await explain(network, "smoothgrad", { samples: 8, ...options }))[0]!.map;
  assertEquals(await map({ seed: 1 }), await map({ seed: 1 }));
  const [one, other] = [await map({ seed: 1 }), await map({ seed: 2 })];
  assert(one.data.some((value, i) => value !== other.data[i]));
  assertEquals(
    (await map({ noise: 0, samples: 4 })).data.map(Math.fround),
    (await map({ noise: 0, samples: 8 })).data.map(Math.fround),
  );
});

Deno.test("Score-CAM looks once at all channels that show nothing, and gives each its score", async () => {
  using device = openDevice("cpu", { threads: 1 });
  const model = vgg([6, "M", 8], { classes: 10, negativeSlope: 0 });
  using network = new Network(device, model, { seed: 6 });
  // Half of the last channels are 0 everywhere, behind their ReLU.
  const bias = network.tensor("features.3.bias");
  bias.write(bias.read().map((b, k) => k % 2 === 0 ? -100 : b));
  const { run } = MaskProgram.prototype;
  let looks = 0;
  MaskProgram.prototype.run = function (planes) {
    looks += planes.length;
    return run.call(this, planes);
  };
  const target = { classIndex: 3 };
  try {
    const [one] = await explain(network, "score-cam", { target });
    assertEquals(looks, 2 * 5);
    assert(one!.map.data.some((value) => value > 0));
  } finally {
    MaskProgram.prototype.run = run;
  }
});

deviceTest(
  "masks that the device enlarges are bilinear, scaled to [0, 1], and hide what they should",
  async (device) => {
    const model = vgg([6, "M", 8], { classes: 10 });
    using network = new Network(device, model, { seed: 6 });
    const image = normalised().slice(0, 3 * 32 * 32);
    using program = await MaskProgram.compile(network, {
      batchSize: 2,
      image: SHAPES,
    }, { batchSize: 2, size: [9, 11] });
    program.setImage(image);
    for (const [height, width] of [[9, 11], [5, 4], [1, 1], [2, 11]] as const) {
      program.setSize([height, width]);
      const random = new Random(height, width);
      const planes = [0, 1].map(() =>
        Float32Array.from(
          { length: height * width },
          () => 6 * random.uniform() - 2,
        )
      );
      const found = await program.run(planes);
      const masked = new Float32Array(2 * image.length);
      planes.forEach((plane, i) => {
        const mask = enlarged(plane, height, width);
        const [least, greatest] = [Math.min(...mask), Math.max(...mask)];
        image.forEach((value, j) =>
          masked[i * image.length + j] = value *
            (mask[j % mask.length]! - least) / (greatest - least + 1e-8)
        );
      });
      const expected = await logitsOf(network, masked);
      const scale = Math.max(...expected.map(Math.abs));
      found.forEach((logit, i) =>
        assertAlmostEquals(logit / scale, expected[i]! / scale, 1e-5)
      );
    }
  },
);

/** A plane between the centres of corner pixels, 32 x 32. */
function enlarged(plane: Float32Array, height: number, width: number) {
  const at = (y: number, x: number) => plane[y * width + x]!;
  return Float64Array.from({ length: 32 * 32 }, (_, i) => {
    const y = Math.floor(i / 32) * (height - 1) / 31;
    const x = i % 32 * (width - 1) / 31;
    const [top, left] = [Math.floor(y), Math.floor(x)];
    const bottom = Math.min(top + 1, height - 1);
    const right = Math.min(left + 1, width - 1);
    const upper = at(top, left) + (x - left) * (at(top, right) - at(top, left));
    const lower = at(bottom, left) +
      (x - left) * (at(bottom, right) - at(bottom, left));
    return upper + (y - top) * (lower - upper);
  });
}

deviceTest(
  "of Score-CAM's masks only the layer's size goes to the device, and only logits come back",
  async (device) => {
    using network = new Network(device, vgg([4, "M", 8], { classes: 10 }));
    using explainer = await MethodExplainer.create(network, {
      ...{ method: "score-cam", batchSize: 1, image: SHAPES, lookBatch: 2 },
    });
    const { reads, writes } = await transfersOf(() =>
      explainer.explain(PIXELS.subarray(0, 32 * 32 * 3))
    );
    const count = (all: string[], shape: string) =>
      all.filter((one) => one === shape).length;
    // Eight channels: four batches of two masks, one plane for each colour.
    assertEquals(count(writes, "2 x 3 x 16 x 16"), 4);
    assertEquals(count(reads, "2 x 10"), 4);
    // The image as it is seen goes there once, and beside it the layer comes back.
    assertEquals(count(writes, "2 x 3 x 32 x 32"), 1);
    assertEquals(count(reads, "1 x 8 x 16 x 16"), 1);
    assertEquals(count(reads, "1 x 3 x 32 x 32"), 1);
  },
);

Deno.test("what a method gives does not depend on how many masks it shows at a time", async () => {
  using device = openDevice("cpu", { threads: 1 });
  const model = vgg([6, "M", 8], { classes: 10 });
  using network = new Network(device, model, { seed: 6 });
  for (const method of ["score-cam", "ablation-cam", "occlusion"] as const) {
    const [some] = await explain(network, method, { lookBatch: 3, grid: 4 });
    const [many] = await explain(network, method, { lookBatch: 16, grid: 4 });
    some!.map.data.forEach((value, i) =>
      assertAlmostEquals(value, many!.map.data[i]!, 1e-5)
    );
  }
});

Deno.test("2,000 maps of each method grow neither the device's memory nor the process", async () => {
  // A process of its own, whose garbage is collected before it is weighed.
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--allow-all",
      "--quiet",
      "--v8-flags=--expose-gc",
      new URL("./_methods_memory.ts", import.meta.url).pathname,
    ],
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  const { lines, left } = JSON.parse(new TextDecoder().decode(stdout));
  assertEquals(left, 0);
  assertEquals(Object.keys(lines), METHODS.map(({ name }) => name));
  for (
    const [name, weighed] of Object.entries<
      { device: unknown; host: number }[]
    >(lines)
  ) {
    const [before, middle, after] = weighed;
    assertEquals(middle!.device, before!.device, name);
    assertEquals(after!.device, before!.device, name);
    // What is kept for each map grows in both halves: 1,000 maps of 8 x 8 alone
    // would be 256,000 bytes. What a compiler adds once grows in one.
    const [first, second] = [
      middle!.host - before!.host,
      after!.host - middle!.host,
    ];
    assertLess(Math.min(first, second), 200_000, name);
  }
});
