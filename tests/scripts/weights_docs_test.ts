import { assert, assertEquals } from "@std/assert";
import { encodePng, initialise, type StateDict, vgg } from "../../mod.ts";
import { Random } from "../../src/random.ts";
import { writePytorch } from "../../src/weights/write_pytorch.ts";
import { runCommand, withFolder } from "./_run_command.ts";

/** What keeps a training run short. */
const SHORT = [
  "--train-limit=8",
  "--test-limit=8",
  "--batch-size=4",
  "--epochs=1",
  "--image-size=32",
  "--device=cpu",
];

/** The commands of a document's shell blocks, in order. */
function commandsOf(document: string): string[][] {
  return [...document.matchAll(/```sh\n([\s\S]*?)```/g)]
    .flatMap(([, block]) => block!.replaceAll("\\\n", " ").trim().split("\n"))
    .map((line) => line.trim().split(/\s+/));
}

/** Runs `deno task NAME ...` and gives what it printed. */
async function run(words: readonly string[], folder: string): Promise<string> {
  assertEquals(words.slice(0, 2), ["deno", "task"], words.join(" "));
  const [name, ...args] = words.slice(2);
  const more = name === "train" ? [...SHORT, "--out=run"] : [];
  const { code, stdout, stderr } = await runCommand(
    name!,
    [...args, ...more],
    { folder },
  );
  assertEquals([code, stderr], [0, ""], words.join(" "));
  return stdout;
}

/** A file as torchvision has it: a trunk and a classifier of three layers. */
function torchvision(state: StateDict): StateDict {
  const file = new Map([...state].filter(([name]) => /^features/.test(name)));
  for (const layer of [0, 3, 6]) {
    file.set(`classifier.${layer}.weight`, {
      shape: [4, 4],
      data: new Float32Array(16),
    });
    file.set(`classifier.${layer}.bias`, {
      shape: [4],
      data: new Float32Array(4),
    });
  }
  return file;
}

Deno.test("every command of docs/weights.md runs, and so does the one that import prints", () =>
  withFolder(async (folder) => {
    const state = initialise(vgg("vgg16", { classes: 10 }), 1);
    await writePytorch(`${folder}/vgg16.pth`, torchvision(state));
    await writePytorch(
      `${folder}/net.pth`,
      new Map(
        [...state].map(([name, tensor]) => [
          name.replace("features.", "conv."),
          tensor,
        ]),
      ),
    );
    const random = new Random(1);
    await Deno.writeFile(
      `${folder}/photo.png`,
      encodePng({
        width: 80,
        height: 60,
        channels: 3,
        data: Uint8Array.from(
          { length: 80 * 60 * 3 },
          () => random.integer(256),
        ),
      }),
    );
    const document = await Deno.readTextFile(
      new URL("../../docs/weights.md", import.meta.url),
    );
    const commands = commandsOf(document)
      // Minutes of damaged files; tests/fuzz has it.
      .filter(([, , name]) => name !== "fuzz");
    assertEquals(commands.map(([, , name]) => name), [
      "import",
      "train",
      "import",
      "cam",
      "export",
      "export",
    ]);
    let printed: string | undefined;
    for (const words of commands) {
      const output = await run(words, folder);
      printed ??= output.match(/with: (deno task train .*)/)?.[1];
    }
    assert(printed);
    await Deno.remove(`${folder}/run`, { recursive: true });
    await run(printed.split(" "), folder);
  }));
