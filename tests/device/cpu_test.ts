/** What only the CPU backend does. */

import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertLessOrEqual,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { openDevice } from "../../src/device/open_device.ts";
import { libraryFolder } from "../../src/device/_library.ts";
import { GapcamError } from "../../src/error.ts";
import { Network } from "../../src/nn/network.ts";
import { TrainingProgram } from "../../src/nn/training_program.ts";
import { adam } from "../../src/nn/optimiser.ts";
import { relativeError } from "../nn/_hashed.ts";
import {
  SMALL_BATCH_SIZE,
  SMALL_IMAGE,
  smallBatch,
  smallModel,
  smallState,
} from "../nn/_small_network.ts";
import { array64 } from "../operations/_case.ts";
import { conv2d } from "../operations/conv2d.ts";
import { leakyRelu } from "../operations/leaky_relu.ts";

/** What {@linkcode trainOnce} prints. */
interface Outcome {
  algorithms: string[];
  /** Of the gradient's bytes. */
  checksum: number;
  /** Of the gradient. */
  norm: number;
}

/** Trains one convolution for a step in a process with the given environment. */
async function trainOnce(env: Record<string, string>): Promise<Outcome> {
  const script = `
    const { openDevice } = await import(${
    JSON.stringify(
      new URL("../../src/device/open_device.ts", import.meta.url).href,
    )
  });
    const fill = (n) => Float32Array.from({ length: n }, (_, i) => Math.sin(i));
    const device = openDevice("cpu", { threads: 2 });
    const input = device.tensor([4, 32, 28, 28], { data: fill(4 * 32 * 784) });
    const weight = device.tensor([32, 32, 3, 3], { data: fill(9216) });
    const program = device.program({ training: true });
    const output = program.output(
      program.conv2d(input, weight, { padding: 1, negativeSlope: 0.2 }),
    );
    const outputGradient = device.tensor(output.shape, { data: fill(output.length) });
    const [gradient] = program.backward(output, [weight, input], { outputGradient });
    await program.compile();
    await program.run("forward", "backward");
    const values = gradient.read();
    const norm = Math.hypot(...values);
    const bytes = new Uint32Array(values.buffer);
    const checksum = bytes.reduce((a, b) => (Math.imul(a, 31) + b) >>> 0, 0);
    const algorithms = program.describe().steps
      .filter(({ flops }) => flops > 0).map(({ algorithm }) => algorithm);
    console.log(JSON.stringify({ algorithms, checksum, norm }));`;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--quiet", script],
    env: { GAPCAM_LIBRARY_FOLDER: libraryFolder(), ...env },
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

Deno.test("the algorithms timed for a convolution are chosen again by the next process", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const env = { GAPCAM_CACHE: `${folder}/made/anew` };
    const first = await trainOnce(env);
    assertEquals(first.algorithms.length, 3);
    const file = `${env.GAPCAM_CACHE}/convolutions.json`;
    const { algorithms } = await trainOnce({
      ...env,
      GAPCAM_CONVOLUTION: "winograd",
    });
    if (algorithms.some((name) => name.includes("winograd"))) {
      // There was a choice, so it is remembered.
      const text = await Deno.readTextFile(file);
      assertEquals(Object.keys(JSON.parse(text)).length, 5);
      assertEquals(await trainOnce(env), first);
      assertEquals(await Deno.readTextFile(file), text);
    }
    await Deno.mkdir(env.GAPCAM_CACHE, { recursive: true });
    for (const damage of ["", "{", "\u0000".repeat(100), '{"gapcam": 1}\n,"']) {
      await Deno.writeTextFile(file, damage);
      assertEquals((await trainOnce(env)).algorithms.length, 3);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a cache folder that cannot be made is done without", async () => {
  const { algorithms } = await trainOnce({ GAPCAM_CACHE: "/proc/none" });
  assertEquals(algorithms.length, 3);
});

Deno.test("GAPCAM_CONVOLUTION and GAPCAM_INSTRUCTION_SET decide, and change nothing else", async () => {
  const direct = await trainOnce({ GAPCAM_CONVOLUTION: "direct" });
  for (const name of direct.algorithms) assertStringIncludes(name, "onednn");
  assertGreater(direct.norm, 0);
  const environments: Record<string, string>[] = [
    { GAPCAM_CONVOLUTION: "winograd" },
    { GAPCAM_CONVOLUTION: "blocked" },
    { GAPCAM_CONVOLUTION: "direct", GAPCAM_INSTRUCTION_SET: "generic" },
  ];
  for (const env of environments) {
    const { norm } = await trainOnce(env);
    assertLessOrEqual(Math.abs(norm - direct.norm), 1e-4 * direct.norm);
  }
});

Deno.test("threads that wait for each other sleep soon, unless told otherwise", async () => {
  const module =
    new URL("../../src/device/open_device.ts", import.meta.url).href;
  // OpenMP reads its environment when it is loaded, with the library.
  const script = `
    const { openDevice } = await import(${JSON.stringify(module)});
    const spins = () => Deno.env.get("GOMP_SPINCOUNT") ?? "unset";
    const seen = new Set();
    const load = Deno.dlopen;
    Deno.dlopen = (...library) => {
      seen.add(spins());
      return load(...library);
    };
    openDevice("cpu")[Symbol.dispose]();
    console.log([...seen].join(), spins());`;
  // What OpenMP finds when it is loaded, and what is left.
  async function spins(env: Record<string, string>): Promise<string[]> {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--quiet", script],
      env: {
        GAPCAM_LIBRARY_FOLDER: libraryFolder(),
        ...env,
      },
    }).output();
    const text = new TextDecoder();
    assertEquals(code, 0, text.decode(stderr));
    return text.decode(stdout).trim().split(" ");
  }
  assertEquals(await spins({}), ["10000", "unset"]);
  assertEquals(await spins({ GOMP_SPINCOUNT: "77" }), ["77", "77"]);
  assertEquals(await spins({ OMP_WAIT_POLICY: "ACTIVE" }), ["unset", "unset"]);
});

