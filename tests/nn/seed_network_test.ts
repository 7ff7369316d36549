import { assert, assertEquals } from "@std/assert";
import { openTestDevice } from "../device/_test_device.ts";
import { InferenceProgram } from "../../src/nn/inference_program.ts";
import { Network } from "../../src/nn/network.ts";
import { TrainingProgram } from "../../src/nn/training_program.ts";
import { adam } from "../../src/nn/optimiser.ts";
import { readSafetensors } from "../../src/weights/read_safetensors.ts";
import { toStateDict } from "../../src/weights/stored_tensor.ts";
import type { StateDict } from "../../src/host_tensor.ts";
import { norm, projections, relativeError, samples } from "./_hashed.ts";
import { SEED_BATCH, SEED_MODEL, seedState } from "./_seed_network.ts";

const GRADIENT_TOLERANCE = 1e-4;
const PARAMETER_TOLERANCE = 1e-5;
// Some ten times what direct convolutions come to: a compiled program may have
// been given Winograd's, which round more.
const OUTPUT_TOLERANCE = 5e-5;
const IMAGE = { height: 64, width: 64, channels: 3 };

/** Reads a file of scripts/fixtures/nn_seed.py. */
async function readFixture(
  path: string,
): Promise<{ expected: StateDict; start: StateDict }> {
  const { tensors, metadata } = await readSafetensors(path);
  return {
    expected: toStateDict(tensors),
    start: seedState(JSON.parse(metadata.redrawn!)),
  };
}

/** What three steps of Adam come to here. */
async function trainThreeSteps(start: StateDict): Promise<{
  features: Float32Array;
  logits: Float32Array;
  losses: number[];
  gradients: StateDict;
  parameters: StateDict;
}> {
  using device = openTestDevice({ threads: 2 });
  using network = new Network(device, SEED_MODEL, { state: start });
  let features: Float32Array, logits: Float32Array;
  {
    using inference = await InferenceProgram.compile(network, {
      batchSize: 3,
      image: IMAGE,
    });
    logits = await inference.run(SEED_BATCH.images);
    features = inference.features();
  }
  using training = await TrainingProgram.compile(network, {
    batchSize: 3,
    image: IMAGE,
    optimiser: adam({ learningRate: 1e-5 }),
  });
  const losses: number[] = [];
  let gradients: StateDict | undefined;
  for (let step = 0; step < 3; step++) {
    await training.step(SEED_BATCH.images, SEED_BATCH.labels);
    losses.push(training.metrics().lastLoss);
    gradients ??= training.gradients();
  }
  return {
    features,
    logits,
    losses,
    gradients: gradients!,
    parameters: network.state(),
  };
}

const path = new URL("../fixtures/nn/seed.safetensors", import.meta.url);

Deno.test("the seed network computes what PyTorch computes: features, logits, losses, gradients, Adam", async () => {
  const { expected, start } = await readFixture(path.pathname);
  const found = await trainThreeSteps(start);
  for (const name of ["features", "logits", "losses"] as const) {
    const error = relativeError(found[name], expected.get(name)!.data);
    assert(error < OUTPUT_TOLERANCE, `${name}: relative error ${error}`);
  }
  assertEquals(found.gradients.size, 28);
  assertEquals(found.parameters.size, 28);
  for (
    const [kind, tensors, tolerance] of [
      ["gradient", found.gradients, GRADIENT_TOLERANCE],
      ["parameter", found.parameters, PARAMETER_TOLERANCE],
    ] as const
  ) {
    [...tensors].forEach(([name, { data }], index) => {
      const value = (what: string) =>
        expected.get(`${kind}.${name}.${what}`)!.data;
      const size = value("norm")[0]!;
      assert(Math.abs(norm(data) / size - 1) < tolerance, `${name}: norm`);
      // The mean square of the projections estimates that of the difference.
      const wanted = value("projections");
      const projected = projections(data, wanted.length, index);
      const difference = norm(projected.map((x, i) => x - wanted[i]!)) /
        Math.sqrt(wanted.length);
      assert(
        difference / size < tolerance,
        `${kind} of ${name}: relative error ${difference / size}`,
      );
      const picked = value("samples");
      const error = relativeError(samples(data, picked.length, index), picked);
      assert(error < 3 * tolerance, `${kind} of ${name}: samples ${error}`);
    });
  }
});

const python = Deno.env.get("GAPCAM_PYTHON");

Deno.test({
  name:
    "the seed network's every gradient and parameter is PyTorch's, compared in full (needs GAPCAM_PYTHON, a Python with torch)",
  ignore: !python,
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      const file = `${folder}/full.safetensors`;
      const script = new URL(
        "../../scripts/fixtures/nn_seed.py",
        import.meta.url,
      ).pathname;
      const { success, stderr } = await new Deno.Command(python!, {
        args: [script, file, "--full"],
      }).output();
      assert(success, new TextDecoder().decode(stderr));
      const { expected, start } = await readFixture(file);
      const found = await trainThreeSteps(start);
      let worstGradient = 0, worstParameter = 0;
      for (const [name, { data }] of found.gradients) {
        const error = relativeError(
          data,
          expected.get(`gradient.${name}`)!.data,
        );
        assert(error < GRADIENT_TOLERANCE, `gradient of ${name}: ${error}`);
        worstGradient = Math.max(worstGradient, error);
      }
      for (const [name, { data }] of found.parameters) {
        const error = relativeError(
          data,
          expected.get(`parameter.${name}`)!.data,
        );
        assert(error < PARAMETER_TOLERANCE, `parameter ${name}: ${error}`);
        worstParameter = Math.max(worstParameter, error);
      }
      console.log(
        `worst relative error: gradients ${worstGradient.toExponential(1)}, ` +
          `parameters ${worstParameter.toExponential(1)}`,
      );
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
