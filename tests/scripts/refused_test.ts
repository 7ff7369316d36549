import { assertEquals, assertMatch } from "@std/assert";
import { readCheckpoint, writeCheckpoint } from "../../mod.ts";
import { parseSafetensors } from "../../src/weights/read_safetensors.ts";
import { encodeSafetensors } from "../../src/weights/write_safetensors.ts";
import { libraryFolder } from "../../src/device/_library.ts";
import {
  assertRefused,
  runCommand,
  SMALL,
  trainSmall,
  withFolder,
} from "./_run_command.ts";

const TRAIN = [...SMALL, "--epochs=1"];

// What, flags, and what is printed. Later flags win over earlier ones.
const TRAINING: [string, string[], RegExp][] = [
  [
    "an unknown flag",
    ["--datset=shapes"],
    /Unknown flag --datset, did you mean --dataset\?/,
  ],
  [
    "an unknown data set",
    ["--dataset=shape"],
    /--dataset "shape" is not known, did you mean shapes\?/,
  ],
  [
    "an unknown model",
    ["--model=vgg17"],
    /Cannot build model "vgg17": expected one of vgg11, /,
  ],
  ["a stray argument", ["shapes"], /Unexpected argument "shapes"/],
  [
    "--threads 0",
    ["--threads=0"],
    /--threads takes a whole number at least 1 .* not "0"/,
  ],
  [
    "a batch size over the data set's size",
    ["--batch-size=41"],
    /Cannot load batches of 41 images: shapes \(train\) has only 40/,
  ],
  [
    "an image size too small for the pools",
    [
      "--model=vgg16",
      "--image-size=16",
    ],
    /on images of 16 x 16: its pools need 32 x 32; pass --image-size 32 or more/,
  ],
  [
    "a data folder that is missing",
    ["--dataset=cifar10", "--data-dir=/nowhere"],
    /Cannot open cifar10: the folder \/nowhere does not exist; fetch it with: deno task data cifar10/,
  ],
  [
    "an output folder that cannot be written",
    ["--out=deno.json/run"],
    /Cannot write to run folder .*\/deno.json\/run: Not a directory; choose another/,
  ],
  [
    "an unknown augmentation",
    ["--augment=spin"],
    /Cannot augment by "spin": expected flip, alternating-flip/,
  ],
  [
    "an average that never moves",
    ["--ema-decay=1"],
    /Cannot train with emaDecay 1: expected a number above 0 and below 1/,
  ],
  [
    "weights of classes that are none",
    ["--class-weights=1,heavy"],
    /Cannot read --class-weights 1,heavy: found "heavy", expected balanced/,
  ],
  [
    "weights of classes that sum to zero",
    ["--class-weights=0,0,0,0,0,0,0,0,0,0"],
    /Cannot weight classes by 0, .*: expected numbers from 0 that do not sum to/,
  ],
  [
    "weights of other classes",
    ["--class-weights=1,2"],
    /Cannot weight the classes of shapes: found 2 weights, expected 10/,
  ],
  [
    "patience without validation",
    ["--patience=2"],
    /Cannot train with a patience of 2 epochs: found no images to validate on/,
  ],
  [
    "a run to resume that is missing",
    ["--resume=nowhere"],
    /Cannot find checkpoint nowhere/,
  ],
  [
    "weights that are missing",
    ["--init=/nowhere"],
    /Cannot find checkpoint \/nowhere: there is no such file/,
  ],
  [
    "freezing what is random",
    ["--freeze=features"],
    /Cannot freeze what starts at random: features\.0\.weight, features\.0\.bias, .* and \d+ more; freeze what is taken from weights/,
  ],
];

for (const [what, flags, sentence] of TRAINING) {
  Deno.test(`train refuses ${what} and leaves nothing behind`, () =>
    withFolder(async (folder) => {
      await assertRefused(
        "train",
        [...TRAIN, `--out=${folder}/run`, ...flags],
        sentence,
      );
      assertEquals([...Deno.readDirSync(folder)], []);
    }));
}

Deno.test("train refuses --device cuda without its library", () =>
  withFolder(async (folder) => {
    await assertRefused(
      "train",
      [...TRAIN, `--out=${folder}/run`, "--device=cuda"],
      /Cannot open the CUDA device: .*libgapcam_cuda.so does not exist/,
      { env: { GAPCAM_LIBRARY_FOLDER: folder } },
    );
  }));

