/**
 * Runs an ONNX file with ONNX Runtime: `_onnx_runtime.ts` starts it.
 *
 * A process of its own with a lock file of its own: what deno.lock names, every
 * command of the project would download first, and this package takes 290 MB.
 *
 * @module
 */

/** What we use of the package, which is not to be in the module graph. */
interface OnnxRuntime {
  Tensor: new (
    type: "float32",
    data: Float32Array,
    shape: readonly number[],
  ) => unknown;
  InferenceSession: {
    create(model: Uint8Array, options: Record<string, number>): Promise<{
      inputNames: readonly string[];
      outputNames: readonly string[];
      run(feeds: Record<string, unknown>): Promise<
        Record<string, { dims: readonly number[]; data: Float32Array }>
      >;
    }>;
  };
}

const PACKAGE = "npm:onnxruntime-node@1.30.0";
const [modelPath, shapeText, dataPath] = Deno.args;
const onnx: OnnxRuntime = await import(PACKAGE);
const session = await onnx.InferenceSession.create(
  await Deno.readFile(modelPath!),
  { intraOpNumThreads: 1, interOpNumThreads: 1 },
);
const data = (await Deno.readFile(dataPath!)).buffer;
const outputs = await session.run({
  [session.inputNames[0]!]: new onnx.Tensor(
    "float32",
    new Float32Array(data),
    JSON.parse(shapeText!),
  ),
});
console.log(JSON.stringify({
  inputNames: session.inputNames,
  outputs: session.outputNames.map((name) => ({
    name,
    shape: outputs[name]!.dims,
    data: Array.from(outputs[name]!.data),
  })),
}));
