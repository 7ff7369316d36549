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
import type { Program } from "../../src/device/program.ts";
import { openTestDevice, simulated } from "./_test_device.ts";
import { GapcamError } from "../../src/error.ts";
import { Random } from "../../src/random.ts";

function uniform(length: number, seed: number): Float32Array {
  return new Random(seed).fillUniform(new Float32Array(length), -1, 1);
}

/** For tests that measure a run in flight: a stand-in does one thing at a time. */
const timedTest = simulated ? Deno.test.ignore : Deno.test;

/** A chain of convolutions that takes a while on one thread. */
function slowProgram(device: Device): Program {
  const program = device.program();
  const [batch, size] = simulated ? [1, 16] as const : [4, 96] as const;
  let current = device.tensor([batch, 32, size, size], {
    data: uniform(batch * 32 * size * size, 1),
  });
  for (let i = 0; i < 8; i++) {
    const weight = device.tensor([32, 32, 3, 3], {
      data: uniform(32 * 32 * 9, 2).map((value) => value / 50),
    });
    current = program.conv2d(current, weight, {
      padding: 1,
      negativeSlope: 0.2,
    });
  }
  program.output(current);
  return program;
}

Deno.test("a program computes what its operations say", async () => {
  using device = openTestDevice();
  using images = device.tensor([1, 2, 2, 1], {
    data: Uint8Array.of(0, 51, 102, 255),
  });
  using weight = device.tensor([1, 1, 1, 1], { data: Float32Array.of(2) });
  using bias = device.tensor([1], { data: Float32Array.of(-1) });
  using head = device.tensor([2, 1], { data: Float32Array.of(1, -1) });
  using program = device.program();
  const prepared = program.output(program.prepareImages(images, {
    height: 2,
    width: 2,
    mean: [0],
    deviation: [1],
  }));
  const maps = program.output(
    program.conv2d(prepared, weight, { bias, negativeSlope: 0.5 }),
  );
  const pooled = program.output(program.maxPool2d(maps, 2));
  const mean = program.output(program.globalAveragePool(maps));
  const logits = program.output(program.linear(mean, head));
  assertEquals(pooled.shape, [1, 1, 1, 1]);
  assertEquals(logits.shape, [1, 2]);
  await program.compile();
  await program.run("forward");
  // 2 x - 1 of 0, 0.2, 0.4, 1, the negative ones halved.
  const expected = [-0.5, -0.3, -0.1, 1];
  maps.read().forEach((value, i) =>
    assertAlmostEquals(value, expected[i]!, 1e-6)
  );
  assertAlmostEquals(prepared.read()[2]!, 0.4, 1e-6);
  assertAlmostEquals(pooled.read()[0]!, 1, 1e-6);
  assertAlmostEquals(logits.read()[0]!, 0.025, 1e-7);
  assertAlmostEquals(logits.read()[1]!, -0.025, 1e-7);
});

Deno.test("runSync() does the same as run()", async () => {
  using device = openTestDevice();
  using input = device.tensor([2], { data: Float32Array.of(-2, 2) });
  using program = device.program();
  const output = program.output(program.leakyRelu(input, 0.25));
  await program.compile();
  program.runSync("forward");
  assertEquals([...output.read()], [-0.5, 2]);
  input.write(Float32Array.of(-4, 4));
  await program.run("forward");
  assertEquals([...output.read()], [-1, 4]);
});

timedTest(
  "a run leaves the event loop free and refuses a second one meanwhile",
  async () => {
    using device = openTestDevice();
    using program = slowProgram(device);
    await program.compile();
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    // A machine that is busy otherwise may end a run between two ticks.
    for (let i = 0; i < 20 && ticks === 0; i++) await program.run("forward");
    assertGreater(ticks, 0);
    const run = program.run("forward");
    const busy = await assertRejects(
      () => program.run("forward"),
      GapcamError,
      "an earlier call is still in flight; await it first",
    );
    assertEquals(busy.code, "busy");
    assertThrows(() => program.runSync("forward"), GapcamError, "in flight");
    await run;
    clearInterval(timer);
    await program.run("forward");
  },
);

