import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { openDevice } from "../../../mod.ts";
import { confidenceChange } from "../../../src/explain/exam/confidence_change.ts";
import { insertionDeletion } from "../../../src/explain/exam/insertion_deletion.ts";
import { ProbeProgram } from "../../../src/explain/exam/_probe_program.ts";
import type { Probed, ProbeSubject } from "../../../src/explain/exam/probe.ts";
import { rankCorrelation } from "../../../src/explain/exam/rank_correlation.ts";
import { road } from "../../../src/explain/exam/road.ts";
import { Network } from "../../../src/nn/network.ts";
import { probabilitiesOf } from "../../../src/cam/probabilities_of.ts";
import {
  SMALL_BATCH_SIZE,
  SMALL_IMAGE,
  smallBatch,
  smallModel,
  smallState,
} from "../../nn/_small_network.ts";

interface Fixture {
  cases: {
    image: number;
    class: number;
    map: number[];
    measures: Record<string, number>;
  }[];
  lists: number[][];
  spearman: number[][];
}

// From scripts/fixtures/explain_exam.py.
const FIXTURE: Fixture = JSON.parse(
  await Deno.readTextFile(
    new URL("../../fixtures/explain/exam.json", import.meta.url),
  ),
);

const { height, width, channels } = SMALL_IMAGE;

/** The subjects of the fixture, on its network. */
async function withSubjects(
  test: (
    subjects: ProbeSubject[],
    score: <Result>(probed: Probed<Result>) => Promise<Result>,
  ) => Promise<void>,
): Promise<void> {
  const model = smallModel({ batchNorm: false });
  const state = smallState(model);
  const head = state.get("classifier.weight")!.data as Float32Array;
  head.forEach((value, i) => head[i] = 3 * value);
  using device = openDevice("cpu", { threads: 1 });
  using network = new Network(device, model, { state });
  using program = await ProbeProgram.compile(network, {
    batchSize: SMALL_BATCH_SIZE,
    image: SMALL_IMAGE,
  });
  const { inputs, logits } = await program.prepare(smallBatch(0).images);
  const size = channels * height * width;
  const subjects = FIXTURE.cases.map((one): ProbeSubject => ({
    input: inputs.slice(one.image * size, (one.image + 1) * size),
    map: { height, width, data: Float32Array.from(one.map) },
    classIndex: one.class,
    probability: probabilitiesOf(
      logits.subarray(one.image * 5, (one.image + 1) * 5),
    )[one.class]!,
  }));
  await test(
    subjects,
    async ({ probes, result }) => result(await program.scores(probes)),
  );
}

Deno.test("insertion, deletion, drop and increase are torch-cam's on the same maps", () =>
  withSubjects(async (subjects, score) => {
    for (const [i, subject] of subjects.entries()) {
      const { measures } = FIXTURE.cases[i]!;
      const areas = await score(insertionDeletion(subject, { steps: 20 }));
      const change = await score(confidenceChange(subject));
      assertAlmostEquals(areas.deletionArea, measures.deletion!, 1e-5);
      assertAlmostEquals(areas.insertionArea, measures.insertion!, 1e-5);
      assertAlmostEquals(change.drop, measures.drop!, 1e-5);
      assertEquals(change.increase, measures.increase);
    }
  }));

Deno.test("ROAD is pytorch-grad-cam's on the same maps", () =>
  withSubjects(async (subjects, score) => {
    for (const [i, subject] of subjects.entries()) {
      const { measures } = FIXTURE.cases[i]!;
      const found = await score(
        road(subject, { percentiles: [20, 40, 60, 80], noise: 0, seed: 0 }),
      );
      assertAlmostEquals(found.mostFirst, measures["road-morf"]!, 1e-4);
      assertAlmostEquals(found.leastFirst, measures["road-lerf"]!, 1e-4);
      assertAlmostEquals(found.combined, measures.road!, 1e-4);
    }
  }));

Deno.test("ROAD's noise is the same with the same seed, and changes little", () =>
  withSubjects(async ([subject], score) => {
    const options = { percentiles: [20, 80], noise: 0.01, seed: 7 };
    const first = await score(road(subject!, options));
    assertEquals(await score(road(subject!, options)), first);
    const other = await score(road(subject!, { ...options, seed: 8 }));
    assert(other.combined !== first.combined);
    const none = await score(road(subject!, { ...options, noise: 0 }));
    assertAlmostEquals(first.combined, none.combined, 5e-3);
  }));

Deno.test("a map that is the same everywhere is measured too", () =>
  withSubjects(async ([subject], score) => {
    const data = new Float32Array(height * width);
    const flat = { ...subject!, map: { height, width, data } };
    const areas = await score(insertionDeletion(flat, { steps: 7 }));
    assert(areas.deletionArea >= 0 && areas.insertionArea <= 1);
    const percentiles = [20, 40, 60, 80];
    const found = await score(
      road(flat, { percentiles, noise: 0.01, seed: 0 }),
    );
    assert(Number.isFinite(found.combined));
    const { drop, increase } = await score(confidenceChange(flat));
    assert(drop >= 0 && drop <= 1 && (increase === 0 || drop === 0));
  }));

Deno.test("rank correlation is scipy's, equal values included", () => {
  for (const [i, first] of FIXTURE.lists.entries()) {
    for (const [j, second] of FIXTURE.lists.entries()) {
      assertAlmostEquals(
        rankCorrelation(first, second),
        FIXTURE.spearman[i]![j]!,
        1e-12,
      );
    }
  }
  assertEquals(rankCorrelation([1, 1, 1], [1, 2, 3]), 0);
});
