import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertGreater,
  assertLess,
  assertRejects,
  assertThrows,
} from "@std/assert";
import type { Device } from "../../src/device/device.ts";
import { GapcamError } from "../../src/error.ts";
import {
  conv2d,
  globalAveragePool,
  leakyRelu,
  linear,
  maxPool2d,
  relu,
  sequential,
} from "../../mod.ts";
import { InferenceProgram } from "../../src/nn/inference_program.ts";
import { Network } from "../../src/nn/network.ts";
import { adam, sgd } from "../../src/nn/optimiser.ts";
import { initialise } from "../../src/nn/parameters.ts";
import type { TrainingOptions } from "../../src/nn/training_options.ts";
import { TrainingProgram } from "../../src/nn/training_program.ts";
import { vgg } from "../../src/models/vgg.ts";
import type { StateDict } from "../../src/host_tensor.ts";
import { liveBytes, openTestDevice } from "../device/_test_device.ts";
import { relativeError } from "./_hashed.ts";
import {
  SMALL_BATCH_SIZE,
  SMALL_IMAGE,
  smallBatch,
  smallModel,
  smallState,
} from "./_small_network.ts";

const IMAGE_BYTES = 12 * 12 * 3;

function smallNetwork(device: Device, batchNorm = false): Network {
  const model = smallModel({ batchNorm });
  return new Network(device, model, { state: smallState(model) });
}

function compileSmall(
  network: Network,
  options: Partial<TrainingOptions> = {},
): Promise<TrainingProgram> {
  return TrainingProgram.compile(network, {
    batchSize: SMALL_BATCH_SIZE,
    image: SMALL_IMAGE,
    optimiser: adam({ learningRate: 1e-2 }),
    ...options,
  });
}

async function takeSteps(
  training: TrainingProgram,
  from: number,
  to: number,
): Promise<void> {
  for (let step = from; step < to; step++) {
    const { images, labels } = smallBatch(step);
    await training.step(images, labels);
  }
}

function assertSameState(actual: StateDict, expected: StateDict): void {
  assertEquals([...actual.keys()], [...expected.keys()]);
  for (const [name, { data }] of expected) {
    const other = actual.get(name)!.data;
    assertEquals(other.length, data.length, name);
    assert(data.every((value, i) => Object.is(value, other[i])), name);
  }
}

Deno.test("Network gives back the state that it was given, and can be reloaded", () => {
  using device = openTestDevice();
  const model = smallModel({ batchNorm: true });
  const state = initialise(model, 3);
  using network = new Network(device, model, { seed: 3 });
  assertSameState(network.state(), state);
  const other = initialise(model, 4);
  network.load(other);
  assertSameState(network.state(), other);
});

Deno.test("Network refuses a state that does not fit, and keeps what it has", () => {
  using device = openTestDevice();
  const model = smallModel({ batchNorm: false });
  const state = initialise(model, 1);
  using network = new Network(device, model, { state });
  const missing = new Map(state);
  missing.delete("classifier.bias");
  const extra = new Map(state);
  extra.set("head.weight", { shape: [1], data: new Float32Array(1) });
  const reshaped = new Map(state);
  reshaped.set("classifier.bias", { shape: [6], data: new Float32Array(6) });
  for (
    const [wrong, message] of [
      [missing, "classifier.bias is missing"],
      [extra, "head.weight is not in the model"],
      [reshaped, "classifier.bias is [6], expected [5]"],
    ] as [StateDict, string][]
  ) {
    const error = assertThrows(() => network.load(wrong), GapcamError, message);
    assertEquals(error.code, "shape-mismatch");
    const before = device.memory().liveBytes;
    assertThrows(
      () => new Network(device, model, { state: wrong }),
      GapcamError,
      message,
    );
    assertEquals(device.memory().liveBytes, before);
  }
  assertSameState(network.state(), state);
  assertThrows(
    () => network.tensor("nothing"),
    GapcamError,
    'Cannot find parameter "nothing"',
  );
});

