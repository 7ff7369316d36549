import { assert, assertEquals, assertMatch } from "@std/assert";
import { readCheckpoint } from "../../mod.ts";
import { TRAIN_FLAGS, type TrainFlags } from "../../scripts/_train_flags.ts";
import { newJob } from "../../scripts/_train_job.ts";
import { assertRefused, runCommand, withFolder } from "./_run_command.ts";
import { writeUntrained } from "./_untrained_network.ts";

const NAME = "efficientnet-lite0";

const SHORT = [
  ...["--dataset=shapes", "--train-limit=30", "--test-limit=10"],
  ...["--image-size=32", "--batch-size=10", "--device=cpu", "--log-every=1"],
];

Deno.test("train --pretrained needs the network, says how to get it, and which there are", () =>
  withFolder(async (folder) => {
    const options = { workingFolder: folder, folder };
    for (
      const [flags, sentence] of [
        [
          ["--model=efficientnet-lite1"],
          /^error: Cannot find efficientnet-lite1 in models: get it with: deno task pretrained efficientnet-lite1\n$/,
        ],
        [[], /get it with: deno task pretrained efficientnet-lite0\n$/],
        [
          ["--model=resnet18"],
          /^error: Cannot start from a pretrained resnet18: expected one of efficientnet-lite0, .*; name other weights with --init\n$/,
        ],
        [
          ["--head-epochs=-1"],
          /--head-epochs takes a whole number at least 0/,
        ],
        [["--trunk-rate=no"], /--trunk-rate takes a number at least 0/],
      ] as const
    ) {
      await assertRefused(
        "train",
        [...SHORT, "--pretrained", ...flags],
        sentence,
        options,
      );
    }
    assertEquals([...Deno.readDirSync(folder)], []);
  }));

Deno.test("train --pretrained teaches a known network other classes: the head first, by its own preprocessing", () =>
  withFolder(async (folder) => {
    const path = await writeUntrained(folder);
    const options = { workingFolder: folder, folder };
    const { code, stdout, stderr } = await runCommand("train", [
      ...SHORT,
      ...[`--model=${NAME}`, "--pretrained", "--epochs=2", "--head-epochs=1"],
      "--out=run",
    ], options);
    assertEquals([code, stderr], [0, ""]);
    assertMatch(
      stdout,
      /\nWeights: 245 tensors from models\/efficientnet-lite0\.safetensors; fresh: _fc\.weight, _fc\.bias\n/,
    );
    assertMatch(
      stdout,
      /adamw at 0\.004, one-cycle\n {2}batch normalisation stays as it is, with its running statistics\n {2}the layer that decides learns alone in the first epoch\n {2}all other layers learn at 0\.02 of its rate\n {2}random changes: flips, resized crop\n/,
    );
    const [before, after] = [
      await readCheckpoint(path),
      await readCheckpoint(`${folder}/run/checkpoint.safetensors`),
    ];
    const { training } = after;
    assertEquals(
      [training.interpolation, training.cropShare, training.mean],
      ["bicubic", 0.875, before.training.mean],
    );
    for (const [name, { data }] of after.parameters) {
      if (name.startsWith("_fc")) continue;
      const old = before.parameters.get(name)!.data;
      const same = data.every((value, i) => value === old[i]);
      assertEquals(same, /_bn\d\./.test(name), name);
    }
  }));

Deno.test("train --pretrained trains as suits how many images there are, and by the network's own image size", () =>
  withFolder(async (folder) => {
    await writeUntrained(folder);
    const before = Deno.cwd();
    Deno.chdir(folder);
    const job = async (given: Partial<TrainFlags>) =>
      (await newJob({
        ...Object.fromEntries(
          Object.keys(TRAIN_FLAGS).map((name) => [name, undefined]),
        ),
        ...{ freeze: [], positional: [], dataset: "shapes", pretrained: true },
        ...given,
      } as TrainFlags, { gpu: false })).config;
    try {
      const many = await job({});
      assertEquals([many.imageSize, many.batchSize], [224, 32]);
      assertEquals([many.headEpochs, many.epochs], [1, 6]);
      assertEquals(many.freeze.length, 49);
      assert(many.freeze.every((name) => /_bn\d$/.test(name)));
      assertEquals((await job({ freeze: ["none"] })).freeze, []);
      // 40 images are two batches an epoch.
      const few = await job({ "train-limit": 40 });
      assertEquals([few.headEpochs, few.epochs], [10, 35]);
      assertEquals(few.freeze, many.freeze);
      const head = await job({ freeze: ["features"], "train-limit": 40 });
      assertEquals([head.batchSize, head.headEpochs, head.flip], [
        40,
        0,
        true,
      ]);
      assertEquals(head.augmentation, {});
      // What flags say holds.
      const said = await job({
        ...{ epochs: 2, "trunk-rate": 0.25, augment: "none" },
        ...{ "image-size": 96, "train-limit": 40, freeze: ["_conv_stem"] },
      });
      assertEquals(
        [said.epochs, said.trunkRate, said.flip, said.imageSize, said.freeze],
        [2, 0.25, false, 96, ["_conv_stem", ...many.freeze]],
      );
    } finally {
      Deno.chdir(before);
    }
  }));

Deno.test("train --pretrained --freeze features trains the head on features computed once, and --resume goes on", () =>
  withFolder(async (folder) => {
    const path = await writeUntrained(folder);
    const options = { workingFolder: folder, folder };
    const flags = [...SHORT, "--pretrained", "--freeze=features"];
    const { code, stdout, stderr } = await runCommand("train", [
      ...[...flags, "--epochs=3", "--out=run"],
    ], options);
    assertEquals([code, stderr], [0, ""]);
    assertMatch(
      stdout,
      /\n {2}the layer that decides learns alone\n {2}random changes: flips\nRun: /,
    );
    const { training, parameters } = await readCheckpoint(
      `${folder}/run/checkpoint.safetensors`,
    );
    assertEquals(training.freeze, [
      ...["_conv_stem", "_bn0", "_blocks", "_conv_head", "_bn1"],
    ]);
    const before = await readCheckpoint(path);
    for (const [name, { data }] of parameters) {
      if (name.startsWith("_fc")) continue;
      assertEquals(data, before.parameters.get(name)!.data);
    }
    const more = await runCommand("train", [
      ...["--resume=run", "--freeze=features", "--epochs=4", "--device=cpu"],
    ], options);
    assertEquals([more.code, more.stderr], [0, ""]);
    assertMatch(more.stdout, /\nepoch 4: loss /);
    await assertRefused(
      "train",
      ["--resume=run", "--pretrained"],
      /Cannot resume with --pretrained/,
      options,
    );
    // A run, or any file of weights, does as well as a published network.
    const other = await runCommand("train", [
      ...[...flags, "--init=run", "--epochs=1", "--out=other"],
    ], options);
    assertEquals([other.code, other.stderr], [0, ""]);
    assertMatch(other.stdout, /adamw at 0\.002/);
    assert(!other.stdout.includes("fresh:"));
  }));
