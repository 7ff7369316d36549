/**
 * gapcam trains convolutional classifiers that end in global average pooling,
 * and shows why they decide, as class activation maps.
 *
 * @module
 */

export * from "./src/error.ts";

export { Random } from "./src/random.ts";

export {
  colormap,
  COLORMAP_NAMES,
  type ColormapName,
} from "./src/image/colormap.ts";
export { decodeImage, type DecodeOptions } from "./src/image/decode_image.ts";
export { encodePng, type PngOptions } from "./src/image/encode_png.ts";
export { fitImage, fitRegion, type Region } from "./src/image/fit_image.ts";
export type { FloatMap } from "./src/image/float_map.ts";
export { grid, type GridOptions } from "./src/image/grid.ts";
export { checkImage, type Image } from "./src/image/image.ts";
export { overlay, type OverlayOptions } from "./src/image/overlay.ts";
export { readImage } from "./src/image/read_image.ts";
export { resizeBilinear } from "./src/image/resize_bilinear.ts";
export { resizeMap } from "./src/image/resize_map.ts";
export { toGrey } from "./src/image/to_grey.ts";
export { toRgb } from "./src/image/to_rgb.ts";

export {
  camFigure,
  type CamFigureOptions,
  type CamFigureSubject,
} from "./src/cam/cam_figure.ts";
export {
  type ClassActivationMap,
  classActivationMap,
  type ClassActivationMapInput,
} from "./src/cam/class_activation_map.ts";
export { encodeNpy } from "./src/cam/encode_npy.ts";
export {
  type EvidenceOptions,
  evidenceOverlay,
} from "./src/cam/evidence_overlay.ts";
export { type EvidenceScale, evidenceScale } from "./src/cam/evidence_scale.ts";
export { type NormalisedMap, normaliseMap } from "./src/cam/normalise_map.ts";
export { overlayCam, type OverlayCamOptions } from "./src/cam/overlay_cam.ts";
export { probabilitiesOf } from "./src/cam/probabilities_of.ts";
export { type MapProof, proveMap } from "./src/cam/prove_map.ts";
export {
  type PlaceProof,
  placeWeights,
  provePlace,
} from "./src/cam/prove_place.ts";
export { rawMap } from "./src/cam/raw_map.ts";

export { augment, type Augmentation } from "./src/data/augment.ts";
export {
  type Batch,
  BatchLoader,
  type BatchLoaderOptions,
} from "./src/data/batch_loader.ts";
export { describeImbalance } from "./src/data/class_balance.ts";
export { checkDataset } from "./src/data/check_dataset.ts";
export type { Dataset, UnreadableFile } from "./src/data/dataset.ts";
export { type DatasetArrays, datasetOf } from "./src/data/dataset_of.ts";
export {
  FETCHABLE_DATASETS,
  fetchDataset,
  type FetchDatasetOptions,
  type TransferProgress,
} from "./src/data/fetch_dataset.ts";
export {
  FolderDataset,
  type FolderOptions,
  openFolder,
} from "./src/data/folder.ts";
export { type IdxArray, parseIdx } from "./src/data/idx.ts";
export {
  DATASET_NAMES,
  datasetFolder,
  type DatasetName,
  openDataset,
  type OpenDatasetOptions,
} from "./src/data/open_dataset.ts";
export {
  shapesDataset,
  type ShapesOptions,
} from "./src/data/shapes_dataset.ts";

export {
  type MappedVgg,
  type MapVggOptions,
  mapVggWeights,
  vggFit,
} from "./src/models/map_vgg_weights.ts";
export {
  parseWeights,
  readWeights,
  type WeightsFile,
  type WeightsFit,
  type WeightsOptions,
} from "./src/weights/read_weights.ts";
export {
  parsePytorch,
  type PytorchFile,
  readPytorch,
} from "./src/weights/read_pytorch.ts";
export {
  parseSafetensors,
  readSafetensors,
  SAFETENSORS_HEADER_LIMIT,
  type SafetensorsFile,
} from "./src/weights/read_safetensors.ts";
export {
  type RecognisedVgg,
  recogniseVgg,
  type VggNaming,
} from "./src/models/recognise_vgg.ts";
export type { HostTensor, StateDict } from "./src/host_tensor.ts";
export {
  ELEMENT_BYTES,
  type StoredTensor,
  type StoredType,
  toHostTensor,
  toStateDict,
} from "./src/weights/stored_tensor.ts";
export {
  encodeOnnx,
  type OnnxOptions,
  writeOnnx,
} from "./src/onnx/write_onnx.ts";
export { encodePytorch, writePytorch } from "./src/weights/write_pytorch.ts";
export {
  encodeSafetensors,
  writeSafetensors,
} from "./src/weights/write_safetensors.ts";

