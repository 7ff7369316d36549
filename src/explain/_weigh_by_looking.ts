import { ExplainProgram, type LayerValues } from "./_explain_program.ts";
import type { MapLayer } from "./_layer_named.ts";
import { type Chosen, chosenOf, weightedMap } from "./_layer_method.ts";
import { meanOverLayers } from "./_mean_over_layers.ts";
import type {
  MethodSetup,
  PreparedMethod,
  RawExplanation,
  Standing,
} from "./method.ts";

/** One image and what the network made of it. */
export interface SeenImage extends Chosen {
  /** What a node made; -1 is the image, normalised. A view. */
  valuesOf(node: number): LayerValues;
}

/** Channels' weights, and how far an identity that must hold is from holding. */
export interface Weighed {
  readonly weights: Float32Array;
  readonly residual?: number;
}

/**
 * Compiles a method whose map is a layer's channels, each with a weight that is
 * found by looking again.
 *
 * @param options `nodes`: whose values the method needs beside the layers' own.
 * `weigh`: finds the weights of one image's layer. `owned`: what is freed at last.
 */
export async function prepareWeighing(
  { network, images, layers, tolerance }: MethodSetup,
  { nodes, weigh, standing, owned }: {
    nodes: readonly number[];
    weigh: (image: SeenImage, layer: MapLayer) => Promise<Weighed>;
    standing: Standing;
    owned: DisposableStack;
  },
): Promise<PreparedMethod> {
  using stack = owned;
  const all = [...new Set([...layers.map(({ node }) => node), ...nodes])];
  const program = stack.use(
    await ExplainProgram.compile(network, {
      ...images,
      source: "pixels",
      layers: all,
    }),
  );
  const kept = stack.move();
  return {
    batchSize: program.batchSize,
    async explain(pixels, choose) {
      const logits = await program.forward(pixels);
      all.forEach((_, i) => program.readValues(i));
      const sums = all.map((_, i) => program.valueSums(i));
      const explanations: RawExplanation[] = [];
      const chosen = chosenOf(logits, program.outputs, { choose });
      for (const [i, one] of chosen.entries()) {
        const image: SeenImage = {
          ...one,
          valuesOf: (node) => program.values(all.indexOf(node), i),
        };
        const maps = [];
        let residual: number | undefined;
        for (const layer of layers) {
          const weighed = await weigh(image, layer);
          residual = weighed.residual;
          const values = image.valuesOf(layer.node);
          const [channels] = values.shape;
          const own = sums[all.indexOf(layer.node)]!
            .subarray(i * channels, (i + 1) * channels);
          maps.push(
            weightedMap({ values, sums: own, tolerance }, weighed.weights),
          );
        }
        explanations.push({
          value: one.target.valueOf(one.logits),
          ...(maps.length > 1
            ? { ...meanOverLayers(maps), standing: "heuristic" }
            : {
              ...maps[0]!,
              standing,
              ...(residual === undefined ? {} : { residual }),
            }),
        });
      }
      return { logits, explanations };
    },
    [Symbol.dispose]: () => kept.dispose(),
  };
}
