import { assertEquals, assertRejects } from "@std/assert";
import { newJob } from "../../scripts/_train_job.ts";
import { TRAIN_FLAGS, type TrainFlags } from "../../scripts/_train_flags.ts";
import { DATASET_NAMES, GapcamError, trainingConfig } from "../../mod.ts";
import { DATASET_DEFAULTS, PRESETS } from "../../src/train/presets.ts";
import { bytes, temporaryFolder, write } from "../data/_helpers.ts";

/** Flags as the parser gives them where only these are named. */
function flags(given: Partial<TrainFlags>): TrainFlags {
  const none = Object.fromEntries(
    Object.keys(TRAIN_FLAGS).map((name) => [name, undefined]),
  );
  return { ...none, freeze: [], positional: [], ...given } as TrainFlags;
}

function cifar10(folder: string): void {
  const image = bytes(1, new Uint8Array(3072));
  for (const i of [1, 2, 3, 4, 5]) {
    write(`${folder}/data_batch_${i}.bin`, image);
  }
  write(`${folder}/test_batch.bin`, image);
}

function stl10(folder: string): void {
  for (const split of ["train", "test"]) {
    write(`${folder}/${split}_X.bin`, new Uint8Array(27648));
    write(`${folder}/${split}_y.bin`, bytes(1));
  }
}

/** What a job would be, on a machine with or without a GPU and STL-10. */
async function jobs(given: Partial<TrainFlags>) {
  const found = [];
  const before = Deno.cwd();
  for (const gpu of [false, true]) {
    for (const there of [false, true]) {
      using folder = temporaryFolder();
      cifar10(`${folder.path}/data/cifar10`);
      if (there) stl10(`${folder.path}/data/stl10`);
      Deno.chdir(folder.path);
      try {
        const { trainSet: _, testSet: __, ...job } = await newJob(
          flags(given),
          { gpu },
        );
        found.push(job);
      } finally {
        Deno.chdir(before);
      }
    }
  }
  return found;
}

Deno.test("a data set that is named is trained in one way on every machine", async () => {
  for (
    const given of [
      { dataset: "cifar10" },
      { dataset: "shapes" },
      {
        dataset: "cifar10",
        model: "32,32,M,64,64,M,128,128",
        "batch-norm": true,
        epochs: 20,
      },
    ]
  ) {
    const [first, ...others] = await jobs(given);
    for (const other of others) assertEquals(other, first);
    assertEquals(first!.preset, undefined);
    const { imageSize, batchSize } = first!.config;
    assertEquals(imageSize, given.dataset === "cifar10" ? 32 : 96);
    assertEquals(batchSize, 96);
  }
});

Deno.test("a preset that is named holds beside a data set that is", async () => {
  const [seed] = await jobs({ preset: "seed", dataset: "cifar10" });
  assertEquals(seed!.config.imageSize, 224);
  assertEquals(seed!.modelName, "vgg16");
  const [quick] = await jobs({ preset: "quick", dataset: "cifar10" });
  assertEquals(quick!.config.imageSize, 32);
});

Deno.test("train refuses a folder of it cannot tell what", async () => {
  await assertRejects(
    () => newJob(flags({ "data-dir": "photos" }), { gpu: false }),
    GapcamError,
    "expected --dataset beside --data-dir",
  );
  await assertRejects(
    () =>
      newJob(flags({ "data-dir": "photos", dataset: "shapes" }), {
        gpu: false,
      }),
    GapcamError,
    "photos: they are generated, no folder holds them",
  );
});

Deno.test("docs/training.md says what training starts from", () => {
  const text = Deno.readTextFileSync(
    new URL("../../docs/training.md", import.meta.url),
  );
  const rows = [
    ...Object.entries(PRESETS).map(([name, preset]) =>
      [`\`--preset ${name}\``, preset] as const
    ),
    ...DATASET_NAMES.map((name) =>
      [`\`--dataset ${name}\``, DATASET_DEFAULTS[name]] as const
    ),
  ].map(([name, { model, batchNorm, training }]) => {
    const config = trainingConfig(training);
    return [
      name,
      model + (batchNorm ? ", batch norm" : ""),
      String(config.imageSize),
      String(config.batchSize),
      String(config.epochs),
      `${config.optimiser}, ${config.learningRate}`,
      config.schedule,
    ];
  });
  const found = text.split("\n")
    .filter((line) => /^\| `--(preset|dataset) /.test(line))
    .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
  assertEquals(found, rows);
});
