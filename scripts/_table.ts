/**
 * Writes rows as a table: columns as wide as what is in them, two spaces
 * between. Columns without anything in them are left out.
 *
 * @param titles Of the columns.
 * @param rows Texts, as many in each as there are titles.
 * @param options `right`: numbers of the columns that end below each other.
 */
export function formatTable(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
  options: { right?: readonly number[] } = {},
): string {
  const columns = titles.map((_, i) => i)
    .filter((i) => rows.some((row) => row[i] !== ""));
  const all = [titles, ...rows];
  const widths = titles.map((_, i) =>
    Math.max(...all.map((row) => row[i]!.length))
  );
  return all.map((row) =>
    columns.map((i) =>
      options.right?.includes(i)
        ? row[i]!.padStart(widths[i]!)
        : row[i]!.padEnd(widths[i]!)
    ).join("  ").trimEnd()
  ).join("\n");
}
