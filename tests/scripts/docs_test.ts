import { assert, assertEquals } from "@std/assert";
import { encodePng } from "../../src/image/mod.ts";
import { Random } from "../../src/random.ts";
import { runCommand, withFolder } from "./_run_command.ts";
import { writeUntrained } from "./_untrained_network.ts";

const ROOT = new URL("../../", import.meta.url);

/** Why a command is not run here; what runs it instead, if anything does. */
const ELSEWHERE: readonly (readonly [RegExp, string])[] = [
  [
    /^sh scripts\/setup\.sh\b/,
    "it sets a machine up: every checkout begins so",
  ],
  [/--preset seed\b/, "it needs STL-10, 2.6 GB, and days"],
  [/--(dataset|preset) cifar10\b/, "it needs CIFAR-10"],
  [/--(dataset|preset) stl10\b/, "it needs STL-10"],
  [/--watch\b/, "tests/scripts/watch_test.ts"],
  [/^deno task exam\b/, "tests/scripts/exam_test.ts"],
  [/^(mpirun|srun|cat )/, "tests/ranks/train_test.ts"],
  [/^torchrun /, "tests/ranks/nccl_test.ts"],
  [/^deno task cam\b.*--method\b/, "tests/scripts/cam_methods_test.ts"],
  [/^deno task bench\b/, "it takes minutes, and PyTorch"],
  [/^deno task fuzz\b/, "tests/fuzz"],
  [/^deno task (import|export)\b/, "tests of import and export"],
  [/^deno task summary\b/, "tests/scripts/summary_test.ts"],
  [/--tensorboard\b|^tensorboard\b/, "tests/watch/tensorboard_test.ts"],
  [/trunk\.safetensors|net\.safetensors/, "tests/scripts/weights_docs_test.ts"],
  [/RUN|FILE/, "words in capitals stand for others"],
  [/^(python3|VIRTUAL_ENV=|sh |tar )/, "it needs a GPU"],
  [/^(GAPCAM_PYTHON=|P=|deno run|cd )/, "it needs PyTorch"],
];

/** What keeps each task short, and says which network looks. */
const SHORT: Readonly<Record<string, readonly string[]>> = {
  train: [
    ...["--train-limit=100", "--test-limit=8", "--batch-size=6", "--epochs=1"],
    ...["--image-size=32", "--device=cpu"],
  ],
  cam: ["--device=cpu", "--size=64"],
  eval: ["--device=cpu"],
  predict: ["--device=cpu"],
};

/** The commands of all shell blocks of a document. */
function commandsOf(document: string): string[] {
  return [...document.matchAll(/```sh\n([\s\S]*?)```/g)]
    .flatMap(([, block]) => block!.replaceAll("\\\n", " ").trim().split("\n"))
    .map((line) => line.replace(/\s#.*$/, "").replaceAll(/ +/g, " ").trim())
    .filter((line) => line !== "");
}

async function documents(): Promise<[string, string][]> {
  const names = [...Deno.readDirSync(new URL("docs", ROOT))]
    .filter(({ name }) => name.endsWith(".md"))
    .map(({ name }) => `docs/${name}`).sort();
  return await Promise.all(["README.md", ...names].map(
    async (name): Promise<[string, string]> => [
      name,
      await Deno.readTextFile(new URL(name, ROOT)),
    ],
  ));
}

/** Photographs in classes, docs to look at, a run, and a pretrained network. */
async function prepare(folder: string): Promise<void> {
  await writeUntrained(folder);
  await Deno.symlink(new URL("docs", ROOT).pathname, `${folder}/docs`);
  const random = new Random(4);
  for (const split of ["train", "test"]) {
    for (const [i, name] of ["deer", "horse", "ship"].entries()) {
      await Deno.mkdir(`${folder}/photos/${split}/${name}`, {
        recursive: true,
      });
      for (let k = 0; k < 4; k++) {
        const data = new Uint8Array(40 * 32 * 3).map((_, at) =>
          at % 3 === i ? 200 : random.integer(90)
        );
        const png = encodePng({ height: 40, width: 32, channels: 3, data });
        const path = `${folder}/photos/${split}/${name}/${k}.png`;
        await Deno.writeFile(path, png);
        if (k === 0) await Deno.writeFile(`${folder}/photos/${name}.jpg`, png);
      }
    }
  }
}

Deno.test("every command of README and docs is run by a test, or it is said why not", () =>
  withFolder(async (folder) => {
    await prepare(folder);
    const options = { workingFolder: folder, folder };
    const run = async (command: string, ...more: string[]) => {
      const words = [...command.matchAll(/"([^"]*)"|\S+/g)]
        .map(([word, quoted]) => quoted ?? word);
      const [deno, task, name, ...args] = words;
      assertEquals([deno, task], ["deno", "task"], command);
      const flags = [...SHORT[name!] ?? [], ...more];
      const { code, stdout, stderr } = await runCommand(
        name!,
        [...args, ...flags],
        options,
      );
      assertEquals(code, 0, `${command}: ${stderr}`);
      return stdout;
    };
    const photos = "deno task train --dataset folder --data-dir photos";
    await run("deno task train", "--model=tiny", "--out=runs/NAME");
    for (const name of ["second", "first"]) {
      await run(photos, "--model=tiny", `--out=runs/${name}`);
    }
    const ran: string[] = [];
    for (const [document, text] of await documents()) {
      const pretrained = document === "docs/pretrained.md";
      for (const command of commandsOf(text)) {
        if (ELSEWHERE.some(([pattern]) => pattern.test(command))) continue;
        const [, , name] = command.split(" ");
        const looks = ["cam", "eval", "predict"].includes(name!);
        const network = pretrained ? "efficientnet-lite0" : "runs/first";
        await run(
          command,
          ...(looks ? [`--checkpoint=${network}`] : []),
          ...(name === "train" && !command.includes("--resume")
            ? [`--out=runs/run-${ran.length}`]
            : []),
        );
        ran.push(command);
      }
    }
    assert(ran.length > 15, ran.join("\n"));
  }));
