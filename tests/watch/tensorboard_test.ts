import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { GapcamError, readRunLog, type RunEvent } from "../../mod.ts";
import { exportTensorboard, TensorboardLog } from "../../src/watch/mod.ts";
import { decodeImage } from "../../src/image/decode_image.ts";
import { evaluationOf } from "../../src/train/evaluation.ts";
import { runEvent } from "../../src/train/run_event.ts";
import { crc32c, maskedCrc32c } from "../../src/watch/tensorboard/_crc32c.ts";
import { tfRecord } from "../../src/watch/tensorboard/_tf_record.ts";
import {
  assertRefused,
  runCommand,
  SMALL,
  withFolder,
} from "../scripts/_run_command.ts";
import { eventsIn, recordsOf } from "./_event_files.ts";

Deno.test("crc32c() is that of RFC 3720, in one piece or many", () => {
  const ascending = Uint8Array.from({ length: 32 }, (_, i) => i);
  const command = new Uint8Array(48);
  command.set([0x01, 0xc0], 0);
  command.set([0x14, 0, 0, 0, 0, 0, 0x04, 0, 0, 0, 0, 0x14], 16);
  command.set([0, 0, 0, 0x18, 0x28], 28);
  command[40] = 0x02;
  for (
    const [bytes, expected] of [
      [new Uint8Array(32), 0x8a9136aa],
      [new Uint8Array(32).fill(255), 0x62a8ab43],
      [ascending, 0x46dd794e],
      [ascending.toReversed(), 0x113fdb5c],
      [command, 0xd9963a56],
      [new TextEncoder().encode("123456789"), 0xe3069283],
      [new Uint8Array(), 0],
    ] as const
  ) {
    assertEquals(crc32c([bytes]), expected);
    const half = bytes.length >> 1;
    assertEquals(
      crc32c([bytes.subarray(0, half), bytes.subarray(half)]),
      expected,
    );
  }
});

Deno.test("tfRecord() frames its data with their length and both sums", () => {
  const data = Uint8Array.of(1, 2, 3, 4, 5);
  const record = tfRecord([data.subarray(0, 2), data.subarray(2)]);
  const view = new DataView(record.buffer);
  assertEquals(record.length, 8 + 4 + 5 + 4);
  assertEquals(view.getBigUint64(0, true), 5n);
  // A CRC of CRCs would be a constant: TFRecord turns it by 15 bits and adds.
  assertEquals(
    maskedCrc32c([new Uint8Array(32)]),
    (((0x8a9136aa >>> 15) | (0x8a9136aa << 17)) + 0xa282ead8) >>> 0,
  );
  assertEquals(view.getUint32(17, true), maskedCrc32c([data]));
  assertEquals(recordsOf(record), [data]);
});

const CLASSES = ["cat", "dog"];
const EVALUATION = evaluationOf([[2, 0], [1, 1]], {
  classes: CLASSES,
  ...{ dataset: "pets", split: "test", loss: 0.4, top5: 1 },
});

function epoch(epoch: number, loss: number): RunEvent {
  return runEvent({
    ...{ event: "epoch", epoch, step: 10, stepsPerEpoch: 10, loss },
    ...{ totalSteps: 10 * epoch, accuracy: 0.5, learningRate: 0.1, seconds: 2 },
  });
}

function start(event: "start" | "resume", step: number): RunEvent {
  return {
    ...runEvent({
      ...{ event, version: 2, model: "a|b", dataset: { name: "pets" } },
      ...{ images: 20, device: "cpu", precision: "f32", stepsPerEpoch: 10 },
      step,
      config: { learningRate: 0.1, mean: [0.5], flip: true } as never,
    }),
  };
}

