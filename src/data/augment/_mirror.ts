/** Mirrors images left to right, in place; u8 [..., width, channels]. */
export function mirrorImages(
  images: Uint8Array,
  { width, channels }: { width: number; channels: number },
): void {
  const row = width * channels;
  for (let start = 0; start < images.length; start += row) {
    let left = start, right = start + row - channels;
    for (; left < right; left += channels, right -= channels) {
      for (let channel = 0; channel < channels; channel++) {
        const kept = images[left + channel]!;
        images[left + channel] = images[right + channel]!;
        images[right + channel] = kept;
      }
    }
  }
}

/** Mirrors one image top to bottom, in place. */
export function mirrorUpsideDown(
  image: Uint8Array,
  { height, width, channels }: {
    height: number;
    width: number;
    channels: number;
  },
): void {
  const row = width * channels;
  for (let top = 0, bottom = height - 1; top < bottom; top++, bottom--) {
    const kept = image.slice(top * row, (top + 1) * row);
    image.copyWithin(top * row, bottom * row, (bottom + 1) * row);
    image.set(kept, bottom * row);
  }
}
