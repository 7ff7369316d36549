/**
 * What a network sees of a picture, as people are told.
 *
 * @module
 */

import type { PhotographFit } from "../src/image/fit_photograph.ts";
import type { Preprocessing } from "../src/image/preprocessing.ts";

/**
 * One line: how large, which part, and how it is normalised.
 *
 * @param fit How photographs are shown; `none` are images of a data set, which
 * the device brings to the network's size as they are.
 */
export function inputLine(
  preprocessing: Preprocessing,
  fit: PhotographFit | "none",
): string {
  const { imageSize, mean, deviation } = preprocessing;
  const { interpolation = "bilinear", cropShare = 1 } = preprocessing;
  const size = fit === "whole"
    ? `shorter side ${Math.round(imageSize / cropShare)} pixels`
    : `${imageSize} x ${imageSize} pixels`;
  const share = Number((100 * cropShare).toPrecision(4));
  const part = {
    none: "the whole image",
    crop: cropShare === 1
      ? "the middle of a photograph"
      : `the middle ${share} % of a photograph`,
    stretch: "all of a photograph, stretched",
    pad: "all of a photograph, bars around it",
    whole: "all of a photograph in its proportions",
  }[fit];
  const resized = fit === "none" ? "bilinear" : interpolation;
  return `Input: ${size}, ${part}, ${resized}, as ` +
    `(x / 255 - ${listed(mean)}) / ${listed(deviation)}`;
}

/** The same for programs. */
export function inputJson(
  preprocessing: Preprocessing,
  fit: PhotographFit | "none",
): Required<Preprocessing> & { fit?: PhotographFit } {
  const { imageSize, mean, deviation } = preprocessing;
  const { interpolation = "bilinear", cropShare = 1 } = preprocessing;
  return {
    ...{ imageSize, interpolation, cropShare, mean, deviation },
    ...(fit === "none" ? {} : { fit }),
  };
}

function listed(values: readonly number[]): string {
  const [first, ...others] = values.map((value) =>
    Number(value.toPrecision(4))
  );
  return others.every((value) => value === first)
    ? String(first)
    : `[${[first, ...others].join(", ")}]`;
}