timedTest(
  "a staged tensor can be written while a run is in flight",
  async () => {
    using device = openTestDevice();
    using slow = slowProgram(device);
    await slow.compile();
    const start = performance.now();
    slow.runSync("forward");
    const duration = performance.now() - start;
    using staged = device.tensor([1], { staged: true });
    // The fastest of many: others may be at work on the machine.
    let fastest = Infinity;
    for (let i = 0; i < 50 && fastest >= duration / 2; i++) {
      const run = slow.run("forward");
      // Gives the run time to start on its own thread.
      await new Promise((resolve) => setTimeout(resolve, 2));
      const before = performance.now();
      staged.write(Float32Array.of(i));
      fastest = Math.min(fastest, performance.now() - before);
      await run;
      assertEquals([...staged.read()], [i]);
    }
    assertLess(fastest, duration / 2);
  },
);

Deno.test("staged feature maps lie as others do", async () => {
  using device = openTestDevice();
  const shape = [2, 3, 4, 5];
  const data = Float32Array.from({ length: 120 }, (_, i) => i - 60);
  for (const staged of [false, true]) {
    using map = device.tensor(shape, { staged });
    using program = device.program();
    const output = program.output(program.leakyRelu(map, 0.5));
    await program.compile();
    map.write(data);
    assertEquals(map.read(), data);
    await program.run("forward");
    assertEquals(map.read(), data);
    assertEquals(output.read(), data.map((x) => x > 0 ? x : x / 2));
  }
});

Deno.test("disposing of a program, its tensors or the device during a run is safe", async () => {
  const whats = ["program", "device", "compilation"];
  // At once, before the run has a thread of its own, and while it computes.
  const cases = [0, 2].flatMap((wait) => whats.map((what) => ({ wait, what })));
  for (const { wait, what } of cases) {
    const device = openTestDevice();
    const program = slowProgram(device);
    if (what !== "compilation") await program.compile();
    const run = what === "compilation"
      ? program.compile()
      : program.run("forward");
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    if (what !== "device") program[Symbol.dispose]();
    else device[Symbol.dispose]();
    await run;
    await assertRejects(() => program.run("forward"), GapcamError);
    program[Symbol.dispose]();
    device[Symbol.dispose]();
  }
});

Deno.test("a program is used in the right order or says what is wrong", async () => {
  using device = openTestDevice();
  using input = device.tensor([1, 2], { data: Float32Array.of(1, 2) });
  using program = device.program();
  await assertRejects(
    () => program.compile(),
    GapcamError,
    "without operations",
  );
  const hidden = program.leakyRelu(input, 0.5);
  const shown = program.output(program.leakyRelu(hidden, 0.5));
  await assertRejects(
    () => program.run("forward"),
    GapcamError,
    "not compiled",
  );
  assertThrows(() => program.runSync("forward"), GapcamError, "not compiled");
  assertThrows(() => shown.read(), GapcamError, "not compiled");
  assertThrows(() => program.describe(), GapcamError, "not compiled");
  await program.compile();
  await assertRejects(() => program.compile(), GapcamError, "twice");
  assertThrows(
    () => program.leakyRelu(input, 0.5),
    GapcamError,
    "already compiled",
  );
  await assertRejects(() => program.run(), GapcamError, "Cannot run phases 0");
  await assertRejects(
    () => program.run("backward"),
    GapcamError,
    "no backward pass",
  );
  await assertRejects(() => program.run("update"), GapcamError, "has none");
  await program.run("forward");
  assertThrows(() => hidden.read(), GapcamError, "not marked");
  assertThrows(
    () => shown.write(new Float32Array(2)),
    GapcamError,
    "a tensor that a program makes",
  );
  assertEquals([...shown.read()], [1, 2]);
  assert(program.describe().steps.length > 0);
});