const BENCH: [string, string[], RegExp, Record<string, string>][] = [
  [
    "a library that is missing",
    [],
    /Cannot open the CPU device: .*libgapcam_cpu.so does not exist/,
    { GAPCAM_LIBRARY_FOLDER: "/nowhere" },
  ],
  [
    "a precision that the device lacks",
    ["--precision=tf32"],
    /Cannot open the CPU with precision tf32: .*; use f32/,
    {},
  ],
  [
    "a batch that would take the machine's memory",
    ["--batch-size=65536"],
    /Cannot time a batch of 65536 images of 224 x 224: .* ask for less/,
    {},
  ],
  [
    "a Python that is missing",
    ["--against=torch", "--python=/nowhere"],
    /Cannot time PyTorch: \/nowhere did not start or has no torch/,
    {},
  ],
  [
    "competitors and none",
    ["--against=none,torch"],
    /Cannot run the benchmark against none,torch: none stands alone/,
    {},
  ],
  [
    "to scale from one thread to one",
    ["--threads=1", "--scaling"],
    /Cannot compare one thread with all: there is one/,
    {},
  ],
  [
    "busy processes beside nothing",
    ["--load=2"],
    /Cannot keep 2 processes busy: --load is of --scaling/,
    {},
  ],
  [
    "kernels that do not exist",
    [],
    /GAPCAM_INSTRUCTION_SET is "avx", expected avx512, avx2 or generic/,
    { GAPCAM_INSTRUCTION_SET: "avx" },
  ],
  [
    "convolutions that do not exist",
    [],
    /GAPCAM_CONVOLUTION is "fast", expected direct, winograd, blocked or depthwise/,
    { GAPCAM_CONVOLUTION: "fast" },
  ],
];

Deno.test("bench goes on without what a competitor cannot do", () =>
  withFolder(async (folder) => {
    const python = `${folder}/python`;
    await Deno.writeTextFile(
      python,
      `#!/bin/sh
echo '{"version": "0"}'
while read -r request; do
  case $request in
    *'"model"'*) echo '{"ready": true}' ;;
    *'"channelsLast":true'*) echo '{"error": "OutOfMemoryError: none left"}' ;;
    *) echo '{"unavailable": "it has no gradient"}' ;;
  esac
done
`,
      { mode: 0o755 },
    );
    const { code, stdout, stderr } = await runCommand("bench", [
      "--json",
      "--against=torch",
      `--python=${python}`,
      "--model=8",
      "--size=32",
      "--batch-size=1",
      "--rounds=1",
      "--measure=infer",
      "--threads=1",
    ]);
    assertEquals(code, 0, stderr);
    assertEquals(Object.keys(JSON.parse(stdout).imagesPerSecond.infer), [
      "gapcam",
    ]);
  }));

for (const [what, flags, sentence, env] of BENCH) {
  Deno.test(`bench refuses ${what}`, async () => {
    await assertRefused("bench", flags, sentence, { env });
  });
}

Deno.test("train refuses to run without the CPU's library", () =>
  withFolder(async (folder) => {
    await assertRefused(
      "train",
      TRAIN,
      /Cannot open the CPU device: .*libgapcam_cpu.so does not exist; build it with: sh scripts\/setup.sh/,
      { env: { GAPCAM_LIBRARY_FOLDER: folder } },
    );
  }));

Deno.test("train refuses a library of another ABI version", () =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(
      `${folder}/other.c`,
      "#include <stdint.h>\nuint32_t gapcam_abi_version(void) { return 999; }\n",
    );
    const built = await new Deno.Command("cc", {
      args: [
        "-shared",
        "-fPIC",
        "-o",
        `${folder}/libgapcam_cpu.so`,
        `${folder}/other.c`,
      ],
    }).output();
    assertEquals(built.code, 0);
    await assertRefused(
      "train",
      TRAIN,
      /libgapcam_cpu.so has ABI version 999, expected \d+; rebuild it/,
      { env: { GAPCAM_LIBRARY_FOLDER: folder } },
    );
  }));