Deno.test("training lowers the loss, and a program compiled before sees it", async () => {
  using device = openTestDevice();
  using network = smallNetwork(device);
  using inference = await InferenceProgram.compile(network, {
    batchSize: SMALL_BATCH_SIZE,
    image: SMALL_IMAGE,
  });
  using training = await compileSmall(network);
  const { images, labels } = smallBatch(0);
  const before = (await inference.run(images)).slice();
  await training.step(images, labels);
  const first = training.metrics({ reset: true });
  for (let i = 0; i < 50; i++) await training.step(images, labels);
  const later = training.metrics();
  assertEquals(first.steps, 1);
  assertEquals(first.images, SMALL_BATCH_SIZE);
  assertEquals(later.steps, 50);
  assertEquals(later.images, 50 * SMALL_BATCH_SIZE);
  assertEquals(training.stepCount, 51);
  assertLess(later.lastLoss, first.lastLoss / 2);
  assertAlmostEquals(first.lossSum, first.lastLoss, 1e-6);
  assertEquals(later.notFinite, 0);
  assertGreater(later.largestLoss, later.lastLoss);
  assertGreater(relativeError(await inference.run(images), before), 0.1);
});

Deno.test("the loss is the cross-entropy of the logits that inference gives", async () => {
  using device = openTestDevice();
  using network = smallNetwork(device);
  using inference = await InferenceProgram.compile(network, {
    batchSize: SMALL_BATCH_SIZE,
    image: SMALL_IMAGE,
  });
  using training = await compileSmall(network);
  const { images, labels } = smallBatch(1);
  const logits = await inference.run(images);
  let loss = 0, correct = 0;
  labels.forEach((label, n) => {
    const row = [...logits.subarray(n * 5, n * 5 + 5)];
    const sum = row.reduce((total, logit) => total + Math.exp(logit), 0);
    loss += Math.log(sum) - row[label]!;
    if (row.indexOf(Math.max(...row)) === label) correct++;
  });
  await training.step(images, labels);
  assertAlmostEquals(training.metrics().lastLoss, loss / labels.length, 1e-5);
  assertEquals(training.metrics().correct, correct);
});

Deno.test("a padded batch has the loss and the gradients of the smaller one", async () => {
  using device = openTestDevice();
  const { images, labels } = smallBatch(2);
  const count = 4;
  const few = images.subarray(0, count * IMAGE_BYTES);
  const found: { loss: number; gradients: StateDict; images: number }[] = [];
  for (const how of ["exact", "padded here", "padded by the caller"]) {
    using network = smallNetwork(device);
    using training = await compileSmall(network, {
      batchSize: how === "exact" ? count : SMALL_BATCH_SIZE,
    });
    if (how === "padded by the caller") {
      await training.step(
        images,
        labels.map((label, i) => i < count ? label : -1),
      );
    } else await training.step(few, labels.subarray(0, count));
    const metrics = training.metrics();
    found.push({
      loss: metrics.lastLoss,
      gradients: training.gradients(),
      images: metrics.images,
    });
  }
  for (const other of found.slice(1)) {
    assertEquals(other.images, count);
    assertAlmostEquals(other.loss, found[0]!.loss, 1e-6);
    for (const [name, { data }] of found[0]!.gradients) {
      assertLess(relativeError(other.gradients.get(name)!.data, data), 1e-5);
    }
  }
});

Deno.test("a short batch gives the logits and features of its images", async () => {
  using device = openTestDevice();
  using network = smallNetwork(device);
  using inference = await InferenceProgram.compile(network, {
    batchSize: SMALL_BATCH_SIZE,
    image: SMALL_IMAGE,
  });
  const { images } = smallBatch(3);
  const all = await inference.run(images);
  const allFeatures = inference.features();
  const few = await inference.run(images.subarray(0, 2 * IMAGE_BYTES));
  assertEquals(few.length, 2 * 5);
  assertLess(relativeError(few, all.subarray(0, 10)), 1e-6);
  const features = inference.features();
  assertEquals(features.length, 2 * allFeatures.length / SMALL_BATCH_SIZE);
  assertLess(
    relativeError(features, allFeatures.subarray(0, features.length)),
    1e-6,
  );
});