Deno.test("TensorboardLog writes what events say, at their steps, and names the pictures", async () => {
  await withFolder(async (folder) => {
    {
      using log = new TensorboardLog(`${folder}/run`);
      log.add(start("start", 0));
      log.add(epoch(1, 2.5));
      log.add(runEvent({ ...EVALUATION, event: "evaluation" }));
      log.add(runEvent({ event: "divergence", message: "loss is NaN" }));
    }
    const [version, first] = eventsIn(`${folder}/run/train`);
    assertEquals(version!.version, "brain.Event:2");
    assertEquals(first!.step, 10);
    assertEquals(first!.scalars.get("loss"), 2.5);
    const [, tested] = eventsIn(`${folder}/run/test`);
    assertEquals(tested!.step, 10);
    assertEquals(tested!.scalars.get("accuracy"), 0.75);
    assertEquals(tested!.scalars.get("class_accuracy/dog"), 0.5);
    const image = await decodeImage(tested!.pictures.get("confusion")!);
    assert(image.width > 80 && image.height > 80);
    assertEquals(
      eventsIn(`${folder}/run`).flatMap(({ tags }) => tags),
      [
        "configuration",
        "_hparams_/experiment",
        "_hparams_/session_start_info",
        "divergence",
        "_hparams_/session_end_info",
      ],
    );
    // Nothing validated it.
    assertThrows(() => eventsIn(`${folder}/run/validation`));
  });
});

/** A run that was killed in its second epoch, whose loss was 2, and went on. */
function writeCutRun(folder: string): void {
  {
    using log = new TensorboardLog(folder);
    log.add(start("start", 0));
    log.add(epoch(1, 3));
    log.add(epoch(2, 2));
  }
  using log = new TensorboardLog(folder);
  log.add(start("resume", 10));
  log.add(epoch(2, 2.25));
}

Deno.test("a run that goes on says from which step, so that what was lost is not shown", async () => {
  await withFolder((folder) => {
    writeCutRun(folder);
    const found = eventsIn(`${folder}/train`);
    assertEquals(
      found.map(({ version, session, step, scalars }) =>
        version ? "file" : session ? `from ${step}` : scalars.get("loss")
      ),
      ["file", 3, 2, "file", "from 11", 2.25],
    );
    return Promise.resolve();
  });
});

Deno.test("confusion matrices of one class, of many and of long names are drawn", async () => {
  const { confusionPicture } = await import(
    "../../src/watch/confusion_picture.ts"
  );
  for (const count of [1, 2, 20, 100, 1000]) {
    const image = confusionPicture(evaluationOf(
      Array.from(
        { length: count },
        (_, i) => Array.from({ length: count }, (_, j) => i === j ? 7 : 0),
      ),
      {
        classes: Array.from(
          { length: count },
          (_, i) => `${"long ".repeat(9)}${i}`,
        ),
        ...{ dataset: "d", split: "test", loss: 0 },
      },
    ));
    assert(image.width <= 1100 && image.height <= 1100, `${image.width}`);
    assertEquals(image.data.length, image.width * image.height * 3);
  }
});

Deno.test("exportTensorboard() refuses what is no run and what is there, and leaves nothing", async () => {
  await withFolder(async (folder) => {
    for (
      const [run, out, text] of [
        [folder, `${folder}/out`, "found no log.jsonl"],
        [`${folder}/run`, folder, "it is there already"],
        [
          `${folder}/run`,
          `${folder}/file/out`,
          "Cannot write TensorBoard events",
        ],
      ] as const
    ) {
      await Deno.mkdir(`${folder}/run`, { recursive: true });
      await Deno.writeTextFile(
        `${folder}/run/log.jsonl`,
        `${JSON.stringify(epoch(1, 2))}\n`,
      );
      await Deno.writeTextFile(`${folder}/file`, "");
      let error: unknown;
      await exportTensorboard(run, out).catch((caught) => error = caught);
      assert(error instanceof GapcamError && error.message.includes(text));
    }
    assertThrows(() => Deno.statSync(`${folder}/out`));
  });
});

