import type { Device } from "../device/device.ts";
import { GapcamError } from "../error.ts";
import type { HostTensor, StateDict } from "../host_tensor.ts";
import type { Model } from "./graph_of.ts";
import { Network } from "./network.ts";
import { shapesOf } from "./output_shapes.ts";
import { recordNodes } from "./record.ts";

/**
 * What a model makes of values that are prepared already, as other tools take
 * them: once, without a program to keep.
 *
 * @param device Where to compute.
 * @param model What to compute.
 * @param options `state`: its parameters; `input`: normalised images, [N,
 * channels, height, width].
 * @returns The logits, [N, classes].
 * @throws {GapcamError} If the values do not fit the model.
 */
export async function logitsOf(
  device: Device,
  model: Model,
  options: { state: StateDict; input: HostTensor },
): Promise<HostTensor> {
  const { state, input } = options;
  const [count, channels, height, width, ...rest] = input.shape;
  if (
    count === undefined || channels === undefined || height === undefined ||
    width === undefined || rest.length > 0 || count === 0
  ) {
    throw new GapcamError(
      "shape-mismatch",
      `Cannot compute logits: the input is [${input.shape.join(", ")}], ` +
        "expected [N, channels, height, width]",
    );
  }
  // Its messages name layers.
  shapesOf(model, [channels, height, width]);
  using network = new Network(device, model, { state });
  using values = device.tensor(input.shape, { data: input.data });
  using program = device.program({});
  const outputs = recordNodes(network, program, { input: values });
  const logits = outputs[network.graph.output]!;
  program.output(logits);
  await program.compile();
  await program.run("forward");
  return { shape: logits.shape, data: logits.read() };
}
