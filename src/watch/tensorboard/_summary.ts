/**
 * The messages of TensorBoard's files: `event.proto`, `summary.proto` and what
 * they hold.
 *
 * @module
 */

import { ProtoMessage } from "../../_protobuf.ts";
import { encodePng } from "../../image/encode_png.ts";
import type { Image } from "../../image/image.ts";
import type { TensorHistogram } from "../../train/tensor_histogram.ts";

/** `DT_FLOAT` and `DT_STRING` of `types.proto`. */
const FLOAT = 1, STRING = 7;

/** When and at which step something is shown. */
export interface Moment {
  /** Seconds since 1970. */
  time: number;
  /** Steps of the run. */
  step: number;
}

/** The first event of every file. */
export function versionEvent(time: number): ProtoMessage {
  return new ProtoMessage().double(1, time).text(3, "brain.Event:2");
}

/**
 * Says that training goes on after `step`: what a process that was killed wrote
 * of later steps is no longer shown.
 */
export function resumeEvent({ time, step }: Moment): ProtoMessage {
  const start = 1;
  // Whoever reads it drops the steps from this one on.
  return new ProtoMessage().double(1, time).integer(2, step + 1)
    .message(7, new ProtoMessage().integer(1, start));
}

/** Values of one moment. */
export function summaryEvent(
  { time, step }: Moment,
  values: readonly ProtoMessage[],
): ProtoMessage {
  const summary = new ProtoMessage();
  for (const value of values) summary.message(1, value);
  return new ProtoMessage().double(1, time).integer(2, step)
    .message(5, summary);
}

/** A number, kept as a 32-bit float. */
export function scalar(tag: string, value: number): ProtoMessage {
  return new ProtoMessage().text(1, tag).float(2, value);
}

/** A picture, as PNG. */
export function picture(
  tag: string,
  image: Image,
): ProtoMessage {
  return new ProtoMessage().text(1, tag).message(
    4,
    new ProtoMessage().integer(1, image.height).integer(2, image.width)
      .integer(3, image.channels).bytes(4, encodePng(image)),
  );
}

/** How the values of a tensor are distributed. */
export function histogram(tag: string, found: TensorHistogram): ProtoMessage {
  const { least, greatest, sum, sumOfSquares, counts } = found;
  const width = (greatest - least) / counts.length;
  const limits = counts.map((_, i) =>
    i === counts.length - 1 ? greatest : least + width * (i + 1)
  );
  return new ProtoMessage().text(1, tag).message(
    5,
    new ProtoMessage().double(1, least).double(2, greatest)
      .double(3, counts.reduce((all, count) => all + count, 0))
      .double(4, sum).double(5, sumOfSquares)
      .doubles(6, limits).doubles(7, counts),
  );
}

/** A text in Markdown. */
export function markdown(tag: string, text: string): ProtoMessage {
  return pluginValue(
    tag,
    { name: "text", content: new ProtoMessage() },
    // A scalar has a shape without dimensions.
    new ProtoMessage().integer(1, STRING).message(2, new ProtoMessage())
      .text(8, text),
  );
}

/** What a plug-in keeps of a run beside numbers. */
export function pluginData(
  tag: string,
  name: string,
  content: ProtoMessage,
): ProtoMessage {
  const empty = new ProtoMessage().message(2, new ProtoMessage().integer(1, 0));
  return pluginValue(
    tag,
    { name, content },
    new ProtoMessage().integer(1, FLOAT).message(2, empty),
  );
}

function pluginValue(
  tag: string,
  plugin: { name: string; content: ProtoMessage },
  tensor: ProtoMessage,
): ProtoMessage {
  const data = new ProtoMessage().text(1, plugin.name)
    .message(2, plugin.content);
  return new ProtoMessage().text(1, tag)
    .message(9, new ProtoMessage().message(1, data))
    .message(8, tensor);
}
