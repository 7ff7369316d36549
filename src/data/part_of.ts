/**
 * How many images, and from which on, are one rank's of so many: the first ranks
 * have one more where they do not divide.
 */
export function partOf(
  images: number,
  part: { rank: number; size: number },
): { first: number; count: number } {
  const { rank, size } = part;
  const each = Math.floor(images / size);
  const more = images % size;
  return {
    first: rank * each + Math.min(rank, more),
    count: each + (rank < more ? 1 : 0),
  };
}
