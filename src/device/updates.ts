import { assertSameLength, handles } from "./_arguments.ts";
import { call } from "./_library.ts";
import type { Symbols } from "./_symbols.ts";
import type { Tensor } from "./tensor.ts";

/** What every optimiser step takes. */
export interface UpdateOptions {
  /** Tensors of the device that change. */
  parameters: readonly Tensor[];
  /** One for each parameter, of its shape: of the program, or of the device. */
  gradients: readonly Tensor[];
  /** An f32 [8] tensor of the device, written before each update. */
  settings: Tensor;
  /** What gradients are multiplied with first, f32 [1]. Default: nothing. */
  factor?: Tensor;
}

/** Options of {@linkcode Program.adam}. */
export interface AdamOptions extends UpdateOptions {
  /** One for each parameter. */
  firstMoments: readonly Tensor[];
  /** One for each parameter. */
  secondMoments: readonly Tensor[];
}

/** Options of {@linkcode Program.sgd}. */
export interface SgdOptions extends UpdateOptions {
  /** One for each parameter. */
  momentumBuffers: readonly Tensor[];
}

/** @ignore */
export function recordAdam(
  symbols: Symbols,
  program: bigint,
  options: AdamOptions,
): void {
  const { parameters, gradients, firstMoments, secondMoments } = options;
  for (const list of [gradients, firstMoments, secondMoments]) {
    assertSameLength(parameters, list);
  }
  call((message) =>
    symbols.gapcam_program_adam(
      program,
      parameters.length,
      handles(parameters),
      handles(gradients),
      handles(firstMoments),
      handles(secondMoments),
      options.factor?.handle ?? 0n,
      options.settings.handle,
      message,
    )
  );
}

/** @ignore */
export function recordSgd(
  symbols: Symbols,
  program: bigint,
  options: SgdOptions,
): void {
  const { parameters, gradients, momentumBuffers } = options;
  for (const list of [gradients, momentumBuffers]) {
    assertSameLength(parameters, list);
  }
  call((message) =>
    symbols.gapcam_program_sgd(
      program,
      parameters.length,
      handles(parameters),
      handles(gradients),
      handles(momentumBuffers),
      options.factor?.handle ?? 0n,
      options.settings.handle,
      message,
    )
  );
}

/** @ignore */
export function recordBlend(
  symbols: Symbols,
  program: bigint,
  options: {
    targets: readonly Tensor[];
    sources: readonly Tensor[];
    settings: Tensor;
  },
): void {
  const { targets, sources } = options;
  assertSameLength(targets, sources);
  call((message) =>
    symbols.gapcam_program_blend(
      program,
      targets.length,
      handles(targets),
      handles(sources),
      options.settings.handle,
      message,
    )
  );
}
