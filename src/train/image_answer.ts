/** What the network says of one image of a split. */
export interface ImageAnswer {
  /** Its number in the split. */
  readonly index: number;
  /** Its class; of several the first. */
  readonly label: number;
  /** The class with the greatest logit. */
  readonly predicted: number;
  /** The probability of that class, in `[0, 1]`. */
  readonly probability: number;
  /** Cross-entropy with the label, or labels. */
  readonly loss: number;
}