Deno.test("a program's tensors say that it was disposed of", async () => {
  using device = openTestDevice();
  using input = device.tensor([1]);
  const program = device.program();
  const output = program.output(program.leakyRelu(input, 0.5));
  await program.compile();
  program[Symbol.dispose]();
  program[Symbol.dispose]();
  const error = assertThrows(
    () => output.read(),
    GapcamError,
    "Cannot use a tensor of shape [1]: its program was disposed of",
  );
  assertEquals(error.code, "invalid-handle");
  await assertRejects(
    () => program.run("forward"),
    GapcamError,
    "Cannot use a program: it was disposed of",
  );
});

Deno.test("operations refuse operands that do not fit, and change nothing", async () => {
  using device = openTestDevice();
  using other = openTestDevice();
  using program = device.program();
  using second = device.program();
  const map = device.tensor([1, 3, 4, 4]);
  const weight = device.tensor([2, 3, 3, 3]);
  const vector = device.tensor([1, 3]);
  const images = device.tensor([1, 4, 4, 3], { type: "u8" });
  const foreign = second.leakyRelu(map, 0.1);
  const cases: [() => unknown, string][] = [
    [
      () => program.conv2d(map, device.tensor([2, 5, 3, 3])),
      "Cannot add conv2d",
    ],
    [() => program.conv2d(vector, weight), "must have 4 dimensions"],
    [
      () => program.conv2d(map, weight, { bias: vector }),
      "its bias must have the shape [2]",
    ],
    [() => program.conv2d(map, weight, { stride: 0 }), "positive"],
    [() => program.conv2d(map, weight, { stride: 1.5 }), "stride 1.5"],
    [() => program.conv2d(map, weight, { padding: -1 }), "padding -1"],
    [() => program.conv2d(map, weight, { stride: 2 ** 32 }), "4294967296"],
    [() => program.conv2d(map, weight, { negativeSlope: 2 }), "slope"],
    [() => program.conv2d(map, weight, { negativeSlope: NaN }), "slope"],
    [() => program.maxPool2d(map, 5), "does not fit"],
    [() => program.maxPool2d(map, 2, { padding: 2 }), "padding"],
    [() => program.linear(vector, weight), "2 dimensions"],
    [() => program.globalAveragePool(vector), "4 dimensions"],
    [
      () => program.spatialSum(map, weight),
      "Cannot add spatial_sum: its weights must have the shape [4, 4]",
    ],
    [() => program.leakyRelu(images, 0.1), "must be f32, found u8"],
    [() => program.leakyRelu(foreign, 0.1), "belongs to another program"],
    [
      () => program.leakyRelu(other.tensor([1]), 0.1),
      "is on another device",
    ],
    [
      () =>
        program.prepareImages(images, {
          height: 4,
          width: 4,
          mean: [0],
          deviation: [1],
        }),
      "expected one for each channel",
    ],
    [
      () =>
        program.prepareImages(images, {
          height: 0.5,
          width: 4,
          mean: [0, 0, 0],
          deviation: [1, 1, 1],
        }),
      "height 0.5",
    ],
    [
      () =>
        program.crossEntropy(vector, device.tensor([1], { type: "i32" }), {
          labelSmoothing: 2,
        }),
      "label smoothing",
    ],
    [() => program.backward(map, [weight]), "Cannot add backward"],
  ];
  for (const [use, message] of cases) {
    const error = assertThrows(use, GapcamError, message, message);
    assertEquals(error.message.includes("\n"), false);
  }
  program.output(program.leakyRelu(map, 0.1));
  await program.compile();
  await program.run("forward");
});

