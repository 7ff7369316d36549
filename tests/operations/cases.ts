/**
 * One table of cases for every backend: what to record, and what plain loops
 * say about it.
 *
 * @module
 */

import type { Case } from "./_case.ts";
import { cases as activation } from "./activation.ts";
import { cases as averagePool2d } from "./average_pool2d.ts";
import { cases as channelShuffle } from "./channel_shuffle.ts";
import { cases as concatenate } from "./concatenate.ts";
import { cases as conv2d } from "./conv2d.ts";
import { cases as flatten } from "./flatten.ts";
import { cases as globalAveragePool } from "./global_average_pool.ts";
import { cases as groupedConv2d } from "./grouped_conv2d.ts";
import { cases as leakyRelu } from "./leaky_relu.ts";
import { cases as linear } from "./linear.ts";
import { cases as maxPool2d } from "./max_pool2d.ts";
import { cases as multiply } from "./multiply.ts";
import { cases as sliceChannels } from "./slice_channels.ts";
import { cases as resample } from "./resample.ts";
import { cases as spatialSum } from "./spatial_sum.ts";

/** All but batch normalisation and the loss, which have tests of their own. */
export const cases: readonly Case[] = [
  ...averagePool2d,
  ...concatenate,
  ...sliceChannels,
  ...channelShuffle,
  ...conv2d,
  ...groupedConv2d,
  ...maxPool2d,
  ...leakyRelu,
  ...activation,
  ...flatten,
  ...globalAveragePool,
  ...multiply,
  ...spatialSum,
  ...resample,
  ...linear,
];
