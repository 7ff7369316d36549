/** Bins of confidence, as in the paper's experiments. */
const BINS = 15;

/**
 * Expected calibration error of Guo et al. ("On calibration of modern neural
 * networks", 2017): images are put into bins by the probability of their
 * answer; the mean of how far each bin's mean probability is from its share of
 * right answers, weighted by its images.
 */
export class Calibration {
  readonly #bins = Array.from({ length: BINS }, () => ({
    images: 0,
    correct: 0,
    confidence: 0,
  }));

  /** Counts one image: the probability of its answer, and whether it was right. */
  count(confidence: number, correct: boolean): void {
    // A bin holds its upper end: (0, 1/15], (1/15, 2/15], ...
    const i = Math.ceil(confidence * BINS) - 1;
    const bin = this.#bins[Math.min(BINS - 1, Math.max(0, i || 0))]!;
    bin.images++;
    bin.confidence += confidence;
    if (correct) bin.correct++;
  }

  /** All that is counted, as a list; one that is set replaces it. */
  get numbers(): number[] {
    return this.#bins.flatMap(({ images, correct, confidence }) => [
      images,
      correct,
      confidence,
    ]);
  }
  set numbers(numbers: readonly number[]) {
    this.#bins.forEach((bin, i) => {
      bin.images = numbers[3 * i]!;
      bin.correct = numbers[3 * i + 1]!;
      bin.confidence = numbers[3 * i + 2]!;
    });
  }

  /** From 0 to 1; 0 without images. */
  error(): number {
    let gap = 0;
    let images = 0;
    for (const bin of this.#bins) {
      gap += Math.abs(bin.correct - bin.confidence);
      images += bin.images;
    }
    return gap / Math.max(1, images);
  }
}
