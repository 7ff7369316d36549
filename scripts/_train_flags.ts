import {
  DATASET_DEFAULTS,
  FINE_TUNING,
  PRESETS,
  type TrainingDefaults,
} from "../src/train/presets.ts";
import { OPTIMISERS } from "../src/train/optimiser_of.ts";
import { SCHEDULES } from "../src/train/learning_rate.ts";
import { type TrainingConfig } from "../src/train/training_config.ts";
import { AUGMENT_HELP } from "./_augment_flag.ts";
import { type Flag, type FlagValues, QUIET_FLAG } from "./_command.ts";
import { datasetFlags } from "./_dataset_flags.ts";
import { DEVICE_FLAGS } from "./_device_flags.ts";

/** What training starts from where a flag is left out: of a data set, and of `seed`. */
function started(value: (defaults: TrainingDefaults) => unknown): string {
  const usual = String(value(DATASET_DEFAULTS["fashion-mnist"]));
  const seed = String(value(PRESETS.seed));
  return usual === seed ? usual : `${usual}; of the preset seed ${seed}`;
}

function trained(name: keyof TrainingConfig): string {
  return started(({ training }) => training[name]);
}

/** Flags of `deno task train`. */
export const TRAIN_FLAGS = {
  preset: {
    type: "string",
    choices: Object.keys(PRESETS),
    help: "a whole job; other flags change parts of it",
    default: "seed where STL-10 is there and a GPU in use, else quick",
    placeholder: "NAME",
  },
  ...datasetFlags({
    help: "what to train on",
    default: "the preset's",
    folder: "data/NAME",
  }),
  model: {
    type: "string",
    help: "vgg11, vgg13, vgg16, vgg19, small, tiny, a list as 32,32,M,64, or " +
      "a network as resnet18 (docs/networks.md)",
    default: started(({ model }) => model),
    placeholder: "NAME",
  },
  stem: {
    type: "string",
    choices: ["imagenet", "small"],
    help: "how a ResNet begins: by halving the image twice, or at its own " +
      "size, for images of 32 pixels or so",
    default: "imagenet",
    placeholder: "STEM",
  },
  "batch-norm": {
    type: "boolean",
    negatable: true,
    help: "batch normalisation after each convolution",
    default: started(({ batchNorm }) => batchNorm ? "yes" : "no"),
  },
  "image-size": {
    type: "integer",
    min: 1,
    max: 8192,
    help: "height and width that images are resized to",
    default:
      `their own; of a folder ${DATASET_DEFAULTS.folder.training.imageSize}, seed ${PRESETS.seed.training.imageSize}`,
    placeholder: "PIXELS",
  },
  "batch-size": {
    type: "integer",
    min: 1,
    max: 65536,
    help: "images a step",
    default: trained("batchSize"),
  },
  epochs: {
    type: "integer",
    min: 0,
    max: 1e6,
    help: "how often each image is shown",
    default: trained("epochs"),
  },
  optimizer: {
    type: "string",
    choices: OPTIMISERS,
    help: "what updates the parameters",
    default: trained("optimiser"),
    placeholder: "NAME",
  },
  "learning-rate": {
    type: "number",
    above: 0,
    help: "greatest learning rate",
    default: trained("learningRate"),
  },
  schedule: {
    type: "string",
    choices: SCHEDULES,
    help: "how the learning rate changes",
    default: trained("schedule"),
    placeholder: "NAME",
  },
  "weight-decay": {
    type: "number",
    min: 0,
    help: "weight decay",
    default: "0; of adamw 0.01",
  },
  "weight-decay-on": {
    type: "string",
    choices: ["all", "weights"],
    help: "what decays: all parameters, or no bias and no normalisation",
    default: "all",
    placeholder: "WHAT",
  },
  momentum: {
    type: "number",
    min: 0,
    help: "momentum of sgd and nesterov",
    default: "0.9",
  },
  "ema-decay": {
    type: "number",
    min: 0,
    help:
      "of a moving average of the weights, which is what is tested; as 0.999",
    default: "no average",
  },
  "label-smoothing": {
    type: "number",
    min: 0,
    max: 0.99,
    help: "share of the target that is spread over all classes",
    default: "0",
  },
  mixup: {
    type: "number",
    min: 0,
    max: 100,
    help: "average each image with another: parameter of the share's beta " +
      "distribution, as 0.2",
    default: "0",
  },
  cutmix: {
    type: "number",
    min: 0,
    max: 100,
    help: "put a part of another image into each; as 1",
    default: "0",
  },
  loss: {
    type: "string",
    choices: ["cross-entropy", "binary"],
    help: "of a softmax over classes, or of a sigmoid each",
    default: "cross-entropy; of several labels an image binary",
    placeholder: "LOSS",
  },
  "class-weights": {
    type: "string",
    help:
      "factors on each class's part of the loss, in the order of classes, " +
      "as 1,1,2; balanced: by how few images it has",
    default: "none",
    placeholder: "LIST",
  },
  "clip-norm": {
    type: "number",
    min: 0,
    help: "norm that all gradients together are cut to",
    default: "none",
  },
  accumulate: {
    type: "integer",
    min: 1,
    max: 65536,
    help: "batches whose gradients are added up before each update",
    default: "1",
  },
  augment: {
    type: "string",
    help: AUGMENT_HELP,
    default: "none",
    placeholder: "LIST",
  },
  balance: {
    type: "boolean",
    help: "show each class as often as the others, small ones several times",
  },
  init: {
    type: "string",
    help:
      "weights to start from: safetensors, PyTorch's, or a run; its model is " +
      "taken if none is named; what does not fit starts fresh",
    placeholder: "FILE",
  },
  pretrained: {
    type: "boolean",
    help: "fine-tune: start from the published weights of --model, or from " +
      "--init, and train as suits that (docs/pretrained.md)",
  },
  freeze: {
    type: "string",
    multiple: true,
    help: "leave layers as they are whose name starts so; features: all but " +
      "the one that decides, norm: batch normalisation, which --pretrained " +
      "leaves too unless this is none; repeatable",
    placeholder: "PREFIX",
  },
  "head-epochs": {
    type: "integer",
    min: 0,
    max: 1e6,
    help: "first epochs in which the layer that decides learns alone",
    default: `0; with --pretrained ${FINE_TUNING.headEpochs}`,
    placeholder: "EPOCHS",
  },
  "trunk-rate": {
    type: "number",
    min: 0,
    help: "learning rate of all other layers, as a share of that one's",
    default: `1; with --pretrained ${FINE_TUNING.trunkRate}`,
    placeholder: "SHARE",
  },
  "train-limit": {
    type: "integer",
    min: 1,
    help: "use only the first N training images",
    default: "all",
  },
  "test-fraction": {
    type: "number",
    above: 0,
    max: 0.99,
    help: "part of a folder without a test split that is for testing",
    default: "0.2",
  },
  "strict": {
    type: "boolean",
    help: "stop at a picture of a folder that cannot be read",
  },
  "test-limit": {
    type: "integer",
    min: 1,
    help: "use only the first N test images",
    default: "all",
  },
  "validation-fraction": {
    type: "number",
    min: 0,
    max: 0.9,
    help: "part of each class's training images that judges each epoch instead",
    default: "0; a folder's own val",
  },
  tta: {
    type: "boolean",
    help: "judge by images mirrored as well, and the mean of both answers",
  },
  "best-by": {
    type: "string",
    choices: ["accuracy", "loss"],
    help: "which epoch is the best by validation",
    default: "accuracy",
    placeholder: "WHAT",
  },
  patience: {
    type: "integer",
    min: 0,
    max: 1e6,
    help: "stop after so many epochs without a better one; 0: never",
    default: "0",
    placeholder: "EPOCHS",
  },
  "sync-batch-norm": {
    type: "boolean",
    help:
      "on several ranks: batch normalisation by the whole batch, not each " +
      "rank's part",
  },
  reduce: {
    type: "string",
    choices: ["ordered", "fast"],
    help:
      "on several ranks: sum gradients in the order of ranks, so that each " +
      "MPI gives the same bytes, or as the library likes",
    default: "ordered",
    placeholder: "HOW",
  },
  seed: {
    type: "integer",
    min: 0,
    help: "drives initialisation, order and augmentation",
    default: "0",
  },
  ...DEVICE_FLAGS,
  out: {
    type: "string",
    help: "the run's folder",
    default: "runs/TIME",
    placeholder: "FOLDER",
  },
  resume: {
    type: "string",
    optionalValue: true,
    help: "go on with a run, the newest if none is named",
    placeholder: "RUN",
  },
  "save-every": {
    type: "integer",
    min: 1,
    help: "steps from one checkpoint to the next, beside those of each epoch",
    placeholder: "STEPS",
  },
  "log-every": {
    type: "integer",
    min: 1,
    help: "steps from one reported loss to the next",
    default: trained("logEvery"),
  },
  tensorboard: {
    type: "string",
    help: "also write TensorBoard's files, in a folder of the run's name there",
    placeholder: "FOLDER",
  },
  histograms: {
    type: "boolean",
    help: "log how weights and gradients are distributed after each epoch; " +
      "--tensorboard does",
  },
  watch: {
    type: "string",
    optionalValue: true,
    help: "serve a page that shows it learn, at this port (docs/watching.md)",
    placeholder: "PORT",
  },
  film: {
    type: "boolean",
    negatable: true,
    help: "keep the maps of eight images after each epoch",
    default: "yes, where the network can be explained",
  },
  "find-rate": {
    type: "string",
    optionalValue: true,
    help: "train nothing: try learning rates, suggest one, and draw the curve",
    default: "learning-rate.png",
    placeholder: "FILE",
  },
  quiet: QUIET_FLAG,
  json: {
    type: "boolean",
    help: "print one JSON object at the end; progress goes to stderr",
  },
} as const satisfies Record<string, Flag>;

/** Values of {@linkcode TRAIN_FLAGS}. */
export type TrainFlags = FlagValues<typeof TRAIN_FLAGS>;
