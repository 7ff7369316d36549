/** One file of a data set, and what it must be. */
export interface SourceFile {
  /** Path in the archive, or name behind the address. */
  name: string;
  /** Size. */
  bytes?: number;
  /** Checksum, in hexadecimal. */
  md5?: string;
  /** Whether the data set can do without. Default: false. */
  optional?: boolean;
  /** What it must be, whoever sends it: an IDX file of so many dimensions. */
  dimensions?: number;
  /** What its size must be a multiple of, in bytes, whoever sends it. */
  record?: number;
}

/** Where a data set is published. */
export interface DatasetSource {
  /** Address of the archive, or what comes before the names of the files. */
  url: string;
  /** The archive (tar, gzip) that holds the files; without it they lie singly. */
  archive?: { bytes?: number; md5?: string };
  /** The files that are kept. */
  files: readonly SourceFile[];
}

/** The original publishers, with the checksums that they or torchvision list. */
export const DATASET_SOURCES: Readonly<Record<string, DatasetSource>> = {
  "stl10": {
    url: "https://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz",
    archive: {
      bytes: 2_640_397_119,
      md5: "91f7769df0f17e558f3565bffb0c7dfb",
    },
    // Each has a checksum of its own, so the download ends with the last of
    // them; most of the archive is the 100,000 unlabelled images.
    files: [
      {
        name: "stl10_binary/train_X.bin",
        bytes: 138_240_000,
        record: 27_648,
        md5: "918c2871b30a85fa023e0c44e0bee87f",
      },
      {
        name: "stl10_binary/train_y.bin",
        bytes: 5_000,
        record: 1,
        md5: "5a34089d4802c674881badbb80307741",
      },
      {
        name: "stl10_binary/test_X.bin",
        bytes: 221_184_000,
        record: 27_648,
        md5: "7f263ba9f9e0b06b93213547f721ac82",
      },
      {
        name: "stl10_binary/test_y.bin",
        bytes: 8_000,
        record: 1,
        md5: "36f9794fa4beb8a2c72628de14fa638e",
      },
      { name: "stl10_binary/class_names.txt", optional: true },
    ],
  },
  "cifar10": {
    url: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    archive: { bytes: 170_052_171, md5: "c32a1d4ab5d03f1284b67883e8d87530" },
    files: [
      ...[1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`),
      "test_batch.bin",
    ].map((name) => ({
      name: `cifar-10-batches-bin/${name}`,
      bytes: 30_730_000,
      record: 3_073,
    })),
  },
  "cifar100": {
    url: "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
    archive: { bytes: 168_513_733, md5: "03b5dce01913d631647c71ecec9e9cb8" },
    files: [
      { name: "cifar-100-binary/train.bin", bytes: 153_700_000, record: 3_074 },
      { name: "cifar-100-binary/test.bin", bytes: 30_740_000, record: 3_074 },
    ],
  },
  "mnist": {
    // A mirror kept for PyTorch: the original site asks for a password.
    url: "https://ossci-datasets.s3.amazonaws.com/mnist/",
    files: [
      {
        name: "train-images-idx3-ubyte.gz",
        dimensions: 3,
        bytes: 9_912_422,
        md5: "f68b3c2dcbeaaa9fbdd348bbdeb94873",
      },
      {
        name: "train-labels-idx1-ubyte.gz",
        dimensions: 1,
        bytes: 28_881,
        md5: "d53e105ee54ea40749a09fcbcd1e9432",
      },
      {
        name: "t10k-images-idx3-ubyte.gz",
        dimensions: 3,
        bytes: 1_648_877,
        md5: "9fb629c4189551a2d022fa330f9573f3",
      },
      {
        name: "t10k-labels-idx1-ubyte.gz",
        dimensions: 1,
        bytes: 4_542,
        md5: "ec29112dd5afa0611ce80d1b7f02629c",
      },
    ],
  },
  "fashion-mnist": {
    // The bucket's website speaks plain HTTP only; the checksums guard it.
    url: "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    files: [
      {
        name: "train-images-idx3-ubyte.gz",
        dimensions: 3,
        bytes: 26_421_880,
        md5: "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
      },
      {
        name: "train-labels-idx1-ubyte.gz",
        dimensions: 1,
        bytes: 29_515,
        md5: "25c81989df183df01b3e8a0aad5dffbe",
      },
      {
        name: "t10k-images-idx3-ubyte.gz",
        dimensions: 3,
        bytes: 4_422_102,
        md5: "bef4ecab320f06d8554ea6380940ec79",
      },
      {
        name: "t10k-labels-idx1-ubyte.gz",
        dimensions: 1,
        bytes: 5_148,
        md5: "bb300cfdad3c16e7a12a480ee83cd310",
      },
    ],
  },
};
