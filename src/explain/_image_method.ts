import type { ImageOptions, Network } from "../nn/network.ts";
import { preparedSize } from "../nn/record.ts";
import { ExplainProgram, type LayerValues } from "./_explain_program.ts";
import { type Chosen, chosenOf, provePlaces } from "./_layer_method.ts";
import type { DeviceMapKind } from "./_device_map.ts";
import type { MethodSetup, PreparedMethod, RawExplanation } from "./method.ts";

/** One image, as the network reads it, and what is explained of it. */
export interface PreparedImage extends Chosen {
  /** f32 [channels, height, width], normalised; a view. */
  readonly values: LayerValues;
}

/** A network that looks at floats, and room for a batch of them. */
export interface Looks {
  readonly program: ExplainProgram;
  readonly buffer: Float32Array;
}

/** Compiles a network that looks at images which the host makes. */
export async function compileLooks(
  network: Network,
  images: ImageOptions,
  options: { batchSize: number; gradients?: DeviceMapKind },
): Promise<Looks> {
  const { height, width } = preparedSize(images);
  const program = await ExplainProgram.compile(network, {
    ...images,
    ...options,
    source: "floats",
    layers: [-1],
  });
  const size = images.image.channels * height * width;
  return { program, buffer: new Float32Array(options.batchSize * size) };
}

/**
 * Compiles a method that looks at each image many times: the images are read as
 * the network reads them, and each is explained by itself.
 */
export async function prepareImageMethod(
  { network, images, tolerance, settings }: MethodSetup,
  options: {
    gradients?: DeviceMapKind;
    explain: (image: PreparedImage, looks: Looks) => Promise<RawExplanation>;
  },
): Promise<PreparedMethod> {
  using stack = new DisposableStack();
  const program = stack.use(
    await ExplainProgram.compile(network, {
      ...images,
      source: "pixels",
      layers: [-1],
    }),
  );
  const looks = await compileLooks(network, images, {
    batchSize: settings.lookBatch,
    ...(options.gradients ? { gradients: options.gradients } : {}),
  });
  stack.use(looks.program);
  const owned = stack.move();
  return {
    batchSize: program.batchSize,
    async explain(pixels, choose) {
      const logits = await program.forward(pixels);
      program.readValues(0);
      const sums = program.valueSums(0);
      const chosen = chosenOf(logits, program.outputs, { choose });
      const explanations: RawExplanation[] = [];
      for (const [i, one] of chosen.entries()) {
        const values = program.values(0, i);
        const [channels] = values.shape;
        const witness = sums.subarray(i * channels, (i + 1) * channels)
          .reduce((a, b) => a + b, 0);
        provePlaces(values, { witness, tolerance });
        explanations.push(await options.explain({ ...one, values }, looks));
      }
      return { logits, explanations };
    },
    [Symbol.dispose]: () => owned.dispose(),
  };
}