Deno.test("logits are bias plus the mean over pixels of the weighted features", async () => {
  using device = openTestDevice();
  using network = smallNetwork(device, true);
  using inference = await InferenceProgram.compile(network, {
    batchSize: SMALL_BATCH_SIZE,
    image: SMALL_IMAGE,
  });
  const logits = await inference.run(smallBatch(4).images);
  const features = inference.features();
  const [batch, channels, height, width] = inference.featureShape as [
    number,
    number,
    number,
    number,
  ];
  assertEquals([batch, channels, height, width], [6, 12, 4, 3]);
  const state = network.state();
  const weight = state.get("classifier.weight")!.data;
  const bias = state.get("classifier.bias")!.data;
  const pixels = height * width;
  for (let n = 0; n < batch; n++) {
    for (let c = 0; c < inference.classes; c++) {
      let sum = 0;
      for (let k = 0; k < channels; k++) {
        for (let i = 0; i < pixels; i++) {
          sum += weight[c * channels + k]! *
            features[(n * channels + k) * pixels + i]!;
        }
      }
      assertAlmostEquals(
        logits[n * inference.classes + c]!,
        bias[c]! + sum / pixels,
        1e-5,
      );
    }
  }
});

Deno.test("training goes on from an exported state to the same bytes", async () => {
  for (const optimiser of [adam(), sgd({ momentum: 0.9, nesterov: true })]) {
    using device = openTestDevice();
    using network = smallNetwork(device, true);
    using training = await compileSmall(network, { optimiser });
    await takeSteps(training, 0, 3);
    const state = network.state();
    const moments = training.optimiserState();
    const count = training.stepCount;
    await takeSteps(training, 3, 6);

    using again = new Network(device, network.model, { state });
    using resumed = await compileSmall(again, { optimiser });
    resumed.loadOptimiserState(moments, count);
    await takeSteps(resumed, 3, 6);
    assertSameState(again.state(), network.state());
    assertSameState(resumed.optimiserState(), training.optimiserState());
    assertEquals(resumed.stepCount, 6);
  }
});

Deno.test("loadOptimiserState() refuses what does not fit, and changes nothing", async () => {
  using device = openTestDevice();
  using network = smallNetwork(device);
  using training = await compileSmall(network);
  await takeSteps(training, 0, 1);
  const state = training.optimiserState();
  assertEquals([...state.keys()].slice(0, 2), [
    "features.0.weight.exp_avg",
    "features.0.weight.exp_avg_sq",
  ]);
  const missing = new Map(state);
  missing.delete("classifier.bias.exp_avg_sq");
  assertThrows(
    () => training.loadOptimiserState(missing, 5),
    GapcamError,
    "classifier.bias.exp_avg_sq is missing",
  );
  const wrong = new Map(state);
  wrong.set("classifier.bias.exp_avg", {
    shape: [1, 5],
    data: new Float32Array(5),
  });
  assertThrows(
    () => training.loadOptimiserState(wrong, 5),
    GapcamError,
    "classifier.bias.exp_avg is [1, 5], expected [5]",
  );
  for (const count of [-1, 0.5, NaN]) {
    assertThrows(
      () => training.loadOptimiserState(state, count),
      GapcamError,
      `after ${count} steps`,
    );
  }
  assertSameState(training.optimiserState(), state);
  assertEquals(training.stepCount, 1);
});

Deno.test("the same seed, device and threads give the same bytes", async () => {
  const states: StateDict[] = [];
  for (let run = 0; run < 2; run++) {
    using device = openTestDevice({ threads: 2 });
    using network = new Network(device, smallModel({ batchNorm: true }), {
      seed: 11,
    });
    using training = await compileSmall(network);
    await takeSteps(training, 0, 4);
    states.push(network.state());
  }
  assertSameState(states[1]!, states[0]!);
});

Deno.test("frozen layers stay as they were; the rest learns", async () => {
  using device = openTestDevice();
  using network = smallNetwork(device);
  const before = network.state();
  using training = await compileSmall(network, { freeze: ["features"] });
  await takeSteps(training, 0, 2);
  assertEquals([...training.gradients().keys()], [
    "classifier.weight",
    "classifier.bias",
  ]);
  for (const [name, { data }] of network.state()) {
    const change = relativeError(data, before.get(name)!.data);
    if (name.startsWith("features")) assertEquals(change, 0, name);
    else assertGreater(change, 1e-3);
  }
});