Deno.test("the CPU device refuses what a CPU does not have", () => {
  const tf32 = assertThrows(
    () => openDevice("cpu", { precision: "tf32" }),
    GapcamError,
    "Cannot open the CPU with precision tf32",
  );
  assertEquals(tf32.code, "unsupported");
  const second = assertThrows(
    () => openDevice("cpu", { index: 1 }),
    GapcamError,
    "Cannot open CPU device 1: there is one, number 0",
  );
  assertEquals(second.code, "device-unavailable");
});

Deno.test("the CPU has bf16 exactly where it says so", async (t) => {
  let bf16: boolean;
  {
    using device = openDevice("cpu");
    bf16 = device.describe().bf16;
  }
  if (!bf16) {
    const error = assertThrows(
      () => openDevice("cpu", { precision: "bf16" }),
      GapcamError,
      "bf16 needs AVX-512 BF16",
    );
    assertEquals(error.code, "unsupported");
  }
  const skipped = bf16 ? "" : " (skipped: this CPU has no bf16)";
  await t.step({
    name: `bf16 convolutions equal plain loops over rounded operands${skipped}`,
    ignore: !bf16,
    fn: async () => {
      for (
        const [inputs, outputs, kernel, stride, padding] of [
          [16, 24, 3, 1, 1],
          [3, 17, 3, 1, 1],
          [8, 64, 1, 1, 0],
          [32, 16, 5, 2, 2],
        ] as const
      ) await checkRounded({ inputs, outputs, kernel, stride, padding });
    },
  });
  await t.step({
    name: `training in bf16 keeps its weights in f32${skipped}`,
    ignore: !bf16,
    fn: async () => {
      using device = openDevice("cpu", { precision: "bf16", threads: 2 });
      const model = smallModel({ batchNorm: true });
      using network = new Network(device, model, { state: smallState(model) });
      using training = await TrainingProgram.compile(network, {
        batchSize: SMALL_BATCH_SIZE,
        image: SMALL_IMAGE,
        optimiser: adam({ learningRate: 1e-2 }),
      });
      const { images, labels } = smallBatch(0);
      const losses: number[] = [];
      for (let step = 0; step < 20; step++) {
        await training.step(images, labels);
        losses.push(training.metrics().lastLoss);
      }
      assertLess(losses.at(-1)!, losses[0]! / 2, `${losses}`);
      for (const [name, { data }] of network.state()) {
        const rounded = bf16Of(data as Float32Array);
        const finer = data.filter((value, i) => value !== rounded[i]);
        assertGreater(finer.length, data.length * 0.9, name);
      }
    },
  });
});

