/**
 * gapcam trains convolutional classifiers that end in global average pooling,
 * and shows why they decide, as class activation maps.
 *
 * Here is what a script needs that trains, evaluates or explains. What lies
 * below has entry points of its own: `@gapcam/gapcam/cam` (the arithmetic
 * of maps and their proofs), `@gapcam/gapcam/device` (tensors and programs),
 * `@gapcam/gapcam/image` (pictures, resizing, colours) and
 * `@gapcam/gapcam/weights` (safetensors and PyTorch's files).
 *
 * @module
 */

// Errors

export * from "./src/error.ts";

// Pictures; more in ./src/image/mod.ts

export { encodePng, type PngOptions } from "./src/image/encode_png.ts";
export { fitImage } from "./src/image/fit_image.ts";
export type { Region } from "./src/image/fit_image.ts";
export type { FloatMap } from "./src/image/float_map.ts";
export type { Image } from "./src/image/image.ts";
export { readImage } from "./src/image/read_image.ts";

// Data sets

export type { Augmentation } from "./src/data/augment/augmentation.ts";
export type { Mixing } from "./src/data/augment/mix.ts";
export {
  type Batch,
  BatchLoader,
  type BatchLoaderOptions,
} from "./src/data/batch_loader.ts";
export type {
  Dataset,
  LabelledBox,
  SplitName,
  UnreadableFile,
} from "./src/data/dataset.ts";
export { type DatasetArrays, datasetOf } from "./src/data/dataset_of.ts";
export {
  FETCHABLE_DATASETS,
  fetchDataset,
  type FetchDatasetOptions,
  type TransferProgress,
} from "./src/data/fetch_dataset.ts";
export {
  type FolderDataset,
  type FolderOptions,
  openFolder,
} from "./src/data/folder.ts";
export {
  type MosaicDataset,
  mosaicOf,
  type MosaicOptions,
} from "./src/data/mosaic_of.ts";
export {
  DATASET_NAMES,
  type DatasetName,
  openDataset,
  type OpenDatasetOptions,
} from "./src/data/open_dataset.ts";
export {
  shapesDataset,
  type ShapesOptions,
} from "./src/data/shapes_dataset.ts";

export {
  type ValidationSplit,
  validationSplit,
} from "./src/data/validation_split.ts";

// Devices; more in ./src/device/mod.ts

export type { Device } from "./src/device/device.ts";
export type {
  DeviceKind,
  DeviceOptions,
  Precision,
} from "./src/device/device_options.ts";
export { Communicator, type ReduceOrder } from "./src/device/communicator.ts";
export type { CommunicatorDescription } from "./src/device/communicator_description.ts";
export { openCommunicator } from "./src/device/open_communicator.ts";
export {
  findLauncher,
  type Launcher,
  type Meeting,
} from "./src/device/launcher.ts";
export { openDevice } from "./src/device/open_device.ts";

// Models

export {
  type Activation,
  activation,
  type ActivationName,
  type Clip,
  clip,
  type LeakyRelu,
  leakyRelu,
  relu,
  relu6,
} from "./src/nn/layers/activation.ts";
export {
  type AveragePool2d,
  averagePool2d,
} from "./src/nn/layers/average_pool2d.ts";
export { type BatchNorm2d, batchNorm2d } from "./src/nn/layers/batch_norm2d.ts";
export {
  type ChannelShuffle,
  channelShuffle,
  type SliceChannels,
  sliceChannels,
} from "./src/nn/layers/channels.ts";
export type { AnyPadding, HeldPadding } from "./src/nn/layers/_checks.ts";
export { type Conv2d, conv2d } from "./src/nn/layers/conv2d.ts";
export {
  type Dropout,
  dropout,
  type StochasticDepth,
  stochasticDepth,
} from "./src/nn/layers/dropout.ts";
export { type Flatten, flatten } from "./src/nn/layers/flatten.ts";
export {
  type GlobalAveragePool,
  globalAveragePool,
} from "./src/nn/layers/global_average_pool.ts";
export {
  type Branches,
  branches,
  type Layer,
  type Leaf,
  residual,
  type Sequential,
  sequential,
} from "./src/nn/layers/layer.ts";
export type { Add, Concatenate, Join, Multiply } from "./src/nn/layers/join.ts";
export type { NodeLayer } from "./src/nn/layers/_kinds.ts";
export { type Linear, linear } from "./src/nn/layers/linear.ts";
export { type MaxPool2d, maxPool2d } from "./src/nn/layers/max_pool2d.ts";
export {
  type GraphNode,
  graphOf,
  type Model,
  type ModelGraph,
} from "./src/nn/graph_of.ts";
export {
  leastImageSize,
  type ShapedNode,
  shapesOf,
} from "./src/nn/output_shapes.ts";
export {
  initialise,
  type Parameter,
  parametersOf,
} from "./src/nn/parameters.ts";
export { strideOf } from "./src/nn/stride_of.ts";
export {
  type DescribedLayer,
  describeModel,
  type ModelDescription,
} from "./src/nn/describe_model.ts";
export { summary } from "./src/nn/summary.ts";
export {
  vgg,
  VGG_CONFIGURATIONS,
  type VggName,
  type VggOptions,
  type VggStep,
} from "./src/models/vgg.ts";

// Networks: models on a device

export {
  type InferenceOptions,
  InferenceProgram,
} from "./src/nn/inference_program.ts";
export { type ImageOptions, Network } from "./src/nn/network.ts";
export {
  type Adam,
  adam,
  adamW,
  type Optimiser,
  type Sgd,
  sgd,
} from "./src/nn/optimiser.ts";
export {
  cosineRate,
  oneCycleRate,
  stepRate,
  warmUpRate,
} from "./src/nn/schedule.ts";
export type {
  StepOptions,
  TrainingLoss,
  TrainingMetrics,
  TrainingOptions,
} from "./src/nn/training_options.ts";
export { TrainingProgram } from "./src/nn/training_program.ts";