Deno.test("a group is a layer or a tensor, not the start of a name", async () => {
  using device = openTestDevice();
  const layers = Array.from({ length: 11 }, () => conv2d(3, 3, { padding: 1 }));
  const model = sequential([...layers, globalAveragePool(), linear(3, 2)]);
  using network = new Network(device, model);
  using training = await TrainingProgram.compile(network, {
    batchSize: 1,
    image: { height: 4, width: 4, channels: 3 },
    optimiser: sgd(),
    freeze: ["1", "2.bias"],
  });
  const learning = [...training.gradients().keys()];
  assert(!learning.includes("1.weight") && !learning.includes("2.bias"));
  assert(learning.includes("10.weight") && learning.includes("2.weight"));
});

Deno.test("compileTraining() refuses what cannot be trained", async () => {
  using device = openTestDevice();
  using network = smallNetwork(device);
  const before = device.memory();
  for (
    const [options, message] of [
      [{ freeze: ["features", "classifier"] }, "leaves no parameter"],
      [{ freeze: ["feature"] }, 'Cannot freeze or group "feature"'],
      [
        { groups: [{ prefix: "head", factor: 2 }] },
        "the model has features, classifier",
      ],
      [
        { groups: [{ prefix: "features", factor: -1 }] },
        "Cannot train features at -1 times the learning rate",
      ],
      [{ batchSize: 0 }, "batches of 0 images"],
      [{ batchSize: 1.5 }, "batches of 1.5 images"],
      [{ image: { height: 2, width: 2, channels: 3 } }, "too small"],
      [{ image: { height: 12, width: 12, channels: 1 } }, "3 channels"],
      [{ inputSize: { height: 1, width: 1 } }, "too small"],
      [{ mean: [0.5, 0.5] }, "expected one for each channel"],
      [{ labelSmoothing: 2 }, "label smoothing"],
    ] as [Partial<TrainingOptions>, string][]
  ) {
    await assertRejects(
      () => compileSmall(network, options),
      GapcamError,
      message,
    );
  }
  assertEquals(device.memory().liveBytes, before.liveBytes);
  assertEquals(device.memory().allocations, before.allocations);
  using headless = new Network(device, conv2d(3, 4));
  await assertRejects(
    () =>
      InferenceProgram.compile(headless, {
        batchSize: 1,
        image: { height: 8, width: 8, channels: 3 },
      }),
    GapcamError,
    "it must end in one number a class, found [4, 6, 6]",
  );
});

Deno.test("step() and run() refuse batches that do not fit, and a second call meanwhile", async () => {
  using device = openTestDevice();
  using network = smallNetwork(device);
  using training = await compileSmall(network);
  const { images, labels } = smallBatch(0);
  for (
    const [someImages, someLabels, message] of [
      [images.subarray(1), labels, "expected 1 to 6 images of 432 bytes"],
      [new Uint8Array(0), labels, "batch of 0 bytes"],
      [new Uint8Array(7 * IMAGE_BYTES), new Int32Array(7), "expected 1 to 6"],
      [images, labels.subarray(1), "6 images with 5 labels"],
    ] as [Uint8Array, Int32Array, string][]
  ) {
    await assertRejects(
      () => training.step(someImages, someLabels),
      GapcamError,
      message,
    );
  }
  assertEquals(training.stepCount, 0);
  const first = training.step(images, labels);
  const busy = await assertRejects(
    () => training.step(images, labels),
    GapcamError,
    "in flight",
  );
  assertEquals(busy.code, "busy");
  await first;
  assertEquals(training.stepCount, 1);
  using inference = await InferenceProgram.compile(network, {
    batchSize: 2,
    image: SMALL_IMAGE,
  });
  await assertRejects(
    () => inference.run(images),
    GapcamError,
    "1 to 2 images",
  );
  assertThrows(
    () => inference.features(new Float32Array(3)),
    GapcamError,
    "Cannot read",
  );
});

