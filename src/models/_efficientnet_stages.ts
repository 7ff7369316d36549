/** What a block of an EfficientNet or EfficientNet-Lite is made from. */
export interface EfficientNetBlock {
  /** Channels that come in. */
  readonly inputs: number;
  /** Channels that go out. */
  readonly outputs: number;
  /** Factor of the channels within. */
  readonly expansion: number;
  /** Height and width of the depthwise convolution. */
  readonly kernelSize: number;
  /** Its stride. */
  readonly stride: number;
  /** How likely the block is skipped in training. */
  readonly skipped: number;
}

/** Expansion, kernel, stride, channels and blocks of each stage (table 1 of the paper). */
const STAGES = [
  [1, 3, 1, 16, 1],
  [6, 3, 2, 24, 2],
  [6, 5, 2, 40, 2],
  [6, 3, 2, 80, 3],
  [6, 5, 1, 112, 3],
  [6, 5, 2, 192, 4],
  [6, 3, 1, 320, 1],
] as const;

/** How likely the last block is skipped in training. */
const DEEPEST = 0.2;

/**
 * The blocks of each stage, as width and depth scale them.
 *
 * @param stem Channels that the first block is given.
 * @param scaling `channels`: of a stage, from the paper's; `blocks`: likewise,
 * and from whether the stage lies between others.
 */
export function efficientNetStages(
  stem: number,
  scaling: {
    channels: (paper: number) => number;
    blocks: (paper: number, options: { between: boolean }) => number;
  },
): EfficientNetBlock[][] {
  const counts = STAGES.map(([, , , , count], stage) =>
    scaling.blocks(count, {
      between: stage > 0 && stage < STAGES.length - 1,
    })
  );
  const total = counts.reduce((sum, count) => sum + count, 0);
  let inputs = stem;
  let number = 0;
  return STAGES.map(([expansion, kernelSize, stride, paper], stage) =>
    Array.from({ length: counts[stage]! }, (_, i) => {
      const outputs = scaling.channels(paper);
      const block = {
        inputs,
        outputs,
        expansion,
        kernelSize,
        stride: i === 0 ? stride : 1,
        skipped: DEEPEST * number++ / total,
      };
      inputs = outputs;
      return block;
    })
  );
}
