import { GapcamError } from "../../error.ts";
import { whole } from "./_checks.ts";
import { expect, type LayerKind, mapShape } from "./_layer_kind.ts";

/** Some of a map's channels; see {@linkcode sliceChannels}. */
export interface SliceChannels {
  /** Tells layers apart. */
  readonly kind: "sliceChannels";
  /** The first channel. */
  readonly start: number;
  /** The channel after the last. */
  readonly end: number;
}

/** Channels of several groups, interleaved; see {@linkcode channelShuffle}. */
export interface ChannelShuffle {
  /** Tells layers apart. */
  readonly kind: "channelShuffle";
  /** How many groups. */
  readonly groups: number;
}

/**
 * Describes a choice of neighbouring channels.
 *
 * @param start The first channel, from 0.
 * @param end The channel after the last.
 * @returns A layer from [N, C, H, W] to [N, end - start, H, W].
 * @throws {GapcamError} If the numbers are not whole or in the wrong order.
 */
export function sliceChannels(start: number, end: number): SliceChannels {
  whole("start", start, 0);
  whole("end", end, 1);
  if (start < end) return { kind: "sliceChannels", start, end };
  throw new GapcamError(
    "invalid-argument",
    `Cannot describe channels ${start} to ${end}: expected at least one`,
  );
}

/**
 * Describes ShuffleNet's shuffle (Zhang et al. 2018): channel `i` of group `g`
 * becomes channel `i * groups + g`.
 *
 * @param groups How many groups, from 1; it divides the channels.
 * @returns A layer that keeps the shape.
 * @throws {GapcamError} If the number is not whole.
 */
export function channelShuffle(groups: number): ChannelShuffle {
  return { kind: "channelShuffle", groups: whole("groups", groups) };
}

/** What is true of a choice of channels. */
export const sliceChannelsKind: LayerKind<SliceChannels> = {
  parse: (json) => sliceChannels(json.number("start"), json.number("end")),
  outputShape: ({ start, end }, [input]) => {
    const [channels, ...size] = mapShape(input);
    expect(channels >= end, `at least ${end} channels`);
    return [end - start, ...size];
  },
  record: ({ start, end }, { program, inputs }) =>
    program.sliceChannels(inputs[0], start, end),
};

/** What is true of a shuffle of channels. */
export const channelShuffleKind: LayerKind<ChannelShuffle> = {
  parse: (json) => channelShuffle(json.number("groups")),
  outputShape: ({ groups }, [input]) => {
    const [channels] = mapShape(input);
    expect(channels % groups === 0, `a multiple of ${groups} channels`);
    return input;
  },
  record: ({ groups }, { program, inputs }) =>
    program.channelShuffle(inputs[0], groups),
};