export type { Backend } from "./src/device/_library.ts";
export {
  describeBackend,
  Device,
  type DeviceKind,
  type DeviceMemory,
  type DeviceOptions,
  openDevice,
  type Precision,
  type TensorOptions,
} from "./src/device/device.ts";
export {
  type Phase,
  Program,
  type ProgramOptions,
  type ProgramStep,
} from "./src/device/program.ts";
export type { Size2d } from "./src/device/size2d.ts";
export {
  Tensor,
  type TensorData,
  type TensorType,
} from "./src/device/tensor.ts";

export {
  type InferenceOptions,
  InferenceProgram,
} from "./src/nn/inference_program.ts";
export { type LeakyRelu, leakyRelu, relu } from "./src/nn/layers/activation.ts";
export { type BatchNorm2d, batchNorm2d } from "./src/nn/layers/batch_norm2d.ts";
export { type Conv2d, conv2d } from "./src/nn/layers/conv2d.ts";
export {
  type GlobalAveragePool,
  globalAveragePool,
} from "./src/nn/layers/global_average_pool.ts";
export {
  type Layer,
  type Leaf,
  type Sequential,
  sequential,
} from "./src/nn/layers/layer.ts";
export { type Linear, linear } from "./src/nn/layers/linear.ts";
export { type MaxPool2d, maxPool2d } from "./src/nn/layers/max_pool2d.ts";
export {
  type GraphNode,
  graphOf,
  type Model,
  type ModelGraph,
} from "./src/nn/graph_of.ts";
export { type ImageOptions, Network } from "./src/nn/network.ts";
export {
  type Adam,
  adam,
  adamW,
  type Optimiser,
  type Sgd,
  sgd,
  updateSettings,
} from "./src/nn/optimiser.ts";
export {
  initialise,
  MOST_PARAMETERS,
  type Parameter,
  parametersOf,
} from "./src/nn/parameters.ts";
export {
  cosineRate,
  oneCycleRate,
  stepRate,
  warmUpRate,
} from "./src/nn/schedule.ts";
export {
  leastImageSize,
  type ShapedNode,
  shapesOf,
} from "./src/nn/output_shapes.ts";
export { summary } from "./src/nn/summary.ts";
export type {
  TrainingMetrics,
  TrainingOptions,
} from "./src/nn/training_options.ts";
export { TrainingProgram } from "./src/nn/training_program.ts";
export {
  vgg,
  VGG_CONFIGURATIONS,
  type VggName,
  type VggOptions,
  type VggStep,
} from "./src/models/vgg.ts";

export {
  Explainer,
  type ExplainOptions,
  type Explanation,
} from "./src/explain/explainer.ts";

export {
  type Checkpoint,
  CHECKPOINT_VERSION,
  type DatasetConfig,
  noTotals,
  type StepTotals,
  type TrainingProgress,
} from "./src/train/checkpoint.ts";
export {
  readCheckpoint,
  writeCheckpoint,
} from "./src/train/checkpoint_file.ts";
export { LARGEST_LOSS, largestValue } from "./src/train/divergence.ts";
export { evaluate, type EvaluateOptions } from "./src/train/evaluate.ts";
export {
  type ClassResult,
  type Evaluation,
  evaluationOf,
  formatEvaluation,
} from "./src/train/evaluation.ts";
export {
  type DescribedWeights,
  describedWeights,
  type ImportAssumption,
  type ImportedWeights,
  type ImportOptions,
  importWeights,
  usualConventions,
  type WeightConventions,
} from "./src/train/imported_weights.ts";
export {
  type InitialWeights,
  initialWeights,
} from "./src/train/initial_weights.ts";
export {
  learningRateAt,
  type ScheduleName,
  SCHEDULES,
} from "./src/train/learning_rate.ts";
export {
  buildModel,
  MODEL_NAMES,
  type ModelConfig,
  parseModel,
} from "./src/models/model_config.ts";
export {
  choosePreset,
  DATASET_DEFAULTS,
  type Preset,
  type PresetName,
  PRESETS,
  type Surroundings,
  type TrainingDefaults,
} from "./src/train/presets.ts";
export {
  checkpointsIn,
  findCheckpoint,
  newestCheckpoint,
} from "./src/train/find_checkpoint.ts";
export {
  newRunFolder,
  openRunFolder,
  type RunFolder,
} from "./src/train/run_folder.ts";
export { readRunLog, RunLog, type RunLogRecord } from "./src/train/run_log.ts";
export {
  train,
  type TrainOptions,
  type TrainResult,
} from "./src/train/train.ts";
export type { EpochOptions, StepReport } from "./src/train/epoch_options.ts";
export { Trainer } from "./src/train/trainer.ts";
export {
  type OptimiserName,
  OPTIMISERS,
  type TrainingConfig,
  trainingConfig,
} from "./src/train/training_config.ts";
