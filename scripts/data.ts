/**
 * `deno task data NAME` fetches a data set.
 *
 * @module
 */

import { FETCHABLE_DATASETS, fetchDataset } from "../src/data/fetch_dataset.ts";
import { openDataset } from "../src/data/open_dataset.ts";
import type { DatasetName } from "../src/data/open_dataset.ts";
import { GapcamError } from "../src/error.ts";
import { writeCifar10 } from "./_cifar10_from_folder.ts";
import { runCommand, userPath } from "./_command.ts";
import { TransferDisplay } from "./_transfer_display.ts";

await runCommand({
  name: "data",
  summary:
    `Fetches a data set (${FETCHABLE_DATASETS.join(", ")}) into data/NAME; ` +
    "run again, it goes on where it was cut.",
  usage: "[FLAGS] NAME",
  positional: true,
  flags: {
    "data-dir": {
      type: "string",
      placeholder: "FOLDER",
      help: "folder for the files",
      default: "data/NAME",
    },
    "url": {
      type: "string",
      help: "address of a mirror of the archive (mnist: of its folder)",
    },
    "from-folder": {
      type: "string",
      placeholder: "FOLDER",
      help: "make cifar10 of pictures in train/CLASS and test/CLASS instead",
    },
    "unchecked": {
      type: "boolean",
      help: "take files of other sizes and checksums than the publisher's",
    },
    "stall-timeout": {
      type: "number",
      above: 0,
      placeholder: "SECONDS",
      help: "give a silent connection up after this long",
      default: "30",
    },
    "retries": {
      type: "integer",
      min: 0,
      help: "attempts in a row that may bring nothing new",
      default: "5",
    },
  },
}, async (flags) => {
  const [name, ...more] = flags.positional;
  if (name === undefined || more.length > 0) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot fetch ${
        name === undefined ? "nothing" : "several data sets at once"
      }: expected one of ${FETCHABLE_DATASETS.join(", ")}`,
    );
  }
  if (flags["from-folder"]) {
    if (name !== "cifar10") {
      throw new GapcamError(
        "invalid-argument",
        `Cannot make ${name} from a folder: only cifar10 can be made so`,
      );
    }
    const folder = flags["data-dir"]
      ? userPath(flags["data-dir"])
      : "data/cifar10";
    await writeCifar10(userPath(flags["from-folder"]), folder);
    report("cifar10", folder, "is now");
    return;
  }
  const display = new TransferDisplay({
    terminal: Deno.stderr.isTerminal(),
    write: (text) => Deno.stderr.writeSync(new TextEncoder().encode(text)),
    now: () => performance.now(),
  });
  const { folder, fetched } = await fetchDataset(name, {
    dataDir: flags["data-dir"] && userPath(flags["data-dir"]),
    url: flags.url,
    verify: !flags.unchecked,
    stallSeconds: flags["stall-timeout"],
    retries: flags.retries,
    onProgress: (progress) => display.show(progress),
    onRetry: (message) => display.note(message),
  }).finally(() => display.finish());
  report(name, folder, fetched ? "is now" : "was already");
});

/** Opens what is there and says how much it is. */
function report(name: string, folder: string, state: string): void {
  const [train, test] = (["train", "test"] as const).map((split) =>
    openDataset(name as DatasetName, split, { dataDir: folder })
  );
  console.log(
    `${name} ${state} in ${folder}: ${train!.length} images to train on, ` +
      `${test!.length} to test on`,
  );
}
