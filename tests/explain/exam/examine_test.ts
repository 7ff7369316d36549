import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import {
  CONTROL_METHODS,
  conv2d,
  type Dataset,
  examine,
  type ExamMethod,
  examMethods,
  flatten,
  type FloatMap,
  GapcamError,
  linear,
  maxPool2d,
  mosaicOf,
  Network,
  openDevice,
  relu,
  sequential,
  shapesDataset,
  vgg,
} from "../../../mod.ts";
import { boxOverlap } from "../../../src/explain/exam/box_overlap.ts";
import { parseMeasures } from "../../../src/explain/exam/measures.ts";
import { pointingGame } from "../../../src/explain/exam/pointing_game.ts";
import { randomisedStates } from "../../../src/explain/exam/randomised_states.ts";

const SHAPES = shapesDataset("test", { size: 16, length: 20 });

async function withNetwork(
  test: (network: Network) => Promise<void>,
): Promise<void> {
  using device = openDevice("cpu", { threads: 1 });
  using network = new Network(
    device,
    vgg([4, "M", 8], { classes: 10, batchNorm: true }),
  );
  await test(network);
}

/** A method whose maps are made by a rule alone. */
function ruled(name: string, mapOf: (target: number) => FloatMap): ExamMethod {
  return {
    name,
    open: () =>
      Promise.resolve({
        maps: (_, targets) => Promise.resolve(targets.map(mapOf)),
        [Symbol.dispose]: () => {},
      }),
  };
}

/** 1 in a box, 0 elsewhere. */
function mapWithin(
  [height, width]: readonly [number, number],
  box: { top: number; left: number; height: number; width: number },
): FloatMap {
  const data = new Float32Array(height * width);
  for (let y = box.top; y < box.top + box.height; y++) {
    data.fill(1, y * width + box.left, y * width + box.left + box.width);
  }
  return { height, width, data };
}

Deno.test("a map that is its class's box scores full marks, one beside it none", () => {
  const box = { top: 2, left: 3, height: 4, width: 5 };
  const beside = { top: 8, left: 9, height: 2, width: 2 };
  const map = mapWithin([12, 12], box);
  const options = { tolerance: 0, others: [beside] };
  assertEquals(pointingGame(map, [box], options), {
    hit: true,
    inside: 1,
    chosen: true,
  });
  assertEquals(pointingGame(map, [beside], { ...options, others: [box] }), {
    hit: false,
    inside: 0,
    chosen: false,
  });
  const near = { top: 2, left: 10, height: 2, width: 2 };
  const far = (tolerance: number) =>
    pointingGame(map, [near], { tolerance, others: [] });
  assertEquals(far(6).hit, false);
  assertEquals(far(7).hit, true);
  assertEquals(far(7).chosen, undefined);
  assertEquals(boxOverlap(map, [box], map), 1);
  assertEquals(boxOverlap(map, [beside, box], map), 1);
  assertEquals(boxOverlap(map, [beside], map), 0);
  const half = { ...box, width: 10 };
  assertAlmostEquals(boxOverlap(map, [half], map), 0.5, 1e-12);
});

Deno.test("a map that is the same everywhere points nowhere", () => {
  const data = new Float32Array(9).fill(2);
  const box = { top: 0, left: 0, height: 3, width: 1 };
  const others = [{ ...box, left: 2 }];
  const found = pointingGame({ height: 3, width: 3, data }, [box], {
    tolerance: 0,
    others,
  });
  assertEquals([found.hit, found.chosen], [false, false]);
  assertAlmostEquals(found.inside, 1 / 3);
});

Deno.test("randomisation goes from the head down, and ends with all layers", () =>
  withNetwork((network) => {
    const trained = network.state();
    const changed = Array.from(
      randomisedStates(network, { stages: 3, seed: 5 }),
      ({ layers, state }) => ({
        layers,
        names: [...state].filter(([name, { data }]) =>
          data.some((value, i) => value !== trained.get(name)!.data[i])
        ).map(([name]) => name),
      }),
    );
    assertEquals(changed.map(({ layers }) => layers).at(-1), 5);
    assertEquals(changed[0]!.layers, 1);
    assertEquals(changed[0]!.names, ["classifier.weight", "classifier.bias"]);
    assert(changed.at(-1)!.names.some((name) => name.startsWith("features.0")));
    return Promise.resolve();
  }));