// Training and testing

export type {
  Checkpoint,
  DatasetConfig,
  StepTotals,
  TrainingProgress,
} from "./src/train/checkpoint.ts";
export {
  readCheckpoint,
  writeCheckpoint,
} from "./src/train/checkpoint_file.ts";
export type { EpochOptions, StepReport } from "./src/train/epoch_options.ts";
export { evaluate, type EvaluateOptions } from "./src/train/evaluate.ts";
export type {
  ClassResult,
  Confusion,
  Evaluation,
} from "./src/train/evaluation.ts";
export type { ImageAnswer } from "./src/train/image_answer.ts";
export {
  findLearningRate,
  type FindLearningRateOptions,
  type LearningRateCurve,
} from "./src/train/find_learning_rate.ts";
export type { ScheduleName } from "./src/train/learning_rate.ts";
export { openRunFolder, type RunFolder } from "./src/train/run_folder.ts";
export {
  type FollowOptions,
  followRunLog,
} from "./src/train/follow_run_log.ts";
export type {
  CheckpointEvent,
  DivergenceEvent,
  EpochEvent,
  EvaluationEvent,
  HistogramsEvent,
  IntervalEvent,
  Machine,
  RunEvent,
  StartEvent,
  StopEvent,
  TimedEvent,
  ValidationEvent,
} from "./src/train/run_event.ts";
export type { TensorHistogram } from "./src/train/tensor_histogram.ts";
export { readRunLog } from "./src/train/run_log.ts";
export type { OptimiserName } from "./src/train/optimiser_of.ts";
export { train } from "./src/train/train.ts";
export type {
  RunMoment,
  TrainOptions,
  TrainResult,
} from "./src/train/train_options.ts";
export { Trainer } from "./src/train/trainer.ts";
export {
  type TrainingConfig,
  trainingConfig,
} from "./src/train/training_config.ts";
export type {
  BestEpoch,
  ValidationProgress,
} from "./src/train/validation_progress.ts";

// Explanations; more in ./src/cam/mod.ts

export {
  camFigure,
  type CamFigureOptions,
  type CamFigureSubject,
} from "./src/cam/cam_figure.ts";
export type { ClassActivationMap } from "./src/cam/class_activation_map.ts";
export {
  type EvidenceOptions,
  evidenceOverlay,
} from "./src/cam/evidence_overlay.ts";
export { probabilitiesOf } from "./src/cam/probabilities_of.ts";
export type { MapProof } from "./src/cam/prove_map.ts";
export type { PlaceProof } from "./src/cam/prove_place.ts";
export {
  Explainer,
  type ExplainOptions,
  type Explanation,
} from "./src/explain/explainer.ts";
export type {
  MethodExplanation,
  MethodFacts,
  MethodName,
  MethodSettings,
  Standing,
} from "./src/explain/method.ts";
export {
  MethodExplainer,
  type MethodOptions,
} from "./src/explain/method_explainer.ts";
export { METHODS } from "./src/explain/methods.ts";
export { CONTROL_METHODS } from "./src/explain/exam/controls.ts";
export type {
  Curves,
  Exam,
  MethodResult,
  Randomisation,
  Score,
} from "./src/explain/exam/exam.ts";
export type { ExamMethod, MapSource } from "./src/explain/exam/exam_method.ts";
export {
  type ExamMethodOptions,
  examMethods,
} from "./src/explain/exam/exam_methods.ts";
export { examine } from "./src/explain/exam/examine.ts";
export type {
  ExaminedImage,
  ExamineOptions,
} from "./src/explain/exam/examine_options.ts";
export {
  MEASURE_NAMES,
  type MeasureName,
  SCORE_KINDS,
  type ScoreKind,
  type ScoreName,
} from "./src/explain/exam/measures.ts";
export type {
  OutputMeaning,
  Target,
  TargetChoice,
} from "./src/explain/target.ts";
export {
  predict,
  type Prediction,
  type PredictOptions,
  type UnreadableImage,
} from "./src/predict/predict.ts";

// Runs for others to look at

export { modelSvg } from "./src/watch/model_svg.ts";
export { show, type ShowCamOptions, type TableRow } from "./src/watch/show.ts";
export { Shown } from "./src/watch/shown.ts";

// Weights from and for elsewhere; more in ./src/weights/mod.ts

export type { HostTensor, StateDict } from "./src/host_tensor.ts";
export {
  type MappedVgg,
  type MapVggOptions,
  mapVggWeights,
  vggFit,
} from "./src/models/map_vgg_weights.ts";
export {
  type RecognisedVgg,
  recogniseVgg,
  type VggNaming,
} from "./src/models/recognise_vgg.ts";
export {
  encodeOnnx,
  type OnnxOptions,
  writeOnnx,
} from "./src/onnx/write_onnx.ts";
export type { ImportedOnnx } from "./src/onnx/import_onnx.ts";
export { readOnnx } from "./src/onnx/read_onnx.ts";
export {
  type ImportAssumption,
  type ImportedWeights,
  type ImportOptions,
  importWeights,
} from "./src/train/imported_weights.ts";
export { importPretrained } from "./src/train/import_pretrained.ts";
export type { WeightConventions } from "./src/train/usual_conventions.ts";
export {
  type InitialWeights,
  initialWeights,
} from "./src/train/initial_weights.ts";
export {
  readWeights,
  type WeightsFile,
  type WeightsFit,
  type WeightsOptions,
} from "./src/weights/read_weights.ts";
