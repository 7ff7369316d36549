import { DATASET_NAMES } from "../src/data/open_dataset.ts";
import { MOST_THREADS } from "../src/device/device.ts";
import { SCHEDULES } from "../src/train/learning_rate.ts";
import { OPTIMISERS } from "../src/train/training_config.ts";
import type { Flag, FlagValues } from "./_command.ts";

/** Flags of every command that opens a device. */
export const DEVICE_FLAGS = {
  device: {
    type: "string",
    choices: ["auto", "cpu", "cuda"],
    help: "where to compute; auto takes CUDA where it works",
    default: "auto",
    placeholder: "DEVICE",
  },
  "device-index": {
    type: "integer",
    min: 0,
    max: 1023,
    help: "which of several GPUs",
    default: "0",
  },
  precision: {
    type: "string",
    choices: ["f32", "tf32", "bf16"],
    help: "how to multiply",
    default: "f32",
    placeholder: "TYPE",
  },
  threads: {
    type: "integer",
    min: 1,
    max: MOST_THREADS,
    help: "CPU threads",
    default: "all",
  },
} as const satisfies Record<string, Flag>;

/** Flags of `deno task train`. */
export const TRAIN_FLAGS = {
  preset: {
    type: "string",
    choices: ["seed", "quick"],
    help: "a whole job; other flags change parts of it",
    placeholder: "NAME",
  },
  dataset: {
    type: "string",
    choices: DATASET_NAMES,
    help: "what to train on",
    placeholder: "NAME",
  },
  "data-dir": {
    type: "string",
    help: "folder of the data set",
    default: "data/NAME",
    placeholder: "FOLDER",
  },
  model: {
    type: "string",
    help: "vgg11, vgg13, vgg16, vgg19, small, tiny, or a list as 32,32,M,64",
    placeholder: "NAME",
  },
  "batch-norm": {
    type: "boolean",
    negatable: true,
    help: "batch normalisation after each convolution",
  },
  "image-size": {
    type: "integer",
    min: 1,
    max: 8192,
    help: "height and width that images are resized to",
    placeholder: "PIXELS",
  },
  "batch-size": { type: "integer", min: 1, max: 65536, help: "images a step" },
  epochs: {
    type: "integer",
    min: 0,
    max: 1e6,
    help: "how often each image is shown",
  },
  optimizer: {
    type: "string",
    choices: OPTIMISERS,
    help: "what updates the parameters",
    placeholder: "NAME",
  },
  "learning-rate": { type: "number", above: 0, help: "greatest learning rate" },
  schedule: {
    type: "string",
    choices: SCHEDULES,
    help: "how the learning rate changes",
    placeholder: "NAME",
  },
  "weight-decay": { type: "number", min: 0, help: "weight decay" },
  momentum: {
    type: "number",
    min: 0,
    help: "momentum of sgd and nesterov",
  },
  "label-smoothing": {
    type: "number",
    min: 0,
    max: 0.99,
    help: "share of the target that is spread over all classes",
  },
  augment: {
    type: "string",
    help: "random changes to training images: flip, crop, crop=PIXELS, none",
    placeholder: "LIST",
  },
  init: {
    type: "string",
    help:
      "weights to start from: safetensors, PyTorch's, or a run; its model is " +
      "taken if none is named; what does not fit starts fresh",
    placeholder: "FILE",
  },
  freeze: {
    type: "string",
    multiple: true,
    help: "leave parameters as they are whose name starts so; repeatable",
    placeholder: "PREFIX",
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
  },
  json: {
    type: "boolean",
    help: "print one JSON object at the end; progress goes to stderr",
  },
} as const satisfies Record<string, Flag>;

/** Values of {@linkcode TRAIN_FLAGS}. */
export type TrainFlags = FlagValues<typeof TRAIN_FLAGS>;
