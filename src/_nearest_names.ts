/**
 * The names that a misspelt one may have meant, the nearest first.
 *
 * @param most How many.
 */
export function nearestNames(
  name: string,
  names: readonly string[],
  most = 5,
): string[] {
  return names
    .map((one, i) => ({ one, i, distance: editDistance(name, one) }))
    .sort((a, b) => a.distance - b.distance || b.i - a.i)
    .slice(0, most)
    .map(({ one }) => one);
}

/** Letters to add, drop or change (Levenshtein 1966). */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      next.push(Math.min(
        row[j]! + 1,
        next[j - 1]! + 1,
        row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1),
      ));
    }
    row = next;
  }
  return row[to.length]!;
}
