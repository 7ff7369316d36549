import { printable } from "../src/_printable.ts";
import type { Dataset } from "../src/data/dataset.ts";

const MOST_LISTED = 20;

/** Lists on stderr the files of data sets that turned out to be unreadable. */
export function listUnreadable(...datasets: readonly Dataset[]): void {
  const all = datasets.flatMap((dataset) => dataset.unreadable ?? []);
  const files = [...new Map(all.map((file) => [file.path, file])).values()];
  if (files.length === 0) return;
  console.error(
    `\n${files.length} ${files.length === 1 ? "file" : "files"} could not be ` +
      "read and counted nowhere:",
  );
  for (const { reason } of files.slice(0, MOST_LISTED)) {
    console.error(`  ${printable(reason, 1000)}`);
  }
  if (files.length > MOST_LISTED) {
    console.error(`  and ${files.length - MOST_LISTED} more`);
  }
}
