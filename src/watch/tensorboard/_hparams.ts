/**
 * What TensorBoard's table of hyper-parameters reads: `plugin_data.proto` and
 * `api.proto` of its plug-in.
 *
 * @module
 */

import { ProtoMessage } from "../../_protobuf.ts";
import type { StartEvent, StopEvent } from "../../train/run_event.ts";
import { pluginData } from "./_summary.ts";

/** A hyper-parameter's value; the plug-in knows no other kinds. */
export type HyperParameter = number | string | boolean;

/** `DataType` of `api.proto`. */
const TYPES = { string: 1, boolean: 2, number: 3 } as const;
/** `Status` of `api.proto`. */
const SUCCESS = 1, FAILURE = 2, UNKNOWN = 0;

/** The columns of results: split, which is a folder of its own, and tag. */
const METRICS = [
  ["test", "accuracy"],
  ["validation", "accuracy"],
  ["validation", "loss"],
  ["train", "accuracy"],
  ["train", "loss"],
] as const;

/** What a run was told, by name. */
export function hyperParametersOf(
  { model, dataset, images, device, precision, config }: StartEvent,
): Map<string, HyperParameter> {
  const values = new Map<string, HyperParameter>([
    ["model", model],
    ["dataset", dataset.name],
    ["trainingImages", images],
    ["device", `${device} ${precision ?? "f32"}`],
  ]);
  for (const [name, value] of Object.entries(config)) {
    const kind = typeof value;
    values.set(
      name,
      kind === "number" || kind === "string" || kind === "boolean"
        ? value as HyperParameter
        : Array.isArray(value)
        ? value.join(", ")
        : JSON.stringify(value),
    );
  }
  return values;
}

/** The table's columns: what runs were told, and what came of it. */
export function experimentValue(
  parameters: ReadonlyMap<string, HyperParameter>,
): ProtoMessage {
  const experiment = new ProtoMessage();
  for (const [name, value] of parameters) {
    const type = TYPES[typeof value as keyof typeof TYPES];
    experiment.message(4, new ProtoMessage().text(1, name).integer(4, type));
  }
  for (const [split, tag] of METRICS) {
    experiment.message(
      5,
      new ProtoMessage()
        .message(1, new ProtoMessage().text(1, split).text(2, tag))
        .text(3, `${tag} (${split})`),
    );
  }
  return hparams("experiment", 2, experiment);
}

/** The row of a run. */
export function sessionStartValue(
  parameters: ReadonlyMap<string, HyperParameter>,
  time: number,
): ProtoMessage {
  const session = new ProtoMessage();
  for (const [name, value] of parameters) {
    const held = new ProtoMessage();
    if (typeof value === "number") held.double(2, value);
    else if (typeof value === "string") held.text(3, value);
    else held.integer(4, value ? 1 : 0);
    session.message(1, new ProtoMessage().text(1, name).message(2, held));
  }
  return hparams("session_start_info", 3, session.double(5, time));
}

/** How the run ended. */
export function sessionEndValue(
  reason: StopEvent["reason"] | "diverged",
  time: number,
): ProtoMessage {
  const status = reason === "diverged"
    ? FAILURE
    : reason === "interrupted"
    ? UNKNOWN
    : SUCCESS;
  return hparams(
    "session_end_info",
    4,
    new ProtoMessage().integer(1, status).double(2, time),
  );
}

function hparams(
  name: string,
  field: number,
  content: ProtoMessage,
): ProtoMessage {
  return pluginData(
    `_hparams_/${name}`,
    "hparams",
    new ProtoMessage().integer(1, 0).message(field, content),
  );
}