Deno.test("deno task train --tensorboard and deno task export write the same, of resumed runs too", async () => {
  await withFolder(async (folder) => {
    const run = `${folder}/run`;
    const live = `--tensorboard=${folder}/live`;
    const flags = [
      ...SMALL,
      "--epochs=2",
      "--validation-fraction=0.5",
      `--out=${run}`,
    ];
    const first = await runCommand("train", [...flags, live]);
    assertEquals(first.code, 0, first.stderr);
    const exported = await runCommand("export", [
      "--format=tensorboard",
      `--checkpoint=${run}`,
      `--out=${folder}/later`,
    ]);
    assertEquals(exported.code, 0, exported.stderr);
    const parts = ["run", "run/train", "run/validation", "run/test"];
    const bytes = (root: string) =>
      parts.flatMap((part) => eventsIn(`${folder}/${root}/${part}`));
    assertEquals(bytes("live"), bytes("later"));
    assertScalars(readRunLog(`${run}/log.jsonl`), `${folder}/live/run`);
    // Before the first step and after each epoch, of eight images.
    const maps = eventsIn(`${folder}/live/run/validation`)
      .filter(({ tags }) => tags.some((tag) => tag.startsWith("maps/")));
    assertEquals(maps.map(({ step }) => step), [0, 2, 4]);
    for (const { pictures } of maps) {
      assertEquals(pictures.size, 8);
      for (const png of pictures.values()) {
        const { width, height } = await decodeImage(png);
        assert(width > 2 * 16 && height >= 16);
      }
    }

    // A film that is damaged leaves all else.
    const path = `${run}/film.jsonl`;
    const film = await Deno.readTextFile(path);
    await Deno.writeTextFile(
      path,
      film.replaceAll(/"picture":"[^"]{8}/g, '"picture":"AAAAAAAA'),
    );
    const damaged = await runCommand("export", [
      "--format=tensorboard",
      `--checkpoint=${run}`,
      `--out=${folder}/damaged`,
    ]);
    assertEquals(damaged.code, 0, damaged.stderr);
    assertStringIncludes(
      damaged.stderr,
      "note: the maps of its film are left out",
    );
    assertScalars(readRunLog(`${run}/log.jsonl`), `${folder}/damaged/run`);

    // Another run of that name is not laid over it.
    await Deno.remove(run, { recursive: true });
    await assertRefused(
      "train",
      [...flags, live],
      /holds those of another run/,
    );
    // One that begins without and goes on with it is shown from its beginning.
    const second = await runCommand("train", flags);
    assertEquals(second.code, 0, second.stderr);
    const more = await runCommand("train", [
      `--resume=${run}`,
      "--epochs=3",
      `--tensorboard=${folder}/second`,
    ]);
    assertEquals(more.code, 0, more.stderr);
    assertEquals(
      eventsIn(`${folder}/second/run/train`)
        .flatMap(({ scalars }) => scalars.get("epoch/number") ?? []),
      [1, 2, 3],
    );
  });
});

Deno.test("a run goes on where TensorBoard's files cannot be written, and says so once", async () => {
  await withFolder(async (folder) => {
    const flags = [...SMALL, "--epochs=2", `--out=${folder}/run`];
    await Deno.mkdir(`${folder}/live/run`, { recursive: true });
    // In the place of a folder.
    await Deno.writeTextFile(`${folder}/live/run/train`, "");
    await assertRefused(
      "train",
      [...flags, `--tensorboard=${folder}/live/run/train`],
      /Cannot write TensorBoard events .*train\/run: Not a directory/,
    );
    const { code, stdout } = await runCommand("train", [
      ...flags,
      `--tensorboard=${folder}/live`,
    ]);
    assertEquals(code, 0);
    assertEquals(stdout.split("Cannot write TensorBoard events").length, 2);
  });
});

