/**
 * Where networks that others trained are kept, and which are there.
 *
 * @module
 */

import { exists } from "../src/_files.ts";
import { GapcamError } from "../src/error.ts";
import { PRETRAINED } from "../src/models/pretrained.ts";

/** The network that setup gets, and that messages name. */
export const USUAL_PRETRAINED = "efficientnet-lite0";

/** The folder of pretrained networks: `models` beside deno.json. */
export function modelsFolder(): string {
  return `${Deno.cwd()}/models`;
}

/** Where a pretrained network is, or would be. */
export function pretrainedPath(name: string): string {
  return `${modelsFolder()}/${name}.safetensors`;
}

/** A pretrained network's name as it is listed; undefined if there is none. */
export function pretrainedName(text: string): string | undefined {
  const name = text.toLowerCase().replaceAll("_", "-");
  return Object.hasOwn(PRETRAINED, name) ? name : undefined;
}

/** The command that gets a pretrained network. */
export function pretrainedCommand(name = USUAL_PRETRAINED): string {
  return `deno task pretrained ${name}`;
}

/**
 * The file of a pretrained network that a user named.
 *
 * @throws {GapcamError} If it is not there; the message names the command.
 */
export function namedPretrained(name: string): string {
  const path = pretrainedPath(name);
  if (exists(path)) return path;
  throw new GapcamError(
    "not-found",
    `Cannot find ${name} in models: get it with: ${pretrainedCommand(name)}`,
  );
}

/** The first pretrained network that is there: of {@linkcode USUAL_PRETRAINED} on. */
export function usualPretrained(): string | undefined {
  return Object.keys(PRETRAINED).map(pretrainedPath).find(exists);
}