/** Compares a convolution in bf16, forward and backward, with plain loops. */
async function checkRounded(
  { inputs, outputs, kernel, stride, padding }: {
    inputs: number;
    outputs: number;
    kernel: number;
    stride: number;
    padding: number;
  },
): Promise<void> {
  const what = `${inputs} to ${outputs}, kernel ${kernel}`;
  const slope = 0.2;
  const shapes = {
    input: [2, inputs, 9, 9],
    weight: [outputs, inputs, kernel, kernel],
    bias: [outputs],
  };
  const values = {
    input: waves(2 * inputs * 81),
    weight: waves(outputs * inputs * kernel ** 2),
    bias: waves(outputs),
  };
  using device = openDevice("cpu", { precision: "bf16", threads: 2 });
  using input = device.tensor(shapes.input, { data: values.input });
  using weight = device.tensor(shapes.weight, { data: values.weight });
  using bias = device.tensor(shapes.bias, { data: values.bias });
  using program = device.program({ training: true });
  const output = program.output(
    program.conv2d(input, weight, {
      bias,
      stride,
      padding,
      negativeSlope: slope,
    }),
  );
  const arriving = waves(output.length);
  using outputGradient = device.tensor(output.shape, { data: arriving });
  const gradients = program.backward(output, [input, weight, bias], {
    outputGradient,
  });
  await program.compile();
  await program.run("forward", "backward");
  for (const { algorithm, flops } of program.describe().steps) {
    if (flops > 0) assertStringIncludes(algorithm, "bf16");
  }

  const made = conv2d(
    array64(shapes.input, bf16Of(values.input)),
    array64(shapes.weight, bf16Of(values.weight)),
    array64(shapes.bias, values.bias),
    { stride, padding },
  );
  const active = leakyRelu(made.output, slope);
  // The gradient is rounded after the leaky ReLU, where it enters the product.
  const rounded = bf16Of(active.backward(Float64Array.from(arriving)).input);
  const expected = made.backward(Float64Array.from(rounded));
  const pairs = {
    output: [output, active.output.data],
    "gradient of input": [gradients[0]!, expected.input],
    "gradient of weight": [gradients[1]!, expected.weight],
    "gradient of bias": [gradients[2]!, expected.bias],
  } as const;
  for (const [name, [actual, exact]] of Object.entries(pairs)) {
    const error = relativeError(actual.read(), exact);
    assertLessOrEqual(error, 1e-4, `${what}: ${name}`);
  }
}

Deno.test("the seed network at 224x224, batch 64, trains within 9 GB", async () => {
  using device = openDevice("cpu", { threads: 1 });
  using images = device.tensor([64, 224, 224, 3], { type: "u8", staged: true });
  using labels = device.tensor([64], { type: "i32", staged: true });
  using settings = device.tensor([8]);
  using program = device.program({ training: true });
  const zeros = (shape: number[]) => device.tensor(shape);
  let current = program.prepareImages(images, {
    height: 224,
    width: 224,
    mean: [0.5, 0.5, 0.5],
    deviation: [0.5, 0.5, 0.5],
  });
  const shapes: number[][] = [];
  const parameters = [];
  let channels = 3;
  const groups = [[64, 64], [128, 128], [256, 256, 256], [512, 512, 512]];
  for (const group of [...groups, [512, 512, 512]]) {
    // Pools lie between groups.
    if (shapes.length > 0) current = program.maxPool2d(current, 2);
    for (const outputs of group) {
      shapes.push([outputs, channels, 3, 3], [outputs]);
      const [weight, bias] = shapes.slice(-2).map(zeros);
      parameters.push(weight!, bias!);
      current = program.conv2d(current, weight!, {
        bias: bias!,
        padding: 1,
        negativeSlope: 0.2,
      });
      channels = outputs;
    }
  }
  shapes.push([10, 512], [10]);
  const [head, headBias] = shapes.slice(-2).map(zeros);
  parameters.push(head!, headBias!);
  const logits = program.linear(program.globalAveragePool(current), head!, {
    bias: headBias!,
  });
  const loss = program.crossEntropy(logits, labels);
  program.adam({
    parameters,
    gradients: program.backward(loss, parameters),
    firstMoments: shapes.map(zeros),
    secondMoments: shapes.map(zeros),
    settings,
  });
  await program.compile();
  // Pages that no run has touched count here, so this is the most there can be.
  const { liveBytes } = device.memory();
  assertGreater(liveBytes, 3e9);
  assertLessOrEqual(liveBytes, 8.5e9);
});

Deno.test("a program that does not fit memory says so and leaves nothing", async () => {
  using device = openDevice("cpu", { threads: 1 });
  const before = device.memory().liveBytes;
  {
    using input = device.tensor([1, 1, 64, 64]);
    using weight = device.tensor([1 << 14, 1, 1, 1]);
    using program = device.program();
    let current = program.conv2d(input, weight, { padding: 2000 });
    current = program.output(program.leakyRelu(current, 0.1));
    let failure: unknown;
    try {
      await program.compile();
    } catch (error) {
      failure = error;
    }
    assert(failure instanceof GapcamError);
    assertEquals(failure.code, "out-of-memory");
    assertStringIncludes(failure.message, "Cannot allocate");
  }
  assertEquals(device.memory().liveBytes, before);
});

function waves(length: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => Math.sin(i * i));
}

/** Rounded to bf16, ties to even. */
function bf16Of(values: ArrayLike<number>): Float32Array {
  const rounded = Float32Array.from(values);
  const bits = new Uint32Array(rounded.buffer);
  bits.forEach((x, i) => bits[i] = x + 0x7fff + (x >>> 16 & 1) & 0xffff0000);
  return rounded;
}
