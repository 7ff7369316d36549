import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertLess,
  assertRejects,
} from "@std/assert";
import {
  conv2d,
  flatten,
  GapcamError,
  globalAveragePool,
  linear,
  maxPool2d,
  MethodExplainer,
  type MethodName,
  METHODS,
  Network,
  openDevice,
  relu,
  residual,
  sequential,
  type Target,
  vgg,
} from "../../mod.ts";
import { resnet } from "../../src/models/resnet.ts";
import { ExplainProgram } from "../../src/explain/_explain_program.ts";
import { deviceTest } from "../device/_devices.ts";
import { explain, PIXELS, SHAPES, transfersOf } from "./_explain.ts";

function assertNear(
  actual: Float32Array,
  expected: ArrayLike<number>,
  bound: number,
): void {
  assertEquals(actual.length, expected.length);
  let [difference, norm] = [0, 0];
  actual.forEach((value, i) => {
    difference += (value - expected[i]!) ** 2;
    norm += expected[i]! ** 2;
  });
  const error = Math.sqrt(difference / norm);
  assert(error <= bound, `a relative error of ${error}`);
}

deviceTest(
  "Grad-CAM, HiRes-CAM and XGrad-CAM of the last map are CAM over its places",
  async (device) => {
    const model = vgg([4, "M", 8], { classes: 10 });
    using network = new Network(device, model, { seed: 1 });
    const targets: (Target | number | undefined)[] = [
      undefined,
      7,
      { classIndex: 2, against: 5 },
    ];
    for (const target of targets) {
      const option = target === undefined ? {} : { target };
      const proved = await explain(network, "cam", option);
      for (const method of ["grad-cam", "hires-cam", "xgrad-cam"] as const) {
        const checked = await explain(network, method, option);
        checked.forEach((one, i) => {
          assertEquals(one.standing, "checked");
          assertLess(one.residual!, 1e-5);
          assertLess(one.place.residual, 1e-5);
          assertEquals(proved[i]!.standing, "proved");
          assertAlmostEquals(one.value, proved[i]!.value, 1e-5);
          const { data } = proved[i]!.map;
          assertNear(one.map.data, data.map((v) => v / data.length), 1e-5);
        });
      }
    }
  },
);

deviceTest(
  "maps that the device sums are those summed on the host",
  async (device) => {
    const body = sequential({
      conv: conv2d(6, 6, { padding: 1 }),
      relu: relu(),
    });
    const model = sequential({
      stem: sequential([conv2d(3, 6, { padding: 1 }), relu(), maxPool2d(2)]),
      block: residual(body),
      last: sequential([conv2d(6, 7, { padding: 1, stride: 2 }), relu()]),
      pool: globalAveragePool(),
      head: linear(7, 10),
    });
    using network = new Network(device, model, { seed: 3 });
    for (const layer of ["stem", "block.conv", "block", "last.0"]) {
      const [first] = await explain(network, "grad-cam", { layer, target: 3 });
      const node = network.graph.nodes.findIndex(({ name }) =>
        name === first!.layers[0]
      );
      using program = await ExplainProgram.compile(network, {
        source: "pixels",
        batchSize: 2,
        image: SHAPES,
        layers: [node],
        gradients: "values",
      });
      await program.forward(PIXELS);
      const seeds = new Float32Array(20);
      seeds[3] = seeds[13] = 1;
      await program.backward(seeds);
      program.readValues(0);
      for (const [method, weigh] of Object.entries(FORMULAS)) {
        const found = await explain(network, method as MethodName, {
          layer,
          target: 3,
        });
        for (const image of [0, 1]) {
          const { shape: [channels, height, width], data } = program.values(
            0,
            image,
          );
          const gradients = program.gradients(0, image).data;
          const area = height * width;
          const wanted = new Float64Array(area);
          for (let k = 0; k < channels; k++) {
            const of = (all: Float32Array) =>
              Array.from(all.subarray(k * area, (k + 1) * area));
            const own = of(data);
            weigh(own, of(gradients)).forEach((weight, i) =>
              wanted[i]! += weight * own[i]!
            );
          }
          assertNear(found[image]!.map.data, wanted, 1e-4);
        }
      }
    }
  },
);

/** What each value of a channel is multiplied by, of its values and gradients. */
const FORMULAS: Partial<
  Record<MethodName, (values: number[], gradients: number[]) => number[]>
> = {
  "grad-cam": (_, g) => g.map(() => sum(g) / g.length),
  "hires-cam": (_, g) => g,
  "layer-cam": (_, g) => g.map((one) => Math.max(0, one)),
  "xgrad-cam": (a, g) => {
    const total = sum(a);
    const products = sum(g.map((one, i) => one * a[i]!));
    return g.map(() => total === 0 ? 0 : products / total);
  },
  "grad-cam++": (a, g) => {
    const total = sum(a);
    const weight = sum(g.map((one) => {
      const divisor = 2 * one ** 2 + one ** 3 * total;
      return divisor === 0 ? 0 : one ** 2 / divisor * Math.max(0, one);
    }));
    return g.map(() => weight);
  },
};

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