Deno.test("train refuses data files that are truncated or too long", () =>
  withFolder(async (folder) => {
    const flags = [...TRAIN, "--dataset=mnist", `--data-dir=${folder}`];
    const images = idx([2, 4, 4]);
    await Deno.writeFile(`${folder}/train-labels-idx1-ubyte`, idx([2]));
    for (
      const bytes of [
        images.subarray(0, images.length - 1),
        new Uint8Array([...images, 0]),
      ]
    ) {
      await Deno.writeFile(`${folder}/train-images-idx3-ubyte`, bytes);
      await assertRefused("train", flags, /train-images-idx3-ubyte/);
    }
  }));

Deno.test("train refuses a second run in one folder and keeps the first", () =>
  withFolder(async (folder) => {
    const run = await trainSmall(folder);
    const before = await Deno.readFile(`${run}/checkpoint.safetensors`);
    await assertRefused(
      "train",
      [...TRAIN, `--out=${run}`],
      /Cannot start a run in .*: it holds checkpoint.safetensors of another run/,
    );
    assertEquals(await Deno.readFile(`${run}/checkpoint.safetensors`), before);
  }));

Deno.test("train refuses to resume as another job, another version or damaged", () =>
  withFolder(async (folder) => {
    const run = await trainSmall(folder);
    const path = `${run}/checkpoint.safetensors`;
    const resume = [`--resume=${run}`, "--device=cpu"];
    await assertRefused(
      "train",
      [...resume, "--model=vgg11"],
      /Cannot resume with another model: the run has "tiny", asked for "vgg11"/,
    );
    await assertRefused(
      "train",
      [...resume, "--batch-size=20"],
      /Cannot resume with another batchSize: the run has 10, asked for 20/,
    );
    const bytes = await Deno.readFile(path);
    const { tensors, metadata } = parseSafetensors(bytes);
    await Deno.writeFile(
      path,
      encodeSafetensors(tensors, { ...metadata, gapcam_version: "2" }),
    );
    await assertRefused(
      "train",
      resume,
      /Cannot load checkpoint .*: it has format version 2, expected 1/,
    );
    await Deno.writeFile(path, bytes.subarray(0, 1000));
    await assertRefused(
      "train",
      resume,
      /Cannot read .*checkpoint.safetensors/,
    );
    const checkpoint = await loadAgain(path, bytes);
    checkpoint.parameters.delete("classifier.bias");
    await writeCheckpoint(path, checkpoint);
    await assertRefused(
      "eval",
      [`--checkpoint=${path}`, "--device=cpu"],
      /Cannot load parameters: classifier.bias is missing/,
    );
  }));

Deno.test("cam refuses photographs that it cannot find, read or tell apart", () =>
  withFolder(async (folder) => {
    await trainSmall(folder);
    await Deno.writeTextFile(`${folder}/text.jpg`, "not a picture");
    const flags = ["--checkpoint=run", "--device=cpu"];
    for (
      const [args, sentence] of [
        [["--image=none.jpg"], /Cannot read \S+none.jpg: no such file/],
        [["--image=*.gif"], /no file fits "\*.gif"/],
        [
          ["--image=text.jpg"],
          /Cannot read \S+text.jpg: .*expected a PNG, JPEG/,
        ],
        [["text.jpg"], /Cannot tell what "text.jpg" is: files follow --image/],
        [["--index=1", "--image=text.jpg"], /Cannot take --index and --image/],
      ] as const
    ) await assertRefused("cam", [...flags, ...args], sentence, { folder });
  }));