Deno.test("examine() gives every measure of methods and controls, and marks what does not depend on weights", () =>
  withNetwork(async (network) => {
    const progress: number[] = [];
    const indices: number[] = [];
    const exam = await examine(network, SHAPES, {
      methods: examMethods(["cam", "grad-cam", "edges"]),
      images: 10,
      batchSize: 4,
      steps: 5,
      randomisedImages: 6,
      onProgress: (share) => progress.push(share),
      onImage: ({ index, explained, pixels }) => {
        indices.push(index);
        assertEquals(pixels.length, 16 * 16 * 3);
        assert(explained.some(({ boxes }) => boxes.length === 1));
        assert(explained.every(({ maps }) => maps.length === 3));
      },
    });
    assertEquals([exam.images, exam.boxes], [10, 10]);
    assertEquals(indices, Array.from({ length: 10 }, (_, i) => i));
    assertEquals(progress.at(-1), 1);
    assert(progress.every((share, i) => i === 0 || share >= progress[i - 1]!));
    const [cam, gradCam, edges] = exam.methods;
    for (
      const { scores, curves, secondsPerMap, randomisation } of exam.methods
    ) {
      for (const name of ["pointing", "box", "drop", "road"] as const) {
        assertEquals(scores[name]!.count, 10);
        assert(Number.isFinite(scores[name]!.mean));
      }
      assertEquals(curves!.shares, [
        0,
        52 / 256,
        104 / 256,
        156 / 256,
        208 / 256,
        1,
      ]);
      assert(secondsPerMap! > 0);
      assertEquals(randomisation!.images, 6);
      assertEquals(randomisation!.layers.at(-1), 5);
    }
    assertEquals(edges!.randomisation!.unchanged, true);
    assertEquals(edges!.randomisation!.correlations[0], 1);
    assert(cam!.randomisation!.correlations[0]! < 0.99);
    // On the last map Grad-CAM is CAM up to a factor, whatever is measured.
    for (const name of ["deletion", "road", "pointing", "inside"] as const) {
      assertAlmostEquals(
        gradCam!.scores[name]!.mean,
        cam!.scores[name]!.mean,
        1e-4,
      );
    }
    assertAlmostEquals(exam.agreement![0]![1]!, 1, 1e-3);
    assertEquals(exam.agreement![2]![2], 1);
    // Plain data.
    assertEquals(JSON.parse(JSON.stringify(exam)), exam);
  }));

Deno.test("a method that points at each class's quarter passes on mosaics", () =>
  withNetwork(async (network) => {
    const mosaics = mosaicOf(SHAPES, { length: 3 });
    let image = -1;
    const knows = ruled("knows", (target) => {
      const box = mosaics.boxes(image).find(({ label }) => label === target);
      return box
        ? mapWithin([32, 32], box)
        : { height: 1, width: 1, data: Float32Array.of(1) };
    });
    const exam = await examine(network, {
      ...mosaics,
      read: async (indices: ArrayLike<number>, target: Uint8Array) => {
        image = indices[0]!;
        await mosaics.read(indices, target);
      },
    }, {
      methods: [knows, ...CONTROL_METHODS],
      measures: ["pointing", "box"],
      batchSize: 1,
    });
    assertEquals(exam.boxes, 12);
    const { scores } = exam.methods[0]!;
    for (const name of ["pointing", "which", "inside", "box"] as const) {
      assertEquals(scores[name]!.mean, 1);
    }
    const centre = exam.methods.find(({ method }) => method === "centre")!;
    assertAlmostEquals(centre.scores.inside!.mean, 0.25, 1e-5);
  }));