/** The methods whose maps the device makes whole. */
const MADE_ON_DEVICE = [
  "cam",
  "grad-cam",
  "grad-cam++",
  "hires-cam",
  "xgrad-cam",
  "layer-cam",
  "finer-cam",
] as const;

deviceTest(
  "of a map that is made of gradients nothing but the map and the logits is read back",
  async (device) => {
    using network = new Network(device, vgg([4, "M", 8], { classes: 10 }));
    for (const method of MADE_ON_DEVICE) {
      const layer = method === "cam" ? undefined : "features.1";
      using explainer = await MethodExplainer.create(network, {
        ...{ method, batchSize: 2, image: SHAPES },
        ...(layer ? { layer } : {}),
      });
      const { reads, writes } = await transfersOf(() =>
        explainer.explain(PIXELS)
      );
      const side = layer ? 32 : 16;
      // Logits, maps, and one number a map that proves its places.
      const expected = [`2 x 1 x ${side} x ${side}`, "2 x 1", "2 x 10"];
      assertEquals(reads.sort(), expected.sort(), method);
      // The images, and what is explained of them.
      assertEquals(writes.sort(), ["2 x 10", "2 x 32 x 32 x 3"], method);
    }
  },
);

Deno.test("a layer that is named twice is explained once and averaged with itself", async () => {
  using device = openDevice("cpu", { threads: 1 });
  using network = new Network(device, vgg([4, "M", 8], { classes: 10 }));
  const [one, both] = [
    await explain(network, "grad-cam", { layer: ["features.4"], target: 3 }),
    await explain(network, "grad-cam", {
      layer: ["features.4", "features.4"],
      target: 3,
    }),
  ];
  const greatest = Math.max(...one[0]!.map.data);
  both[0]!.map.data.forEach((value, i) =>
    assertAlmostEquals(
      value,
      Math.max(0, one[0]!.map.data[i]! / greatest),
      1e-6,
    )
  );
});

Deno.test("a network of flatten and linear layers has no CAM, but Grad-CAM", async () => {
  using device = openDevice("cpu", { threads: 1 });
  const model = sequential({
    features: sequential([
      conv2d(3, 6, { padding: 1 }),
      relu(),
      maxPool2d(2),
    ]),
    flatten: flatten(),
    classifier: sequential([linear(6 * 16 * 16, 12), relu(), linear(12, 4)]),
  });
  using network = new Network(device, model, { seed: 5 });
  await assertRejects(
    () => explain(network, "cam"),
    GapcamError,
    "does not end in global average pooling and at most one linear layer; choose grad-cam",
  );
  const [one] = await explain(network, "grad-cam");
  assertEquals(one!.layers, ["features.2"]);
  assertEquals(one!.standing, "heuristic");
  assertEquals(one!.map.width, 16);
});

Deno.test("one output explains yes and no with opposite signs", async () => {
  using device = openDevice("cpu", { threads: 1 });
  const model = sequential([
    conv2d(3, 6, { padding: 1 }),
    relu(),
    globalAveragePool(),
    linear(6, 1),
  ]);
  using network = new Network(device, model, { seed: 2 });
  for (const method of ["cam", "grad-cam", "finer-cam"] as const) {
    const [yes] = await explain(network, method, { target: 1 });
    const [no] = await explain(network, method, { target: 0 });
    assertEquals(yes!.value, yes!.logits[0]);
    assertEquals(no!.value, -yes!.logits[0]!);
    assertNear(no!.map.data, yes!.map.data.map((v) => -v), 1e-6);
    assertEquals(yes!.predicted, yes!.logits[0]! > 0 ? 1 : 0);
    assertAlmostEquals(
      yes!.probabilities[1]!,
      1 / (1 + Math.exp(-yes!.logits[0]!)),
      1e-6,
    );
    await assertRejects(
      () => explain(network, method, { target: 2 }),
      GapcamError,
      "Cannot explain class 2: expected 0 to 1",
    );
  }
});

Deno.test("of several labels an image each output has a probability of its own", async () => {
  using device = openDevice("cpu", { threads: 1 });
  const model = vgg([4, "M", 8], { classes: 3 });
  using network = new Network(device, model, { seed: 1 });
  const own = { eachClass: true };
  const [logit] = await explain(network, "grad-cam", { ...own, target: 2 });
  const target = { classIndex: 2, probability: true };
  const [one] = await explain(network, "grad-cam", { ...own, target });
  const p = 1 / (1 + Math.exp(-one!.logits[2]!));
  assertAlmostEquals(one!.value, p, 1e-6);
  assertAlmostEquals(one!.probabilities[2]!, p, 1e-6);
  // No other output changes it.
  const slope = p * (1 - p);
  assertNear(one!.map.data, logit!.map.data.map((v) => v * slope), 1e-5);
});