Deno.test("eval and cam refuse images that the network was not trained on", () =>
  withFolder(async (folder) => {
    const run = await trainSmall(folder);
    const flags = [`--checkpoint=${run}`, "--device=cpu"];
    for (const split of ["train", "t10k"]) {
      await Deno.writeFile(`${folder}/${split}-labels-idx1-ubyte`, idx([2]));
      await Deno.writeFile(
        `${folder}/${split}-images-idx3-ubyte`,
        idx([2, 4, 4]),
      );
    }
    for (const command of ["eval", "cam"]) {
      await assertRefused(
        command,
        [...flags, "--dataset=mnist", `--data-dir=${folder}`],
        /Cannot show mnist to this network: its images have 1 channels, expected 3/,
      );
    }
    await assertRefused(
      "cam",
      [...flags, "--index=1000"],
      /Cannot show image 1000: the images are numbered 0 to 999/,
    );
    await assertRefused(
      "cam",
      [...flags, "--indices=5-3"],
      /Cannot read image numbers "5-3"/,
    );
    await assertRefused(
      "cam",
      [...flags, "--class=dragon"],
      /Cannot find class "dragon": expected one of disc, /,
    );
    await assertRefused(
      "cam",
      [...flags, "--out=deno.json/x"],
      /Cannot write .*\/deno.json\/x\/3-cam.png: Not a directory/,
    );
    await assertRefused(
      "cam",
      [...flags, "--alpha=2"],
      /--alpha takes a number at least 0 and at most 1/,
    );
  }));

const mounts = await canMount();

Deno.test({
  name: mounts
    ? "train on a full disk keeps the last checkpoint"
    : "train on a full disk keeps the last checkpoint (skipped: a small file system cannot be mounted here)",
  ignore: !mounts,
  fn: () =>
    withFolder(async (folder) => {
      const disk = `${folder}/disk`;
      await Deno.mkdir(disk);
      await mount(disk, "256k");
      try {
        const run = await trainSmall(disk, "--no-film");
        const path = `${run}/checkpoint.safetensors`;
        const before = await Deno.readFile(path);
        await fill(`${disk}/fill`);
        // Enough for the log and the first bytes of a checkpoint.
        const { size } = await Deno.stat(`${disk}/fill`);
        await Deno.truncate(`${disk}/fill`, size - 3 * 4096);
        await assertRefused(
          "train",
          [`--resume=${run}`, "--epochs=2", "--device=cpu", "--no-film"],
          /Cannot save the checkpoint: .*No space left on device; the checkpoint that is there stays as it was/,
        );
        assertEquals(await Deno.readFile(path), before);
        const names = [...Deno.readDirSync(run)].map(({ name }) => name).sort();
        assertEquals(names, ["checkpoint.safetensors", "log.jsonl"]);
        await Deno.remove(`${disk}/fill`);
        const { code, stderr } = await runCommand("train", [
          `--resume=${run}`,
          "--epochs=2",
          "--device=cpu",
          "--no-film",
          "--test-limit=20",
        ]);
        assertEquals([code, stderr], [0, ""]);
        assertEquals((await readCheckpoint(path)).progress.epoch, 2);
      } finally {
        await new Deno.Command("umount", { args: [disk] }).output();
      }
    }),
});

Deno.test("a command's defect is told apart from a refusal", async () => {
  const { code, stderr } = await runCommand("train", [
    "--debug",
    "--threads=0",
  ]);
  assertEquals(code, 1);
  assertMatch(stderr, /error: --threads takes[\s\S]+at /);
  assertEquals(libraryFolder("/x"), "/x");
});

/** An IDX file of zeros. */
function idx(shape: number[]): Uint8Array {
  const count = shape.reduce((product, size) => product * size, 1);
  const bytes = new Uint8Array(4 + 4 * shape.length + count);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x0800 + shape.length);
  shape.forEach((size, i) => view.setUint32(4 + 4 * i, size));
  return bytes;
}

async function loadAgain(path: string, bytes: Uint8Array) {
  await Deno.writeFile(path, bytes);
  return await readCheckpoint(path, { optimiser: true });
}

async function mount(folder: string, size: string): Promise<boolean> {
  try {
    const { code } = await new Deno.Command("mount", {
      args: ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", folder],
    }).output();
    return code === 0;
  } catch {
    return false;
  }
}

async function canMount(): Promise<boolean> {
  const folder = await Deno.makeTempDir();
  const mounted = await mount(folder, "64k");
  if (mounted) await new Deno.Command("umount", { args: [folder] }).output();
  await Deno.remove(folder);
  return mounted;
}

/** Writes until the disk is full. */
async function fill(path: string): Promise<void> {
  using file = await Deno.open(path, { create: true, write: true });
  const page = new Uint8Array(4096);
  try {
    for (;;) await file.write(page);
  } catch (error) {
    assertMatch(String(error), /No space left/);
  }
}