Deno.test("examine() refuses what cannot be examined", () =>
  withNetwork(async (network) => {
    const methods = examMethods(["random"]);
    const refused = async (
      dataset: Dataset,
      options: Partial<Parameters<typeof examine>[2]>,
      sentence: string,
    ) => {
      await assertRejects(
        () => examine(network, dataset, { methods, ...options }),
        GapcamError,
        sentence,
      );
    };
    await refused(
      SHAPES,
      { images: 21 },
      "found 21 images asked for, expected at most 20, which shapes (test) has",
    );
    const { boxes: _, ...blind } = SHAPES;
    await refused(
      blind,
      { measures: ["pointing"] },
      "Cannot measure pointing on shapes: found no boxes",
    );
    const outside = {
      ...SHAPES,
      boxes: () => [{ top: 3, left: 10, height: 5, width: 7, label: 1 }],
    };
    await refused(
      outside,
      {},
      "Cannot point into image 0 of shapes: found a box of 7 x 5 pixels at " +
        "column 10, row 3, expected one within the picture of 16 x 16",
    );
    await refused(SHAPES, {
      methods: [ruled("broken", () => ({
        height: 1,
        width: 2,
        data: Float32Array.of(NaN, 1),
      }))],
    }, "Cannot examine broken: its map of image 0 of shapes holds what is not");
    await refused(SHAPES, { methods: [] }, "found no method");
    await refused(
      SHAPES,
      { methods: [...methods, ...methods] },
      "found two methods called random",
    );
    await refused(SHAPES, { steps: 0 }, "found steps 0");
    await refused(SHAPES, { percentiles: [0] }, "found percentiles [0]");
    // What no box is asked of does not need them.
    const exam = await examine(network, blind, { methods, images: 2 });
    assertEquals(exam.measures.includes("pointing"), false);
  }));

Deno.test("examine() stops between batches of maps when its signal is aborted", () =>
  withNetwork(async (network) => {
    const controller = new AbortController();
    let calls = 0;
    const slow = ruled("slow", () => {
      if (++calls === 2) controller.abort(new Error("enough"));
      return { height: 1, width: 2, data: Float32Array.of(0, 1) };
    });
    await assertRejects(
      () =>
        examine(network, mosaicOf(SHAPES, { length: 4 }), {
          methods: [slow],
          measures: ["pointing"],
          batchSize: 2,
          signal: controller.signal,
        }),
      Error,
      "enough",
    );
    assertEquals(calls, 2);
  }));

Deno.test("a method that cannot explain the network is left out with its reason, or refused", async () => {
  using device = openDevice("cpu", { threads: 1 });
  using network = new Network(
    device,
    sequential([
      conv2d(3, 4, { padding: 1 }),
      relu(),
      maxPool2d(4),
      flatten(),
      linear(64, 10),
    ]),
  );
  const options = {
    methods: examMethods(["cam", "grad-cam", "centre"]),
    measures: ["pointing"] as const,
    images: 2,
  };
  const exam = await examine(network, SHAPES, { ...options, leaveOut: true });
  assertEquals(
    exam.methods.map(({ method }) => method),
    ["grad-cam", "centre"],
  );
  assertEquals(exam.refused.map(({ method }) => method), ["cam"]);
  await assertRejects(
    () => examine(network, SHAPES, options),
    GapcamError,
    "Cannot explain the network with cam",
  );
  // It takes images of one size alone.
  await assertRejects(
    () => examine(network, mosaicOf(SHAPES, { length: 2 }), options),
    GapcamError,
    "linear",
  );
});

Deno.test("names of methods and measures that are not known bring the nearest", () => {
  assertThrows(
    () => examMethods(["gradcam"]),
    GapcamError,
    'Cannot examine "gradcam": no method is called so; the nearest are grad-cam',
  );
  assertThrows(
    () => parseMeasures(["road", "pointng"]),
    GapcamError,
    'Cannot measure "pointng": expected one of pointing',
  );
});
