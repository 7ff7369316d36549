import { assert, assertEquals, assertLess } from "@std/assert";
import {
  batchNorm2d,
  branches,
  conv2d,
  dropout,
  globalAveragePool,
  InferenceProgram,
  linear,
  type Model,
  Network,
  relu,
  relu6,
  residual,
  sequential,
  sgd,
  stochasticDepth,
  TrainingProgram,
  vgg,
} from "../../mod.ts";
import { MODELS } from "../../src/models/mod.ts";
import { trunkNames } from "../../src/nn/classifier_of.ts";
import { initialise } from "../../src/nn/parameters.ts";
import { Random } from "../../src/random.ts";
import { openTestDevice } from "../device/_test_device.ts";

const SIZE = { height: 9, width: 8, channels: 3 };
const BATCH = 3;

/** Normalisation behind a convolution, before one, and between two that learn. */
const MODEL = sequential({
  stem: conv2d(3, 6, { stride: 2, padding: 1, bias: false }),
  norm0: batchNorm2d(6, { epsilon: 1e-3 }),
  relu0: relu6(),
  block: residual(sequential({
    norm: batchNorm2d(6),
    relu: relu(),
    conv: conv2d(6, 6, { padding: 1, groups: 2 }),
    norm2: batchNorm2d(6),
    dropped: dropout(0.7),
    drop: stochasticDepth(0.6),
  })),
  twice: branches("concatenate", [
    [
      "a",
      sequential({ c: conv2d(6, 4, { kernelSize: 1 }), n: batchNorm2d(4) }),
    ],
    ["b", conv2d(6, 4, { kernelSize: 1 })],
  ]),
  pool: globalAveragePool(),
  head: linear(8, 4),
});

function stateOf(model: Model) {
  const state = initialise(model, 7);
  const random = new Random(8);
  for (const [name, { data }] of state) {
    if (/running_var$/.test(name)) random.fillUniform(data, 0.3, 2);
    else if (/norm\w*\.|\.n\.|running_mean$/.test(name)) {
      random.fillUniform(data, -1, 1.5);
    }
  }
  return state;
}

const IMAGES = new Uint8Array(BATCH * 9 * 8 * 3)
  .map((_, i) => (i * 7919 + (i >> 3) * 13) % 256);
const LABELS = Int32Array.of(0, 3, 1);

/** The mean cross-entropy of logits, in doubles. */
function lossOf(logits: Float32Array): number {
  const classes = logits.length / BATCH;
  let sum = 0;
  for (let i = 0; i < BATCH; i++) {
    const row = [...logits.subarray(i * classes, (i + 1) * classes)];
    sum += Math.log(row.reduce((total, one) => total + Math.exp(one), 0)) -
      row[LABELS[i]!]!;
  }
  return sum / BATCH;
}

Deno.test("frozen layers compute as where nothing is trained, and running statistics stay", async () => {
  using device = openTestDevice();
  using network = new Network(device, MODEL, { state: stateOf(MODEL) });
  using inference = await InferenceProgram.compile(network, {
    batchSize: BATCH,
    image: SIZE,
  });
  const expected = lossOf(await inference.run(IMAGES));
  const before = network.state();
  using training = await TrainingProgram.compile(network, {
    ...{ batchSize: BATCH, image: SIZE, optimiser: sgd({ learningRate: 1 }) },
    freeze: ["stem", "norm0", "block", "twice"],
  });
  await training.step(IMAGES, LABELS);
  const { lastLoss } = training.metrics();
  assertLess(Math.abs(lastLoss - expected), 1e-5 * expected);
  for (const [name, { data }] of network.state()) {
    const same = data.every((value, i) => value === before.get(name)!.data[i]);
    assertEquals(same, !name.startsWith("head"), name);
  }
});

