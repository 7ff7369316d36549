import type { Random } from "../random.ts";

/** The images of an epoch, in order. */
export interface EpochOrder {
  /** Numbers of images. */
  indices: Uint32Array;
  /** How often each was shown before in the same epoch. */
  occurrences: Uint32Array;
}

/** Each image once, in the data set's order or one of chance. */
export function plainOrder(length: number, random?: Random): EpochOrder {
  const indices = new Uint32Array(length);
  for (let i = 0; i < length; i++) indices[i] = i;
  random?.shuffle(indices);
  return { indices, occurrences: new Uint32Array(length) };
}

/**
 * Each class as often as the others, to one image, in an order of chance: those
 * of small classes come again once all of their class were shown, of large ones
 * some do not come. As many images as there are; those without a label do not
 * come.
 */
export function balancedOrder(
  labels: Int32Array,
  random: Random,
): EpochOrder {
  const byClass = new Map<number, number[]>();
  labels.forEach((label, index) => {
    if (label < 0) return;
    const images = byClass.get(label);
    if (images) images.push(index);
    else byClass.set(label, [index]);
  });
  const classes = [...byClass.keys()].sort((a, b) => a - b);
  if (classes.length === 0) return plainOrder(labels.length, random);
  const slots: number[] = [];
  while (slots.length < labels.length) {
    // Which classes get one more where they cannot all get as many is chance.
    slots.push(...random.shuffle([...classes]));
  }
  slots.length = labels.length;
  random.shuffle(slots);
  const next = new Map(classes.map((label) => [label, 0]));
  const order = plainOrder(labels.length);
  slots.forEach((label, i) => {
    const images = byClass.get(label)!;
    const place = next.get(label)!;
    if (place % images.length === 0) random.shuffle(images);
    order.indices[i] = images[place % images.length]!;
    order.occurrences[i] = Math.floor(place / images.length);
    next.set(label, place + 1);
  });
  return order;
}
