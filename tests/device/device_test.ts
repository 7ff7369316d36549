import {
  assert,
  assertEquals,
  assertGreater,
  assertMatch,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import type { Device } from "../../src/device/device.ts";
import type { DeviceKind, Precision } from "../../src/device/device_options.ts";
import { describeBackend, openDevice } from "../../src/device/open_device.ts";
import { libraryFolder } from "../../src/device/_library.ts";
import { ABI_VERSION } from "../../src/device/_symbols.ts";
import { GapcamError } from "../../src/error.ts";
import { liveBytes } from "./_test_device.ts";

const MOD = new URL("../../mod.ts", import.meta.url).href;

/** Runs a script in a Deno of its own; returns its exit code and output. */
async function runScript(
  script: string,
  permissions: readonly string[],
): Promise<{ code: number; output: string }> {
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(file, script);
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", ...permissions, file],
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).output();
  await Deno.remove(file);
  const decoder = new TextDecoder();
  return { code, output: decoder.decode(stdout) + decoder.decode(stderr) };
}

Deno.test("openDevice() opens the CPU and describes it", () => {
  using device = openDevice("cpu", { threads: 1 });
  assertEquals(device.backend, "cpu");
  assertEquals(device.precision, "f32");
  assertEquals(device.reason, "asked for");
  assertEquals(device.describe().backend, "cpu");
  assertMatch(String(device.describe().version), /oneDNN/);
  assertEquals(describeBackend("cpu").backend, "cpu");
});

Deno.test("openDevice('auto') says what it took and why", () => {
  using device = openDevice("auto");
  if (device.backend === "cuda") assertEquals(device.reason, "CUDA works");
  else assertMatch(device.reason, /^no CUDA: Cannot open/);
});

Deno.test("openDevice('auto') names CUDA's fault too when nothing can be had", () => {
  const error = assertThrows(
    () => openDevice("auto", { libraryFolder: "/nowhere" }),
    GapcamError,
    "Cannot open the CPU device: /nowhere/libgapcam_cpu.so does not exist",
  );
  assertEquals(error.code, "device-unavailable");
  assertStringIncludes(
    error.message,
    "CUDA was tried first: Cannot open the CUDA device",
  );
});

Deno.test("openDevice() says which library is missing and how to build it", () => {
  for (const kind of ["cpu", "cuda"] as const) {
    const error = assertThrows(
      () => openDevice(kind, { libraryFolder: "/nowhere" }),
      GapcamError,
    );
    assertEquals(error.code, "device-unavailable");
    assertEquals(
      error.message,
      `Cannot open the ${kind.toUpperCase()} device: ` +
        `/nowhere/libgapcam_${kind}.so does not exist; ` +
        "build it with: sh scripts/setup.sh",
    );
  }
});

