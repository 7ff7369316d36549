/** A row of a table of text. */
export interface CsvRow {
  /** Number of its first line in the file, from 1. */
  line: number;
  values: string[];
}

/**
 * Reads comma-separated values as RFC 4180 has them: quotes around a value may
 * hold separators, line ends and doubled quotes. Empty lines are left out, and
 * so is a byte order mark.
 *
 * @param text The whole file.
 * @param separator What stands between values. Default: a comma.
 * @returns The rows, and the line of a quote that is not closed, if there is one.
 */
export function parseCsv(
  text: string,
  separator = ",",
): { rows: CsvRow[]; openQuote: number | undefined } {
  const rows: CsvRow[] = [];
  let line = 1;
  let row: CsvRow = { line, values: [] };
  let value = "";
  let quoted = false;
  let openQuote: number | undefined;
  const endRow = () => {
    row.values.push(value);
    if (row.values.length > 1 || value !== "") rows.push(row);
    value = "";
    row = { line: line + 1, values: [] };
  };
  for (let i = text.charCodeAt(0) === 0xfeff ? 1 : 0; i < text.length; i++) {
    const character = text[i]!;
    if (quoted) {
      if (character === '"') {
        if (text[i + 1] === '"') value += text[++i];
        else quoted = false;
      } else {
        value += character;
        if (character === "\n") line++;
      }
    } else if (character === '"' && value === "") {
      quoted = true;
      openQuote = line;
    } else if (character === separator) {
      row.values.push(value);
      value = "";
    } else if (character === "\n" || character === "\r") {
      if (character === "\r" && text[i + 1] === "\n") i++;
      endRow();
      line++;
    } else value += character;
  }
  endRow();
  return { rows, openQuote: quoted ? openQuote : undefined };
}
