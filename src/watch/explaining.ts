/** Which of a run's networks: the last, or the best by validation if there is one. */
export type NetworkName = "newest" | "best";

/** A photograph to explain. */
export interface GivenPhotograph {
  /** Its file's name, which titles the picture. */
  name: string;
  /** The file. */
  bytes: Uint8Array;
  /** How it is shown to the network. */
  fit: "crop" | "stretch" | "pad" | "whole";
  /** Name or number of the class to explain; what the network says if undefined. */
  explained: string | undefined;
  /** By which network. */
  network: NetworkName;
}

/** What a network says of a photograph. */
export interface ExplainedPhotograph {
  /** A sentence: which network it is. */
  checkpoint: string;
  /** What it takes the photograph for. */
  predicted: string;
  /** The class that the map explains. */
  explained: string;
  /** The likeliest classes, the likeliest first. */
  top: { class: string; probability: number }[];
  /** How far the map's sum is from the logit. */
  residual: number;
  /** The picture with the map, a PNG as base 64. */
  png: string;
}

/** Which images of a split are wanted: those of a class that are taken for one. */
export interface CellChoice {
  /** The split. */
  split: "train" | "validation" | "test";
  /** By which network. */
  network: NetworkName;
  /** What they are: a class index. */
  label: number;
  /** What they are taken for. */
  predicted: number;
  /** How many of them come before the first that is wanted. */
  first: number;
  /** How many are wanted at most. */
  count: number;
}

/** An image of a data set, with its map. */
export interface ExplainedImage {
  /** Its number. */
  index: number;
  /** The class that it is. */
  label: string;
  /** What the network takes it for. */
  predicted: string;
  /** The probability of that. */
  probability: number;
  /** The probability of what it is. */
  labelProbability: number;
  /** As it is, a PNG as base 64. */
  plain: string;
  /** With the map of what it is taken for, a PNG as base 64. */
  map: string;
}

/** Images of one cell of a confusion matrix. */
export interface ExplainedCell {
  /** A sentence: which network it is. */
  checkpoint: string;
  /** How many images are in that cell, as this network has it. */
  images: number;
  /** Those that were wanted. */
  shown: ExplainedImage[];
}

/** Computes what a page asks for, with a run's best or last network. */
export interface Explaining {
  /**
   * Explains a photograph.
   *
   * @param folder The run's folder.
   * @throws {GapcamError} If it is no picture, or the network cannot be loaded.
   */
  photograph(
    folder: string,
    photograph: GivenPhotograph,
  ): Promise<ExplainedPhotograph>;
  /**
   * Finds the images of a cell, the worst first, and explains them.
   *
   * @param folder The run's folder.
   * @throws {GapcamError} If the network or its images cannot be loaded.
   */
  cell(folder: string, choice: CellChoice): Promise<ExplainedCell>;
}