Deno.test("gradients pass frozen normalisation as the numbers say", async () => {
  using device = openTestDevice();
  const state = stateOf(MODEL);
  const freeze = ["norm0", "block.norm", "block.norm2", "twice.a.n"];
  // Nothing is dropped here, so that the loss is one of the parameters alone.
  const still = JSON.parse(
    JSON.stringify(MODEL).replaceAll(
      /"probability":[\d.]+/g,
      '"probability":0',
    ),
  ) as Model;
  using plain = new Network(device, still, { state });
  using plainTraining = await TrainingProgram.compile(plain, {
    ...{ batchSize: BATCH, image: SIZE, optimiser: sgd({ learningRate: 0 }) },
    freeze,
  });
  await plainTraining.step(IMAGES, LABELS);
  const gradients = plainTraining.gradients();
  assert(!gradients.has("norm0.weight"));
  using inference = await InferenceProgram.compile(plain, {
    batchSize: BATCH,
    image: SIZE,
  });
  const step = 5e-3;
  for (const name of ["stem.weight", "block.conv.weight", "block.conv.bias"]) {
    const { data } = gradients.get(name)!;
    const tensor = plain.tensor(name);
    const values = tensor.read();
    let [difference, norm] = [0, 0];
    for (let i = 0; i < data.length; i += 5) {
      const [above, below] = [step, -step].map((by) =>
        values.with(i, values[i]! + by)
      ) as [Float32Array, Float32Array];
      tensor.write(above);
      const high = lossOf(await inference.run(IMAGES));
      tensor.write(below);
      const low = lossOf(await inference.run(IMAGES));
      const slope = (high - low) / (2 * step);
      difference += (slope - data[i]!) ** 2;
      norm += slope ** 2;
    }
    tensor.write(values);
    assertLess(Math.sqrt(difference / norm), 0.03, name);
  }
});

Deno.test("a step takes features in place of images, as much as the head needs", async () => {
  using device = openTestDevice();
  using network = new Network(device, MODEL, { state: stateOf(MODEL) });
  const freeze = ["stem", "norm0", "block", "twice"];
  const options = {
    batchSize: BATCH,
    optimiser: sgd({ learningRate: 0 }),
    freeze,
    features: true,
  };
  using training = await TrainingProgram.compile(network, {
    ...options,
    image: { height: 1, width: 1, channels: 32 },
  });
  const features = new Float32Array(BATCH * 8).map((_, i) => Math.sin(i));
  await training.step(new Uint8Array(features.buffer), LABELS);
  const weight = network.tensor("head.weight").read();
  const bias = network.tensor("head.bias").read();
  const logits = new Float32Array(BATCH * 4).map((_, i) => {
    const [image, row] = [Math.floor(i / 4), i % 4];
    let sum = bias[row]!;
    for (let k = 0; k < 8; k++) {
      sum += weight[row * 8 + k]! * features[image * 8 + k]!;
    }
    return sum;
  });
  assertLess(Math.abs(training.metrics().lastLoss - lossOf(logits)), 1e-5);
  let message = "";
  try {
    await TrainingProgram.compile(network, {
      ...options,
      image: { height: 1, width: 1, channels: 28 },
    });
  } catch (error) {
    message = (error as Error).message;
  }
  assertEquals(
    message,
    "Cannot train on 7 features an image: the model ends in a layer of 8",
  );
});

Deno.test("trunkNames() names all but what decides, in as few names as that takes", () => {
  const named = (name: string) =>
    trunkNames(MODELS[name]!.build({ classes: 2 })).join();
  assertEquals(trunkNames(vgg([4, "M", 8], { classes: 2 })), ["features"]);
  assertEquals(named("resnet18"), "conv1,bn1,layer1,layer2,layer3,layer4");
  assertEquals(named("mobilenet_v2"), "features");
  assertEquals(named("squeezenet1_1"), "features");
  assertEquals(named("alexnet"), "features,classifier.1,classifier.4");
  assertEquals(
    named("efficientnet_lite0"),
    "_conv_stem,_bn0,_blocks,_conv_head,_bn1",
  );
});
