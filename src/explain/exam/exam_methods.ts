import { nearestNames } from "../../_nearest_names.ts";
import { GapcamError } from "../../error.ts";
import { MethodExplainer, type MethodOptions } from "../method_explainer.ts";
import { METHODS } from "../methods.ts";
import type { ImageOptions } from "../../nn/network.ts";
import { CONTROL_METHODS } from "./controls.ts";
import type { ExamMethod } from "./exam_method.ts";

/** How methods are set up for an exam: their layer and numbers. */
export type ExamMethodOptions = Omit<
  MethodOptions,
  keyof ImageOptions | "method"
>;

/**
 * Methods to examine, by name; the controls' names are known too.
 *
 * @param names Their names, or `"all"`: every method, and the controls.
 * @param options Layer and numbers.
 * @throws {GapcamError} If there is no such method; the nearest are named.
 *
 * @example
 * ```ts
 * import { examMethods } from "@gapcam/gapcam";
 *
 * const [cam, random] = examMethods(["cam", "random"]);
 * if (cam!.name !== "cam" || random!.name !== "random") throw new Error();
 * ```
 */
export function examMethods(
  names: readonly string[] | "all",
  options: ExamMethodOptions = {},
): ExamMethod[] {
  const all: readonly ExamMethod[] = [
    ...METHODS.map((facts): ExamMethod => ({
      name: facts.name,
      async open(network, images) {
        // A layer concerns those alone that look at one.
        const { layer, ...rest } = options;
        const explainer = await MethodExplainer.create(network, {
          ...images,
          ...rest,
          ...(layer !== undefined && facts.looksAt === "layer"
            ? { layer }
            : {}),
          method: facts.name,
        });
        return {
          maps: async (pixels, targets) =>
            (await explainer.explain(pixels, targets)).map(({ map }) => map),
          [Symbol.dispose]: () => explainer[Symbol.dispose](),
        };
      },
    })),
    ...CONTROL_METHODS,
  ];
  if (names === "all") return [...all];
  return names.map((name) => {
    const found = all.find((one) => one.name === name);
    if (found) return found;
    throw new GapcamError(
      "not-found",
      `Cannot examine ${JSON.stringify(name)}: no method is called so; the ` +
        `nearest are ${
          nearestNames(name, all.map((one) => one.name), 3).join(", ")
        }`,
    );
  });
}