/** Every scalar of the log is in the files, as the 32-bit float nearest to it. */
function assertScalars(events: readonly RunEvent[], folder: string): void {
  const found = (part: string, tag: string) =>
    eventsIn(`${folder}/${part}`).flatMap(({ step, scalars }) =>
      scalars.has(tag) ? [[step, scalars.get(tag)!]] : []
    );
  let count = 0;
  for (
    const [part, tag, of] of [
      ["train", "interval/loss", (e) => e.event === "interval" && e.loss],
      [
        "train",
        "interval/learning_rate",
        (e) => e.event === "interval" && e.learningRate,
      ],
      [
        "train",
        "interval/images_per_second",
        (e) => e.event === "interval" && e.imagesPerSecond,
      ],
      ["train", "loss", (e) => e.event === "epoch" && e.loss],
      ["train", "accuracy", (e) => e.event === "epoch" && e.accuracy],
      ["validation", "loss", (e) => e.event === "validation" && e.loss],
      ["validation", "accuracy", (e) => e.event === "validation" && e.accuracy],
      ["validation", "top5", (e) => e.event === "validation" && e.top5],
      ["test", "accuracy", (e) => e.event === "evaluation" && e.accuracy],
      ["test", "loss", (e) => e.event === "evaluation" && e.loss],
    ] as [string, string, (event: RunEvent) => number | false][]
  ) {
    const expected = events.flatMap((event) => {
      const value = of(event);
      return value === false ? [] : [Math.fround(value)];
    });
    assertEquals(found(part, tag).map(([, value]) => value), expected, tag);
    count += expected.length;
  }
  assert(count >= 15, `${count} numbers were compared`);
}

const python = Deno.env.get("GAPCAM_PYTHON");

Deno.test({
  name:
    "TensorBoard's own reader finds every scalar, picture and histogram (needs GAPCAM_PYTHON, a Python with tensorboard and pillow)",
  ignore: !python,
  async fn() {
    await withFolder(async (folder) => {
      const { code, stderr } = await runCommand("train", [
        ...SMALL,
        "--epochs=2",
        "--validation-fraction=0.5",
        `--out=${folder}/run`,
        `--tensorboard=${folder}/live`,
      ]);
      assertEquals(code, 0, stderr);
      const script = new URL(
        "../../scripts/fixtures/tensorboard_read.py",
        import.meta.url,
      ).pathname;
      writeCutRun(`${folder}/live/run/cut`);
      const output = await new Deno.Command(python!, {
        args: [script, `${folder}/live/run`],
      }).output();
      assert(output.success, new TextDecoder().decode(output.stderr));
      const found = JSON.parse(
        new TextDecoder().decode(output.stdout),
      ) as Record<
        string,
        {
          scalars: Record<string, [number, number, number][]>;
          images: Record<string, unknown[]>;
          histograms: Record<string, number[][]>;
          hparams: Record<string, Record<string, unknown>>;
          texts: Record<string, string>;
          records: number;
        }
      >;
      let scalars = 0;
      for (const part of ["train", "validation", "test"]) {
        const own = eventsIn(`${folder}/live/run/${part}`);
        assertEquals(found[part]!.records, own.length);
        for (const { step, time, scalars: values } of own) {
          for (const [tag, value] of values) {
            assert(
              found[part]!.scalars[tag]!.some((one) =>
                one[0] === step && one[1] === value && one[2] === time
              ),
              `${part} ${tag} at ${step}`,
            );
            scalars++;
          }
        }
      }
      assert(scalars > 40, `${scalars} scalars`);
      assertEquals(Object.keys(found.test!.images), ["confusion"]);
      // The validation's matrix, and maps of eight images.
      assertEquals(Object.keys(found.validation!.images).length, 9);
      const names = Object.keys(found.train!.histograms);
      assert(names.includes("gradients/classifier.weight"));
      assert(names.includes("parameters/features.0.weight"));
      for (const rows of Object.values(found.train!.histograms)) {
        assertEquals(rows.length, 2);
        for (const [, , , number, sum] of rows) assertEquals(number, sum);
      }
      // What was lost when it was killed is not shown.
      assertEquals(
        found["cut/train"]!.scalars.loss!.map(([step, value]) => [step, value]),
        [[10, 3], [20, 2.25]],
      );
      const { hparams, texts } = found["."]!;
      assertEquals(hparams.session_start_info!.batchSize, 10);
      assertEquals(hparams.session_start_info!.flip, false);
      assertEquals(hparams.session_end_info as unknown, 1);
      assert(texts.configuration!.includes("| batchSize | 10 |"));
    });
  },
});
