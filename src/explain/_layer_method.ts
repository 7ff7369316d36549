import {
  type PlaceProof,
  placeWeights,
  provePlace,
} from "../cam/prove_place.ts";
import { rawMap } from "../cam/raw_map.ts";
import type { FloatMap } from "../image/float_map.ts";
import { ExplainProgram, type LayerValues } from "./_explain_program.ts";
import { meanOverLayers, type PlacedMap } from "./_mean_over_layers.ts";
import type { DeviceMapKind } from "./_device_map.ts";
import { proveTotal, type Total, totalOf } from "./_total.ts";
import type {
  ChooseTarget,
  MethodSetup,
  PreparedMethod,
  RawExplanation,
  Standing,
} from "./method.ts";
import type { LinearTarget } from "./target.ts";

/** How a method makes a layer's map. */
export type MapRule =
  /** The device makes it. */
  | {
    readonly made: Exclude<DeviceMapKind, "values">;
    /** Whether the map is that times the number of places. Default: false. */
    readonly timesPlaces?: boolean;
  }
  /** A sum of the layer's channels, each with a weight of one image's values. */
  | { readonly weights: (values: LayerValues) => Float32Array };

/** What tells one such method from another. */
export interface LayerMethodParts {
  readonly rule: MapRule;
  /**
   * What it is worth that the last map's total is the explained sum of logits
   * without biases; undefined where it need not be.
   */
  readonly total?: Exclude<Standing, "heuristic">;
  /** What is explained in place of what was asked for. */
  readonly choose?: (
    target: LinearTarget,
    logits: Float32Array,
  ) => LinearTarget;
}

/** Compiles a method that makes maps of layers' values and gradients. */
export async function prepareLayerMethod(
  { network, images, layers, tolerance }: MethodSetup,
  { rule, total: worth, choose: own = (target) => target }: LayerMethodParts,
): Promise<PreparedMethod> {
  const made = "made" in rule ? rule.made : undefined;
  const program = await ExplainProgram.compile(network, {
    ...images,
    source: "pixels",
    layers: layers.map(({ node }) => node),
    ...(made ? { gradients: made } : {}),
    features: !made,
  });
  const totals = layers.map(({ node }) =>
    worth && layers.length === 1 ? totalOf(network, node) : undefined
  );
  return {
    batchSize: program.batchSize,
    async explain(pixels, choose) {
      const logits = await program.forward(pixels);
      const chosen = chosenOf(logits, program.outputs, {
        choose: (row, i) => own(choose(row, i), row),
      });
      if (made) {
        await program.backward(
          Float32Array.from(chosen.flatMap(({ seed }) => [...seed])),
        );
      }
      const layered = layers.map((_, layer) =>
        readLayer(program, layer, { rule, count: chosen.length, tolerance })
      );
      const explanations = chosen.map((one, i): RawExplanation => {
        const maps = layered.map((images) => images[i]!);
        return {
          value: one.target.valueOf(one.logits),
          ...(maps.length > 1
            ? { ...meanOverLayers(maps), standing: "heuristic" }
            : {
              ...standingOf(maps[0]!.map, one, {
                total: totals[0],
                worth,
                tolerance,
              }),
              ...maps[0]!,
              map: scaledMap(maps[0]!.map, rule),
            }),
        };
      });
      return { logits, explanations };
    },
    [Symbol.dispose]: () => program[Symbol.dispose](),
  };
}

/** What is explained of each image. */
export interface Chosen {
  readonly target: LinearTarget;
  readonly logits: Float32Array;
  readonly seed: Float32Array;
}

/** Chooses what is explained of each image of a batch. */
export function chosenOf(
  logits: Float32Array,
  outputs: number,
  { choose }: { choose: ChooseTarget },
): Chosen[] {
  return Array.from({ length: logits.length / outputs }, (_, i) => {
    const own = logits.slice(i * outputs, (i + 1) * outputs);
    const target = choose(own, i);
    return { target, logits: own, seed: target.seedOf(own) };
  });
}

function standingOf(
  map: FloatMap,
  { logits, seed }: Chosen,
  { total, worth, tolerance }: {
    total: Total | undefined;
    worth: Standing | undefined;
    tolerance: number;
  },
): { standing: Standing; residual?: number } {
  if (!total || !worth) return { standing: "heuristic" };
  const { residual } = proveTotal(map, { total, logits, seed, tolerance });
  return { standing: worth, residual };
}

function scaledMap(map: FloatMap, rule: MapRule): FloatMap {
  if (!("made" in rule && rule.timesPlaces)) return map;
  const places = map.data.length;
  return { ...map, data: map.data.map((value) => places * value) };
}

/** Each image's map of one layer. */
function readLayer(
  program: ExplainProgram,
  layer: number,
  { rule, count, tolerance }: {
    rule: MapRule;
    count: number;
    tolerance: number;
  },
): PlacedMap[] {
  if ("made" in rule) {
    const witnesses = program.gradientSums(layer);
    return Array.from({ length: count }, (_, i) => {
      const { shape: [, height, width], data } = program.gradients(layer, i);
      const map = { height, width, data: data.slice() };
      const sums = [witnesses[i]!];
      return {
        map,
        place: provePlace(map, { sums, weights: [1] }, { tolerance }),
      };
    });
  }
  program.readValues(layer);
  const sums = program.valueSums(layer);
  return Array.from({ length: count }, (_, i) => {
    const values = program.values(layer, i);
    const [channels] = values.shape;
    const own = sums.subarray(i * channels, (i + 1) * channels);
    return weightedMap({ values, sums: own, tolerance }, rule.weights(values));
  });
}

/** A layer's channels, each times its weight, summed; and the proof of places. */
export function weightedMap(
  { values, sums, tolerance }: {
    values: LayerValues;
    sums: Float32Array;
    tolerance: number;
  },
  weights: Float32Array,
): PlacedMap {
  const map = rawMap(values, {
    shape: [1, weights.length],
    data: weights,
  }, 0);
  return { map, place: provePlace(map, { sums, weights }, { tolerance }) };
}

/**
 * Proves that values stand at their places, by the device's sum of them over
 * channels and places.
 */
export function provePlaces(
  values: LayerValues,
  { witness, tolerance }: { witness: number; tolerance: number },
): PlaceProof {
  const { shape: [, height, width], data } = values;
  const weights = placeWeights(height, width);
  // Channels cancel: what is summed is larger than the sum.
  let size = 0;
  for (let i = 0; i < data.length; i++) {
    size += Math.abs(weights[i % weights.length]! * data[i]!);
  }
  const map = channelSum(values);
  return provePlace(map, { sums: [witness], weights: [1] }, {
    tolerance,
    size,
  });
}

/** The sum over channels; a copy. */
export function channelSum({ shape, data }: LayerValues): FloatMap {
  const [channels, height, width] = shape;
  const area = height * width;
  const sums = new Float64Array(area);
  for (let k = 0; k < channels; k++) {
    for (let i = 0; i < area; i++) sums[i]! += data[k * area + i]!;
  }
  return { height, width, data: Float32Array.from(sums) };
}
