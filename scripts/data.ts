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
import { QUIET_FLAG, runCommand, userPath } from "./_command.ts";
import { Interrupt } from "./_interrupt.ts";
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
    "file": {
      type: "string",
      placeholder: "ARCHIVE",
      help: "unpack an archive that is there already instead",
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
    "quiet": QUIET_FLAG,
    "json": { type: "boolean", help: "print one JSON object" },
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
    report({ name: "cifar10", folder, fetched: true }, flags);
    return 0;
  }
  if (flags.file && flags.url) {
    throw new GapcamError(
      "invalid-argument",
      "Cannot take --file and --url together: the one is unpacked, the other " +
        "is fetched",
    );
  }
  const display = new TransferDisplay({
    terminal: Deno.stderr.isTerminal(),
    write: (text) => Deno.stderr.writeSync(new TextEncoder().encode(text)),
    now: () => performance.now(),
  });
  using interrupt = new Interrupt(() =>
    display.note(
      flags.file
        ? "Stopped; nothing is kept"
        : "Stopped; the same command goes on from here",
    )
  );
  const result = await fetchDataset(name, {
    dataDir: flags["data-dir"] && userPath(flags["data-dir"]),
    url: flags.url,
    file: flags.file && userPath(flags.file),
    verify: !flags.unchecked,
    stallSeconds: flags["stall-timeout"],
    retries: flags.retries,
    onProgress: (progress) => {
      if (!interrupt.signal.aborted && !flags.quiet) display.show(progress);
    },
    onRetry: (message) => display.note(message),
    signal: interrupt.signal,
  }).catch((error) => {
    if (interrupt.signal.aborted) return undefined;
    throw withFlag(error);
  }).finally(() => display.finish());
  if (!result) return interrupt.code;
  report({ name, ...result }, flags);
  return 0;
});

/** An error that advises a mirror, with the flag that names one. */
function withFlag(error: unknown): unknown {
  if (
    !(error instanceof GapcamError) || !error.message.endsWith("take a mirror")
  ) return error;
  return new GapcamError(error.code, `${error.message} with --url`, {
    cause: error,
  });
}

/** Opens what is there and says how much it is. */
function report(
  { name, folder, fetched }: { name: string; folder: string; fetched: boolean },
  { json }: { json: boolean },
): void {
  const [train, test] = (["train", "test"] as const).map((split) =>
    openDataset(name as DatasetName, split, { dataDir: folder }).length
  );
  console.log(
    json
      ? JSON.stringify({ dataset: name, folder, fetched, train, test })
      : `${name} ${
        fetched ? "is now" : "was already"
      } in ${folder}: ${train} ` +
        `images to train on, ${test} to test on`,
  );
}