Deno.test("openDevice() refuses a library that cannot be loaded", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/libgapcam_cpu.so`, "no library");
    assertThrows(
      () => openDevice("cpu", { libraryFolder: folder }),
      GapcamError,
      "cannot be loaded",
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("openDevice() refuses a library of another ABI version", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const source = `${folder}/other.c`;
    await Deno.writeTextFile(
      source,
      "unsigned gapcam_abi_version(void) { return 4711; }\n",
    );
    const compiled = await new Deno.Command("cc", {
      args: ["-shared", "-fPIC", "-o", `${folder}/libgapcam_cpu.so`, source],
    }).output();
    assert(compiled.success);
    assertThrows(
      () => openDevice("cpu", { libraryFolder: folder }),
      GapcamError,
      `has ABI version 4711, expected ${ABI_VERSION}; rebuild it with: sh scripts/setup.sh`,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("openDevice() rejects thread counts, indices, kinds and precisions", () => {
  for (const threads of [0, -1, 1.5, NaN, 4097]) {
    const error = assertThrows(
      () => openDevice("cpu", { threads }),
      GapcamError,
      `Cannot open a device with ${threads} threads`,
    );
    assertEquals(error.code, "invalid-argument");
  }
  for (const index of [-1, 0.5, 2 ** 32]) {
    assertThrows(
      () => openDevice("cpu", { index }),
      GapcamError,
      `Cannot open device number ${index}`,
    );
  }
  assertThrows(() => openDevice("cpu", { index: 1 }), GapcamError);
  assertThrows(
    () => openDevice("gpu" as DeviceKind),
    GapcamError,
    'found device "gpu", expected one of auto, cpu, cuda',
  );
  assertThrows(
    () => openDevice("cpu", { precision: "f16" as Precision }),
    GapcamError,
    'found precision "f16", expected one of f32, tf32, bf16',
  );
});

Deno.test("a device counts what its tensors and programs hold", () => {
  using device = openDevice("cpu", { threads: 1 });
  const before = device.memory();
  const tensor = device.tensor([1000]);
  const during = device.memory();
  assertGreater(during.liveBytes - before.liveBytes, 3999);
  assertEquals(during.allocations, before.allocations + 1);
  tensor[Symbol.dispose]();
  const after = device.memory();
  assertEquals(after.liveBytes, before.liveBytes);
  assertEquals(after.peakBytes, during.peakBytes);
});

Deno.test("closing a device twice is harmless; using it afterwards is an error", () => {
  const device = openDevice("cpu", { threads: 1 });
  device[Symbol.dispose]();
  device[Symbol.dispose]();
  for (
    const use of [
      (d: Device) => d.tensor([1]),
      (d: Device) => d.program(),
      (d: Device) => d.describe(),
      (d: Device) => d.memory(),
    ]
  ) {
    const error = assertThrows(
      () => use(device),
      GapcamError,
      "Cannot use the cpu device: it was closed",
    );
    assertEquals(error.code, "invalid-handle");
  }
});

Deno.test("closing a device ends what is left on it, in any order", async () => {
  const bytes = liveBytes();
  const device = openDevice("cpu", { threads: 1 });
  const tensor = device.tensor([4, 2]);
  const program = device.program();
  const output = program.output(program.linear(device.tensor([3, 2]), tensor));
  await program.compile();
  device[Symbol.dispose]();
  assertEquals(liveBytes(), bytes);
  for (
    const use of [
      () => tensor.read(),
      () => output.read(),
      () => program.runSync("forward"),
    ]
  ) {
    assertThrows(use, GapcamError, "its device was closed");
  }
  tensor[Symbol.dispose]();
  program[Symbol.dispose]();
});

Deno.test("opening and closing devices a hundred times leaves nothing", () => {
  const bytes = liveBytes();
  for (let i = 0; i < 100; i++) {
    using device = openDevice("cpu", { threads: 1 });
    device.tensor([100, 100]);
    const program = device.program();
    program.leakyRelu(device.tensor([2, 2]), 0.1);
  }
  assertEquals(liveBytes(), bytes);
});

Deno.test("importing mod.ts loads no library and needs no permission", async () => {
  const { code, output } = await runScript(
    `const mod = await import(${JSON.stringify(MOD)});
console.log(typeof mod.openDevice);`,
    [],
  );
  assertEquals([code, output.trim()], [0, "function"]);
});

Deno.test("grants of the library's folder, reading and environment suffice", async () => {
  const folder = libraryFolder();
  const { code, output } = await runScript(
    `import { openDevice } from ${JSON.stringify(MOD)};
using device = openDevice("auto", { threads: 1 });
using input = device.tensor([1, 2], { data: new Float32Array([1, -1]) });
using program = device.program();
const output = program.output(program.leakyRelu(input, 0.5));
await program.compile();
await program.run("forward");
console.log(output.read().join());`,
    [`--allow-ffi=${folder}`, "--allow-read", "--allow-env"],
  );
  assertEquals([code, output.trim()], [0, "1,-0.5"]);
});

Deno.test("a grant of the CPU's library alone lets 'auto' take the CPU, and says so", async () => {
  const folder = libraryFolder();
  const { code, output } = await runScript(
    `import { openDevice } from ${JSON.stringify(MOD)};
using device = openDevice("auto", { threads: 1 });
console.log(device.backend, device.reason);`,
    [`--allow-ffi=${folder}/libgapcam_cpu.so`, "--allow-read", "--allow-env"],
  );
  assertEquals(code, 0, output);
  assertMatch(output, /^cpu no CUDA: /);
});

Deno.test("a process may end while a run or a compilation is in flight", async () => {
  for (const call of ['run("forward")', "compile()"]) {
    const { code, output } = await runScript(
      `import { openDevice } from ${JSON.stringify(MOD)};
const device = openDevice("cpu", { threads: 2 });
const program = device.program();
let map = device.tensor([4, 32, 96, 96]);
for (let i = 0; i < 8; i++) {
  map = program.conv2d(map, device.tensor([32, 32, 3, 3]), { padding: 1 });
}
program.output(map);
if (${call === "compile()"}) {
  program.compile();
} else {
  await program.compile();
  program.${call};
}
await new Promise((resolve) => setTimeout(resolve, 3));
console.log("leaving");
Deno.exit(3);`,
      [`--allow-ffi=${libraryFolder()}`, "--allow-read", "--allow-env"],
    );
    assertEquals([code, output.trim()], [3, "leaving"], call);
  }
});

Deno.test("tensors keep a forgotten device open; nobody's device is closed", async () => {
  const { code, output } = await runScript(
    `import { openDevice } from ${JSON.stringify(MOD)};
function make() {
  return openDevice("cpu", { threads: 1 }).tensor([1 << 20]);
}
async function collect() {
  for (let i = 0; i < 20; i++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
const probe = openDevice("cpu", { threads: 1 });
let tensor = make();
await collect();
console.log(tensor.read().length);
tensor = undefined;
let forgotten = probe.tensor([1 << 20]);
const before = probe.memory().liveBytes;
forgotten = undefined;
await collect();
console.log(before > 0, probe.memory().liveBytes);`.replaceAll(
      "let ",
      "let /** @type {any} */ ",
    ),
    [
      "--v8-flags=--expose-gc",
      "--no-check",
      `--allow-ffi=${libraryFolder()}`,
      "--allow-read",
      "--allow-env",
    ],
  );
  assertEquals(code, 0, output);
  assertEquals(output.trim().split("\n"), ["1048576", "true 0"]);
});
