/**
 * Filters rows for a PNG stream: one byte for the filter, then the filtered
 * row, with the filter of 0 to 4 that gives the smallest sum of absolute
 * differences (of bytes taken as signed).
 */
export function filterRows(
  data: Uint8Array,
  { first, height, width, channels }: {
    /** The first of the rows; the one above it counts for its filter. */
    first: number;
    height: number;
    width: number;
    channels: number;
  },
): Uint8Array {
  const stride = width * channels;
  const stream = new Uint8Array(height * (stride + 1));
  let candidate = new Uint8Array(stride);
  let best = new Uint8Array(stride);
  let above = first === 0
    ? new Uint8Array(stride)
    : rowAt(data, first - 1, stride);
  for (let y = 0; y < height; y++) {
    const row = rowAt(data, first + y, stride);
    let smallest = Infinity;
    let chosen = 0;
    for (let filter = 0; filter < 5; filter++) {
      filterRow(filter, row, above, channels, candidate);
      const sum = sumOfDifferences(candidate, smallest);
      if (sum < smallest) {
        smallest = sum;
        chosen = filter;
        [best, candidate] = [candidate, best];
      }
    }
    stream[y * (stride + 1)] = chosen;
    stream.set(best, y * (stride + 1) + 1);
    above = row;
  }
  return stream;
}

function rowAt(data: Uint8Array, y: number, stride: number): Uint8Array {
  return data.subarray(y * stride, (y + 1) * stride);
}

function sumOfDifferences(row: Uint8Array, limit: number): number {
  let sum = 0;
  for (let i = 0; i < row.length; i++) {
    const value = row[i]!;
    sum += value < 128 ? value : 256 - value;
    if (sum >= limit) break;
  }
  return sum;
}

function filterRow(
  filter: number,
  row: Uint8Array,
  above: Uint8Array,
  channels: number,
  target: Uint8Array,
): void {
  const length = row.length;
  switch (filter) {
    case 0:
      target.set(row);
      return;
    case 1:
      for (let i = 0; i < length; i++) {
        target[i] = row[i]! - (i < channels ? 0 : row[i - channels]!);
      }
      return;
    case 2:
      for (let i = 0; i < length; i++) target[i] = row[i]! - above[i]!;
      return;
    case 3:
      for (let i = 0; i < length; i++) {
        const left = i < channels ? 0 : row[i - channels]!;
        target[i] = row[i]! - ((left + above[i]!) >> 1);
      }
      return;
    default:
      for (let i = 0; i < length; i++) {
        const left = i < channels ? 0 : row[i - channels]!;
        const corner = i < channels ? 0 : above[i - channels]!;
        target[i] = row[i]! - paeth(left, above[i]!, corner);
      }
  }
}

/** Of its three neighbours, the one nearest to left + above - corner (A. W. Paeth, 1991). */
function paeth(left: number, above: number, corner: number): number {
  const estimate = left + above - corner;
  const toLeft = Math.abs(estimate - left);
  const toAbove = Math.abs(estimate - above);
  const toCorner = Math.abs(estimate - corner);
  if (toLeft <= toAbove && toLeft <= toCorner) return left;
  return toAbove <= toCorner ? above : corner;
}
