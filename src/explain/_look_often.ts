import type { ExplainProgram } from "./_explain_program.ts";

/** Writes one image into its place in a batch: f32 [channels, height, width]. */
export type FillImage = (index: number, target: Float32Array) => void;

/**
 * Shows a network many images that the host makes, a batch at a time. While the
 * device looks at one, the next is made.
 *
 * @param program A program from floats.
 * @param buffer Room for a batch; what it holds afterwards means nothing.
 * @param options `count`: how many images. `fill`: makes one. `seen`: what is
 * done with a batch's logits before the next one is shown.
 */
export async function lookOften(
  program: ExplainProgram,
  buffer: Float32Array,
  { count, fill, seen }: {
    count: number;
    fill: FillImage;
    seen: (
      logits: Float32Array,
      range: { start: number; count: number },
    ) => void | Promise<void>;
  },
): Promise<void> {
  const { batchSize } = program;
  const size = buffer.length / batchSize;
  const make = (start: number) => {
    const end = Math.min(start + batchSize, count);
    for (let i = start; i < end; i++) {
      fill(i, buffer.subarray((i - start) * size, (i - start + 1) * size));
    }
  };
  make(0);
  for (let start = 0; start < count; start += batchSize) {
    // The device has a copy of the buffer as soon as this returns.
    const looking = program.forward(buffer);
    if (start + batchSize < count) make(start + batchSize);
    const some = Math.min(batchSize, count - start);
    const logits = await looking;
    await seen(logits.subarray(0, some * program.outputs), {
      start,
      count: some,
    });
  }
}
