/**
 * A worker that computes the maps that a page asks for, one after the other, so
 * that the page goes on answering meanwhile. `_explaining.ts` starts it.
 *
 * @module
 */

import { osReason } from "../src/_files.ts";
import { GapcamError } from "../src/error.ts";
import type { DeviceChoice } from "./_device_flags.ts";
import type {
  ExplainingAnswer,
  ExplainingQuestion,
} from "./_explaining_messages.ts";
import { RunExplainer } from "./_run_explainer.ts";

let explainer: RunExplainer | undefined;
let last: Promise<unknown> = Promise.resolve();

addEventListener("message", (event) => {
  const { data } = event as MessageEvent<
    ExplainingQuestion | { device: DeviceChoice }
  >;
  if ("device" in data) {
    explainer = new RunExplainer(data.device);
    return;
  }
  // A network computes one thing at a time.
  last = last.then(() => answer(data)).then((answer) =>
    (self as unknown as { postMessage(message: unknown): void })
      .postMessage(answer)
  );
});

async function answer(
  question: ExplainingQuestion,
): Promise<ExplainingAnswer> {
  const { id, folder } = question;
  try {
    const value = "photograph" in question
      ? await explainer!.photograph(folder, question.photograph)
      : await explainer!.cell(folder, question.cell);
    return { id, value };
  } catch (error) {
    return {
      id,
      error: error instanceof GapcamError
        ? { code: error.code, message: error.message }
        : { code: "", message: osReason(error) },
    };
  }
}