Deno.test("backward() refuses what it cannot differentiate", () => {
  using device = openTestDevice();
  using program = device.program();
  const weight = device.tensor([2, 3]);
  const unused = device.tensor([2, 3]);
  const logits = program.linear(device.tensor([4, 3]), weight);
  const loss = program.crossEntropy(
    logits,
    device.tensor([4], { type: "i32" }),
  );
  for (
    const [use, message] of [
      [() => program.backward(loss, []), "at least one target"],
      [() => program.backward(loss, [unused]), "does not influence"],
      [() => program.backward(loss, [weight, weight]), "given twice"],
      [() => program.backward(logits, [weight]), "needs an output gradient"],
    ] as [() => unknown, string][]
  ) {
    assertThrows(use, GapcamError, message);
  }
  const gradients = program.backward(loss, [weight]);
  assertEquals(gradients[0]!.shape, [2, 3]);
  assertThrows(
    () => program.backward(loss, [weight]),
    GapcamError,
    "already",
  );
  const moment = device.tensor([2, 3]);
  const settings = device.tensor([8]);
  assertThrows(
    () =>
      program.sgd({
        parameters: [weight],
        gradients,
        momentumBuffers: [],
        settings,
      }),
    GapcamError,
    "expected one for each",
  );
  assertThrows(
    () =>
      program.adam({
        parameters: [weight],
        gradients: [loss],
        firstMoments: [moment],
        secondMoments: [moment],
        settings,
      }),
    GapcamError,
    "gradient must have the shape [2, 3], found [1]",
  );
});

Deno.test("a label out of range is counted as a loss that is not finite", async () => {
  using device = openTestDevice();
  using program = device.program();
  const labels = device.tensor([2], { data: Int32Array.of(0, 5) });
  const metrics = device.tensor([8]);
  program.crossEntropy(device.tensor([2, 3]), labels, { metrics });
  await program.compile();
  await program.run("forward");
  assertEquals(metrics.read()[5], 1);
  labels.write(Int32Array.of(0, -1));
  metrics.write(new Float32Array(8));
  await program.run("forward");
  assertEquals(metrics.read()[5], 0);
  assertEquals(metrics.read()[3], 1);
  assertAlmostEquals(metrics.read()[6]!, Math.log(3), 1e-6);
});

Deno.test("compiling and disposing of programs leaves nothing", async () => {
  using device = openTestDevice();
  using input = device.tensor([2, 3, 8, 8], { data: uniform(384, 3) });
  using weight = device.tensor([4, 3, 3, 3], { data: uniform(108, 4) });
  const before = device.memory();
  for (let i = 0; i < 50; i++) {
    using program = device.program();
    program.output(program.conv2d(input, weight, { padding: 1 }));
    await program.compile();
    await program.run("forward");
  }
  // What a program makes of its inputs' layout must go with it.
  assertEquals(device.memory().liveBytes, before.liveBytes);
  assertEquals(device.memory().allocations, before.allocations);
});

Deno.test("running a program a thousand times allocates nothing", async () => {
  using device = openTestDevice();
  using input = device.tensor([2, 3, 8, 8], { data: uniform(384, 3) });
  using weight = device.tensor([4, 3, 3, 3], { data: uniform(108, 4) });
  using program = device.program({ profile: true });
  program.output(program.conv2d(input, weight, { padding: 1 }));
  await program.compile();
  const before = device.memory();
  for (let i = 0; i < 1000; i++) program.runSync("forward");
  assertEquals(device.memory(), {
    ...before,
    freeBytes: device.memory().freeBytes,
  });
  const { bytes, steps } = program.describe();
  assertGreater(bytes, 0);
  const step = steps.find(({ operation }) => operation === "conv2d")!;
  assertEquals(step.runs, 1000);
  assertGreater(step.milliseconds, 0);
  assertEquals(step.flops, 2 * 2 * 4 * 8 * 8 * 3 * 9);
});

Deno.test("a program refuses an output whose elements no number counts", () => {
  using device = openTestDevice();
  using input = device.tensor([2 ** 19, 1, 1, 1]);
  using weight = device.tensor([2 ** 19, 1, 2, 2]);
  using program = device.program();
  // 2^64 elements, which 64 bits count as 0.
  assertThrows(
    () => program.conv2d(input, weight, { padding: 4096 }),
    GapcamError,
    "Cannot add conv2d: its output [524288, 524288, 8192, 8192] has more than 2^40 elements",
  );
});