Deno.test("the map of a probability adds up to what its derivative says", async () => {
  using device = openDevice("cpu", { threads: 1 });
  const model = vgg([4, "M", 8], { classes: 10 });
  using network = new Network(device, model, { seed: 1 });
  const target = { classIndex: 3, probability: true };
  const [one] = await explain(network, "grad-cam", { target });
  assertEquals(one!.standing, "checked");
  assertEquals(one!.value, one!.probabilities[3]);
  await assertRejects(
    () => explain(network, "cam", { target }),
    GapcamError,
    "its map adds up to logits",
  );
});

Deno.test("layers are found by their names and their groups', and others refused", async () => {
  using device = openDevice("cpu", { threads: 1 });
  const model = resnet("resnet18", { classes: 10, stem: "small" });
  using network = new Network(device, model, { seed: 3 });
  const [one] = await explain(network, "grad-cam", { layer: "layer2" });
  assertEquals(one!.layers, ["layer2.1.relu"]);
  assertEquals(one!.map.width, 16);
  const [two] = await explain(network, "layer-cam", {
    layer: ["layer2", "layer4"],
  });
  assertEquals(two!.layers, ["layer2.1.relu", "layer4.1.relu"]);
  assertEquals(two!.map.width, 16);
  assertEquals(two!.standing, "heuristic");
  assert(two!.map.data.every((value) => value >= 0 && value <= 1));
  for (
    const [layer, message] of [
      [
        "layr4",
        '"layr4": the network has none of that name; the nearest are layer4',
      ],
      [
        "fc",
        '"fc": it makes 10 numbers an image, expected a map; the last layer that makes one is layer4.1.relu',
      ],
    ] as const
  ) {
    await assertRejects(
      () => explain(network, "grad-cam", { layer }),
      GapcamError,
      message,
    );
  }
  await assertRejects(
    () => explain(network, "cam", { layer: "layer4" }),
    GapcamError,
    "it looks at the last map alone",
  );
  await assertRejects(
    () => explain(network, "gradcam" as MethodName),
    GapcamError,
    "the nearest are grad-cam",
  );
});

Deno.test("a program that was compiled without gradients refuses to compute them", async () => {
  using device = openDevice("cpu", { threads: 1 });
  using network = new Network(device, vgg([4, "M", 8], { classes: 10 }));
  using program = await ExplainProgram.compile(network, {
    source: "pixels",
    batchSize: 2,
    image: SHAPES,
    layers: [1],
  });
  await program.forward(PIXELS);
  await assertRejects(
    () => program.backward(new Float32Array(20)),
    GapcamError,
    "Cannot compute gradients: the program was compiled without them",
  );
});

Deno.test("Finer-CAM adds up to the class less its likest", async () => {
  using device = openDevice("cpu", { threads: 1 });
  const model = vgg([4, "M", 8], { classes: 10 });
  using network = new Network(device, model, { seed: 1 });
  for (const one of await explain(network, "finer-cam")) {
    assertEquals(one.standing, "proved");
    assertLess(one.residual!, 1e-5);
    const own = one.target.classIndex;
    const nearest = [...one.logits].map((logit, i) => ({ logit, i }))
      .filter(({ i }) => i !== own)
      .sort((a, b) =>
        Math.abs(a.logit - one.logits[own]!) -
        Math.abs(b.logit - one.logits[own]!)
      ).slice(0, 3);
    const total = nearest.reduce(
      (sum, { i }) => sum + one.probabilities[i]!,
      0,
    );
    const less = nearest.reduce(
      (sum, { i, logit }) => sum + one.probabilities[i]! / total * logit,
      0,
    );
    assertAlmostEquals(one.value, one.logits[own]! - less, 1e-5);
  }
});

Deno.test("a map that speaks for nothing is said to be empty", async () => {
  using device = openDevice("cpu", { threads: 1 });
  const model = sequential([
    conv2d(3, 2, { kernelSize: 1 }),
    relu(),
    globalAveragePool(),
    linear(2, 3),
  ]);
  using network = new Network(device, model, {
    state: new Map([
      ["0.weight", { shape: [2, 3, 1, 1], data: new Float32Array(6) }],
      ["0.bias", { shape: [2], data: Float32Array.of(1, 1) }],
      [
        "3.weight",
        { shape: [3, 2], data: Float32Array.of(1, 1, 0, 0, -1, -1) },
      ],
      ["3.bias", { shape: [3], data: new Float32Array(3) }],
    ]),
  });
  for (const method of ["cam", "grad-cam"] as const) {
    const empty = async (target: number) =>
      (await explain(network, method, { target }))[0]!.empty;
    assertEquals(await empty(0), undefined);
    assertEquals(await empty(1), "zero");
    assertEquals(await empty(2), "negative");
  }
});

Deno.test("every method's facts are said once", () => {
  assertEquals(
    new Set(METHODS.map(({ name }) => name)).size,
    METHODS.length,
  );
  for (const { title, summary, paper, standing, claim } of METHODS) {
    assert(title !== "" && summary !== "" && /\d{4}/.test(paper));
    assertEquals(claim === undefined, standing === "heuristic");
  }
});
