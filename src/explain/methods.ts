import { GapcamError } from "../error.ts";
import { nearestNames } from "../_nearest_names.ts";
import type { Method, MethodFacts, MethodName } from "./method.ts";
import { ablationCam } from "./methods/ablation_cam.ts";
import { cam } from "./methods/cam.ts";
import { eigenCam } from "./methods/eigen_cam.ts";
import { finerCam } from "./methods/finer_cam.ts";
import { gradCam } from "./methods/grad_cam.ts";
import { gradCamPlusPlus } from "./methods/grad_cam_plus_plus.ts";
import { hiresCam } from "./methods/hires_cam.ts";
import { integratedGradients } from "./methods/integrated_gradients.ts";
import { layerCam } from "./methods/layer_cam.ts";
import { occlusion } from "./methods/occlusion.ts";
import { scoreCam } from "./methods/score_cam.ts";
import { smoothgrad } from "./methods/smoothgrad.ts";
import { xgradCam } from "./methods/xgrad_cam.ts";

/** Every method, in the order in which they are listed and drawn. */
const ALL: readonly Method[] = [
  cam,
  gradCam,
  gradCamPlusPlus,
  hiresCam,
  xgradCam,
  layerCam,
  eigenCam,
  scoreCam,
  ablationCam,
  finerCam,
  integratedGradients,
  smoothgrad,
  occlusion,
];

/** What is known of every method, in the order in which they are listed. */
export const METHODS: readonly MethodFacts[] = ALL;

/**
 * The method of that name.
 *
 * @throws {GapcamError} If there is none.
 */
export function methodNamed(name: MethodName): Method {
  const method = ALL.find((one) => one.name === name);
  if (method) return method;
  const names = ALL.map((one) => one.name);
  throw new GapcamError(
    "not-found",
    `Cannot explain with ${
      JSON.stringify(name)
    }: no method is called so; the ` +
      `nearest are ${nearestNames(name, names, 3).join(", ")}`,
  );
}
