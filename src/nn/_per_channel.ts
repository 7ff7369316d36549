/** One number for each channel, of one for each or one for all. */
export function perChannel(
  values: readonly number[],
  channels: number,
): number[] {
  return values.length === 1
    ? Array<number>(channels).fill(values[0]!)
    : [...values];
}