Deno.test("any composition trains: pools that overlap, slopes that are not fused, no classifier bias", async () => {
  using device = openTestDevice();
  const model = sequential([
    maxPool2d(3, { stride: 2, padding: 1 }),
    leakyRelu(0.5),
    conv2d(3, 6, { kernelSize: [1, 3], padding: [0, 1], bias: false }),
    maxPool2d([1, 2], { stride: 1 }),
    relu(),
    globalAveragePool(),
    linear(6, 7),
    leakyRelu(0.3),
    linear(7, 5, { bias: false }),
  ]);
  using network = new Network(device, model, { seed: 2 });
  using training = await compileSmall(network, {
    optimiser: adam({ learningRate: 0.01 }),
  });
  const { images, labels } = smallBatch(0);
  for (let i = 0; i < 200; i++) await training.step(images, labels);
  const { largestLoss, lastLoss, notFinite } = training.metrics();
  assertEquals(notFinite, 0);
  assertLess(lastLoss, largestLoss / 2);
});

Deno.test("gradients are the slopes of the loss: finite differences through a whole network", async () => {
  using device = openTestDevice();
  using network = smallNetwork(device, true);
  // A rate of 0 leaves the parameters alone.
  using training = await compileSmall(network, {
    optimiser: sgd({ learningRate: 0 }),
    labelSmoothing: 0.2,
  });
  const { images, labels } = smallBatch(5);
  async function lossOf(state: StateDict): Promise<number> {
    network.load(state);
    await training.step(images, labels);
    return training.metrics().lastLoss;
  }
  const state = network.state();
  await lossOf(state);
  const gradients = training.gradients();
  let checked = 0;
  for (const [name, { data: gradient }] of gradients) {
    // Along the gradient itself the slope is its norm.
    const size = Math.sqrt(gradient.reduce((sum, g) => sum + g * g, 0));
    if (size < 1e-4) continue; // a bias before batch normalisation has none
    checked++;
    const step = 2e-3;
    const losses: number[] = [];
    for (const sign of [1, -1]) {
      const moved = new Map(state);
      const { shape, data } = state.get(name)!;
      moved.set(name, {
        shape,
        data: data.map((value, i) => value + sign * step * gradient[i]! / size),
      });
      losses.push(await lossOf(moved));
    }
    const slope = (losses[0]! - losses[1]!) / (2 * step);
    assert(
      Math.abs(slope / size - 1) < 0.02,
      `${name}: slope ${slope}, norm of the gradient ${size}`,
    );
  }
  assert(checked >= 6);
});

Deno.test("networks and programs leave nothing behind, in any order of disposal", async () => {
  const bytes = liveBytes();
  using device = openTestDevice();
  const { images, labels } = smallBatch(0);
  for (let i = 0; i < 10; i++) {
    const network = smallNetwork(device, i % 2 === 0);
    const training = await compileSmall(network);
    const inference = await InferenceProgram.compile(network, {
      batchSize: 2,
      image: SMALL_IMAGE,
    });
    // A program keeps the memory of the parameters that it uses.
    if (i % 3 === 0) network[Symbol.dispose]();
    await training.step(images, labels);
    await inference.run(images.subarray(0, IMAGE_BYTES));
    training[Symbol.dispose]();
    inference[Symbol.dispose]();
    network[Symbol.dispose]();
    training[Symbol.dispose]();
    await assertRejects(() => training.step(images, labels), GapcamError);
    assertEquals(device.memory().liveBytes, 0);
    assertEquals(device.memory().allocations, 0);
  }
  assertEquals(liveBytes(), bytes);
});

Deno.test("steps allocate nothing", async () => {
  using device = openTestDevice();
  using network = new Network(device, vgg([8, "M", 8], { classes: 5 }));
  using training = await compileSmall(network);
  await takeSteps(training, 0, 1);
  const { liveBytes, allocations, peakBytes } = device.memory();
  await takeSteps(training, 1, 200);
  const after = device.memory();
  assertEquals(
    [after.liveBytes, after.allocations, after.peakBytes],
    [liveBytes, allocations, peakBytes],
  );
});
