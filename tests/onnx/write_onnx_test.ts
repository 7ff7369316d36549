import {
  assert,
  assertEquals,
  assertLess,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { GapcamError } from "../../src/error.ts";
import {
  averagePool2d,
  batchNorm2d,
  conv2d,
  flatten,
  globalAveragePool,
  type Layer,
  leakyRelu,
  linear,
  maxPool2d,
  openDevice,
  relu,
  sequential,
} from "../../mod.ts";
import { logitsOf } from "../../src/nn/logits_of.ts";
import { initialise } from "../../src/nn/parameters.ts";
import { vgg } from "../../src/models/vgg.ts";
import { readPytorch } from "../../src/weights/read_pytorch.ts";
import { toStateDict } from "../../src/weights/stored_tensor.ts";
import { parseOnnx } from "../../src/onnx/parse_onnx.ts";
import { encodeOnnx } from "../../src/onnx/write_onnx.ts";
import { runOnnx } from "./_onnx_runtime.ts";

const FIXTURES = new URL("../fixtures/weights/", import.meta.url);

function greatestDifference(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
): number {
  assertEquals(a.length, b.length);
  assert(a.length > 0);
  let greatest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i]! - b[i]!);
    assert(!Number.isNaN(difference), `element ${i} is not a number`);
    greatest = Math.max(greatest, difference);
  }
  return greatest;
}

/** The network of scripts/fixtures/weights_onnx.py. */
const NETWORK: Layer = sequential({
  features: sequential([
    conv2d(3, 6, {
      kernelSize: [3, 5],
      stride: [1, 2],
      padding: [1, 2],
      bias: false,
    }),
    batchNorm2d(6, { epsilon: 1e-3 }),
    leakyRelu(0.2),
    maxPool2d(3, { stride: 2, padding: 1 }),
    conv2d(6, 8, { padding: 1 }),
    relu(),
  ]),
  pool: globalAveragePool(),
  classifier: linear(8, 5),
});

async function fixtureState() {
  const { tensors } = await readPytorch(
    new URL("network.pt", FIXTURES).pathname,
  );
  tensors.delete("features.1.num_batches_tracked");
  return toStateDict(tensors);
}

Deno.test("encodeOnnx() computes in ONNX Runtime what PyTorch computed", async () => {
  const expected: Record<string, { shape: number[]; values: number[] }> = JSON
    .parse(await Deno.readTextFile(new URL("network.json", FIXTURES)));
  const model = encodeOnnx(NETWORK, await fixtureState());
  const { logits, features } = await runOnnx(model, {
    shape: expected.image!.shape,
    data: Float32Array.from(expected.image!.values),
  });
  assertEquals(logits.shape, expected.logits!.shape);
  assertEquals(features.shape, expected.features!.shape);
  assertLess(
    greatestDifference(
      logits.data,
      expected.logits!.values,
    ),
    1e-5,
  );
  assertLess(
    greatestDifference(
      features.data,
      expected.features!.values,
    ),
    1e-5,
  );
});

Deno.test("encodeOnnx() writes pools that pad each side by itself as ONNX Runtime pools", async () => {
  const model = sequential([
    conv2d(1, 4, { padding: 1 }),
    maxPool2d(3, { stride: 2, padding: [0, 1, 1, 0] }),
    averagePool2d(3, { stride: 2, padding: "same", countIncludePad: false }),
    globalAveragePool(),
    linear(4, 3),
  ]);
  const state = initialise(model, 2);
  const input = {
    shape: [2, 1, 12, 10],
    data: Float32Array.from({ length: 240 }, (_, i) => Math.sin(5 * i)),
  };
  using device = openDevice("cpu", { threads: 1 });
  const own = await logitsOf(device, model, { state, input });
  const { logits } = await runOnnx(encodeOnnx(model, state), input);
  assertLess(greatestDifference(logits.data, own.data), 1e-5);
});

Deno.test("encodeOnnx() takes batches and images of any size", async () => {
  const model = vgg([4, "M", 8], { classes: 3 });
  const bytes = encodeOnnx(model, initialise(model, 0));
  for (const [n, height, width] of [[1, 8, 8], [5, 6, 12]] as const) {
    const image = new Float32Array(n * 3 * height * width).fill(0.5);
    const { logits, features } = await runOnnx(bytes, {
      shape: [n, 3, height, width],
      data: image,
    });
    assertEquals(logits.shape, [n, 3]);
    assertEquals(features.shape, [n, 8, height / 2, width / 2]);
  }
});

Deno.test("encodeOnnx() gives the same bytes again and keeps its metadata", () => {
  const model = vgg([4], { classes: 2 });
  const encode = () =>
    encodeOnnx(model, initialise(model, 0), {
      imageSize: { height: 8, width: 8 },
      preprocessing: {
        imageSize: 8,
        cropShare: 0.875,
        mean: [0.5, 0.5, 0.5],
        deviation: [0.25, 0.25, 0.25],
      },
      classes: ["Katze", "Hündin"],
    });
  assertEquals(encode(), encode());
  const text = new TextDecoder().decode(encode());
  for (
    const part of [
      ...["[0.25,0.25,0.25]", '["Katze","Hündin"]', "deviation"],
      ...["imageSize", '"bilinear"', "cropShare", "0.875"],
    ]
  ) {
    assert(text.includes(part), part);
  }
});

Deno.test("encodeOnnx() leaves out the map where nothing is pooled", () => {
  const model = sequential([conv2d(3, 4), relu(), flatten(), linear(144, 2)]);
  const bytes = encodeOnnx(model, initialise(model, 0), {
    imageSize: { height: 8, width: 8 },
  });
  const { outputs } = parseOnnx(bytes);
  assertEquals(outputs, [{ name: "logits", shape: [undefined, 2] }]);
});

Deno.test("encodeOnnx() refuses a model that is no classifier, and missing tensors", () => {
  const trunk = sequential([conv2d(3, 4), relu()]);
  const error = assertThrows(
    () => encodeOnnx(trunk, initialise(trunk, 0)),
    GapcamError,
  );
  assertStringIncludes(
    error.message,
    "Cannot export as ONNX: the model must end in one number a class",
  );
  const model = vgg([4], { classes: 2 });
  const state = initialise(model, 0);
  state.delete("classifier.bias");
  assertEquals(
    (assertThrows(() => encodeOnnx(model, state), GapcamError) as Error)
      .message,
    'Cannot export as ONNX: "classifier.bias" is missing, expected [2]',
  );
});
