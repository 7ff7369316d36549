/** What only the CPU backend does. */

import {
  assert,
  assertEquals,
  assertGreater,
  assertLessOrEqual,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { openDevice } from "../../src/device/device.ts";
import { libraryFolder } from "../../src/device/_library.ts";
import { GapcamError } from "../../src/error.ts";

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
    JSON.stringify(new URL("../../src/device/device.ts", import.meta.url).href)
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
      assertEquals(Object.keys(JSON.parse(text)).length, 4);
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
    { GAPCAM_CONVOLUTION: "direct", GAPCAM_INSTRUCTION_SET: "generic" },
  ];
  for (const env of environments) {
    const { norm } = await trainOnce(env);
    assertLessOrEqual(Math.abs(norm - direct.norm), 1e-4 * direct.norm);
  }
});

Deno.test("threads that wait for each other sleep soon, unless told otherwise", async () => {
  const module = new URL("../../src/device/device.ts", import.meta.url).href;
  const script = `
    const { openDevice } = await import(${JSON.stringify(module)});
    openDevice("cpu")[Symbol.dispose]();
    console.log(Deno.env.get("GOMP_SPINCOUNT") ?? "unset");`;
  // What OpenMP took from its environment when it was loaded, and what is left.
  async function spins(env: Record<string, string>): Promise<string[]> {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--quiet", script],
      env: {
        GAPCAM_LIBRARY_FOLDER: libraryFolder(),
        OMP_DISPLAY_ENV: "VERBOSE",
        ...env,
      },
    }).output();
    const text = new TextDecoder();
    assertEquals(code, 0, text.decode(stderr));
    const [, count] = /GOMP_SPINCOUNT = '(\w+)'/.exec(text.decode(stderr)) ??
      [];
    return [count ?? "", text.decode(stdout).trim()];
  }
  assertEquals(await spins({}), ["1000", "unset"]);
  assertEquals(await spins({ GOMP_SPINCOUNT: "77" }), ["77", "77"]);
  const [active] = await spins({ OMP_WAIT_POLICY: "ACTIVE" });
  assertGreater(Number(active), 1000);
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
    bf16 = device.describe().bf16 as boolean;
  }
  if (!bf16) {
    const error = assertThrows(
      () => openDevice("cpu", { precision: "bf16" }),
      GapcamError,
      "bf16 needs AVX-512 BF16",
    );
    assertEquals(error.code, "unsupported");
  }
  await t.step({
    name: `bf16 convolutions are near f32 ones${
      bf16 ? "" : " (skipped: this CPU has no bf16)"
    }`,
    ignore: !bf16,
    fn: async () => {
      const results: Float32Array[][] = [];
      for (const precision of ["f32", "bf16"] as const) {
        using device = openDevice("cpu", { precision, threads: 2 });
        using input = device.tensor([2, 16, 9, 9], { data: waves(2592) });
        using weight = device.tensor([24, 16, 3, 3], { data: waves(3456) });
        using program = device.program({ training: true });
        const output = program.output(
          program.conv2d(input, weight, { padding: 1, negativeSlope: 0.2 }),
        );
        using outputGradient = device.tensor(output.shape, {
          data: waves(output.length),
        });
        const gradients = program.backward(output, [input, weight], {
          outputGradient,
        });
        await program.compile();
        await program.run("forward", "backward");
        results.push([output, ...gradients].map((tensor) => tensor.read()));
      }
      results[0]!.forEach((exact, i) => {
        const error = relativeError(results[1]![i]!, exact);
        assertGreater(error, 0);
        assertLessOrEqual(error, 0.02);
      });
    },
  });
});

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

function relativeError(actual: Float32Array, exact: Float32Array): number {
  let difference = 0;
  let norm = 0;
  actual.forEach((value, i) => {
    difference += (value - exact[i]!) ** 2;
    norm += exact[i]! ** 2;
  });
  return Math.sqrt(difference / norm);
}
