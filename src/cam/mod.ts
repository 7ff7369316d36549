/**
 * Class activation maps: their arithmetic, their proofs, and how they are drawn.
 *
 * @module
 */

export {
  camFigure,
  type CamFigureOptions,
  type CamFigureSubject,
} from "./cam_figure.ts";
export {
  type ClassActivationMap,
  classActivationMap,
  type ClassActivationMapInput,
} from "./class_activation_map.ts";
export { encodeNpy } from "./encode_npy.ts";
export { evidenceBox, type EvidenceBoxOptions } from "./evidence_box.ts";
export { type EvidenceOptions, evidenceOverlay } from "./evidence_overlay.ts";
export { type EvidenceScale, evidenceScale } from "./evidence_scale.ts";
export {
  methodsFigure,
  type MethodsFigureOptions,
  type MethodsFigureSubject,
  type MethodTile,
} from "./methods_figure.ts";
export { type NormalisedMap, normaliseMap } from "./normalise_map.ts";
export { overlayCam, type OverlayCamOptions } from "./overlay_cam.ts";
export { probabilitiesOf } from "./probabilities_of.ts";
export { type MapProof, proveMap } from "./prove_map.ts";
export { type PlaceProof, placeWeights, provePlace } from "./prove_place.ts";
export { rawMap } from "./raw_map.ts";
export { topFigure, type TopFigureSubject } from "./top_figure.ts";
