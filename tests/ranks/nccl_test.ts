/**
 * Several ranks with a GPU each: the real libgapcam_cuda over stand-ins for
 * NVIDIA's libraries and NCCL (cudasim).
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
} from "@std/assert";
import { libraries } from "../native/_build.ts";
import { buildStandIns, runTests, standIns } from "../native/_cudasim.ts";
import { mpis, root, runRanks } from "./_mpi.ts";
import { torchrun, type TorchrunOptions } from "./_torchrun.ts";

/** What _steps.ts prints. */
interface Steps {
  size: number;
  abi?: string;
  recorded: boolean;
  digests: string[];
  losses: number[];
  parameters: Record<string, number[]>;
}

const STEPS = [Deno.execPath(), "run", "-A", `${root}tests/ranks/_steps.ts`];

const GPUS = {
  GAPCAM_NVIDIA_FOLDER: `${standIns}/lib`,
  GAPCAM_LIBRARY_FOLDER: libraries,
  GAPCAM_CACHE: "/dev/null/cache",
  CUDASIM_DEVICES: "4",
  // Else a rank would wait for another that has not begun what it enqueued.
  CUDASIM_EAGER: "1",
  STEPS_DEVICE: "cuda",
};

async function steps(ranks: number, ...args: string[]): Promise<Steps> {
  if (ranks === 1) {
    const { stdout } = await new Deno.Command(STEPS[0]!, {
      args: [...STEPS.slice(1), ...args],
      env: GPUS,
    }).output();
    return JSON.parse(new TextDecoder().decode(stdout));
  }
  const all = await torchrun([...STEPS, ...args], { ranks, env: GPUS });
  for (const { code, stderr } of all) assertEquals([code, stderr], [0, ""]);
  return JSON.parse(all[0]!.stdout);
}

/** The largest distance of two runs' parameters. */
function distance(a: Steps, b: Steps): number {
  const apart = Object.entries(a.parameters).flatMap(([name, values]) =>
    values.map((value, i) => Math.abs(value - b.parameters[name]![i]!))
  );
  assert(apart.length > 0 && !apart.some(Number.isNaN));
  return Math.max(...apart);
}

/** Trains a small network on two ranks; what each said. */
async function train(
  options: Partial<TorchrunOptions> & { epochs?: number },
  ...flags: string[]
): Promise<{ code: number; stdout: string; stderr: string }[]> {
  const { epochs = 2 } = options;
  const folder = await Deno.makeTempDir();
  try {
    return await torchrun([
      ...[Deno.execPath(), "run", "-A", `${root}scripts/train.ts`],
      ...["--dataset=shapes", "--train-limit=32", "--test-limit=8"],
      ...["--model=4,M,4", "--image-size=8", "--batch-size=8"],
      ...[`--epochs=${epochs}`, "--device=cuda", "--no-film"],
      ...[`--out=${folder}/run`, ...flags],
    ], { ranks: 2, ...options, env: { ...GPUS, ...options.env } });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("ranks with a GPU each, over stand-ins for NVIDIA's libraries", async (t) => {
  const built = await buildStandIns();
  assertEquals(built.code, 0, built.output);

  for (const kind of ["plain", "norm", "dropout", "accumulated"]) {
    await t.step(
      `ten steps on 2 ranks are those of one, of a network that is ${kind}, recorded`,
      async () => {
        const [one, two] = [await steps(1, kind), await steps(2, kind)];
        assertEquals([two.size, two.abi, two.recorded], [2, "tcp", true]);
        assertEquals(new Set(two.digests).size, 1, "ranks differ");
        assert(distance(one, two) < 1e-6, `${distance(one, two)}`);
        assertNotEquals(two.digests[0], one.digests[0]);
        assertEquals((await steps(2, kind)).digests, two.digests);
      },
    );
  }

  await t.step("four ranks too, and in NCCL's own order", async () => {
    const one = await steps(1, "norm");
    for (const order of ["ordered", "fast"]) {
      const four = await steps(4, "norm", order);
      assertEquals(new Set(four.digests).size, 1, "ranks differ");
      assert(distance(one, four) < 1e-6, `${order} ${distance(one, four)}`);
    }
  });

  await t.step(
    "without synchronised statistics all ranks keep the same ones",
    async () => {
      const two = await steps(2, "own-norm");
      assertEquals(new Set(two.digests).size, 1);
      const apart = distance(await steps(1, "own-norm"), two);
      assert(apart > 1e-4 && apart < 0.2, `${apart}`);
    },
  );

  for (const mpi of mpis) {
    await t.step(
      `${mpi.name} hands NCCL's id round to the same bytes`,
      async () => {
        const { code, stdout, stderr } = await runRanks(
          mpi,
          [...STEPS, "norm"],
          {
            ranks: 2,
            env: GPUS,
          },
        );
        assertEquals([code, stderr], [0, ""]);
        const { digests, abi } = JSON.parse(stdout);
        assertNotEquals(abi, "tcp");
        assertEquals(digests, (await steps(2, "norm")).digests);
      },
    );
  }

  await t.step(
    "what NCCL cannot record runs unrecorded, to the same bytes",
    async () => {
      const [first] = await torchrun([...STEPS, "plain"], {
        ranks: 2,
        env: { ...GPUS, NCCLSIM_CAPTURE: "0" },
      });
      const { digests, recorded } = JSON.parse(first!.stdout) as Steps;
      assertEquals(recorded, false);
      assertEquals(digests, (await steps(2, "plain")).digests);
    },
  );

  await t.step("a training run goes through and evaluates", async () => {
    const [first, second] = await train({}, "--sync-batch-norm");
    assertEquals([first!.code, first!.stderr], [0, ""]);
    assertEquals([second!.code, second!.stdout], [0, ""]);
    assertMatch(first!.stdout, /Simulated GPU, CUDA/);
  });

  await t.step(
    "with a single rank too, as a machine with one GPU shows it",
    async () => {
      const tested = await runTests(["tests/ranks/one_gpu_test.ts"], {
        GAPCAM_REQUIRE: "cuda",
        GAPCAM_CACHE: "/dev/null/cache",
      });
      assertEquals([tested.code, tested.failed], [0, []], tested.output);
      assertEquals(tested.passed.length, 1, tested.output);
    },
  );

  const start = [
    "ncclGetVersion",
    "ncclGetUniqueId",
    "ncclCommInitRank",
    "ncclGroupStart",
    "ncclSend",
    "ncclRecv",
    "ncclGroupEnd",
    "ncclCommGetAsyncError",
    "ncclAllGather",
    "ncclAllGather:2",
    "ncclSend:3",
  ];
  for (const name of start) {
    await t.step(
      `${name} fails on rank 1 or 0, which ends all in one sentence`,
      async () => {
        // Only rank 0 makes an id.
        const rank = name === "ncclGetUniqueId" ? "0" : "1";
        const began = performance.now();
        const [first, second] = await train({
          env: { NCCLSIM_FAIL: name, NCCLSIM_RANK: rank },
          // Not over before errors are asked for, five times a second.
          epochs: 400,
        });
        assertEquals([first!.code, second!.code], [1, 1], first!.stdout);
        assertMatch(
          first!.stderr,
          /^error: [^\n]*NCCL[^\n]*\n$|^error: [^\n]*nccl[^\n]*\n$/,
        );
        assertEquals(second!.stderr, "");
        assert(performance.now() - began < 30_000);
      },
    );
  }
  await t.step(
    "ncclAllReduce fails, which ends all in one sentence",
    async () => {
      const [first] = await train({
        env: { NCCLSIM_FAIL: "ncclAllReduce", NCCLSIM_RANK: "1" },
      }, "--reduce=fast");
      assertMatch(
        first!.stderr,
        /^error: Cannot go on with 2 ranks: rank 1 \([^)]*\) failed: Cannot sum over all ranks: NCCL reports unhandled cuda error[^\n]*\n$/,
      );
    },
  );
  await t.step(
    "what fails while one rank alone records it runs unrecorded there",
    async () => {
      const all = await train({
        env: { NCCLSIM_FAIL: "ncclAllGather:3", NCCLSIM_RANK: "1" },
      });
      assertEquals(all.map(({ code, stderr }) => [code, stderr]), [[0, ""], [
        0,
        "",
      ]]);
    },
  );
  for (const name of ["ncclCommFinalize", "ncclCommDestroy"]) {
    await t.step(
      `${name} fails once all is done, which is nobody's concern`,
      async () => {
        const all = await train({ env: { NCCLSIM_FAIL: name } });
        assertEquals(all.map(({ code, stderr }) => [code, stderr]), [[0, ""], [
          0,
          "",
        ]]);
      },
    );
  }
  await t.step("ncclCommAbort fails where all ends anyway", async () => {
    const [first] = await train({
      env: {
        NCCLSIM_ASYNC: "9",
        NCCLSIM_RANK: "1",
        NCCLSIM_FAIL: "ncclCommAbort",
      },
      epochs: 400,
    });
    assertMatch(
      first!.stderr,
      /rank 1 \([^)]*\) failed: NCCL reports unhandled/,
    );
  });

  await t.step(
    "an error that NCCL tells when asked ends all, by rank",
    async () => {
      const [first, second] = await train({
        env: { NCCLSIM_ASYNC: "9", NCCLSIM_RANK: "1" },
        epochs: 400,
      });
      assertEquals([first!.code, second!.code], [1, 1]);
      assertMatch(
        first!.stderr,
        /^error: Cannot go on with 2 ranks: rank 1 \([^)]*\) failed: NCCL reports unhandled cuda error[^\n]*\n$/,
      );
    },
  );

  await t.step(
    "a rank that dies within NCCL is named within 10 s",
    async () => {
      const began = performance.now();
      const [first, second] = await train({
        env: { NCCLSIM_DIE: "9", NCCLSIM_RANK: "1" },
      });
      assert(performance.now() - began < 20_000);
      assertEquals([first!.code, second!.code], [1, 9]);
      assertMatch(
        first!.stderr,
        /^error: Cannot go on with 2 ranks: rank 1 \([^)]*\) ended without a word[^\n]*\n$/,
      );
    },
  );

  const refusals: [string, Partial<TorchrunOptions>, RegExp, ...string[]][] = [
    [
      "an NCCL that is too old",
      { env: { NCCLSIM_VERSION: "21205" } },
      /^error: Cannot join the ranks' GPUs: on rank 0 \([^)]*\) \S+libnccl\.so\.2 is NCCL 2\.12\.5, expected 2\.16\.0 or newer\n$/,
    ],
    [
      "two versions of NCCL",
      { env: { NCCLSIM_VERSION: "22105", NCCLSIM_RANK: "1" } },
      /^error: Cannot join the ranks' GPUs: rank 1 \([^)]*\) has NCCL 2\.21\.5, rank 0 \([^)]*\) 2\.30\.7; give all the same version\n$/,
    ],
    [
      "no NCCL on one rank",
      { envOf: { 1: { GAPCAM_NCCL_LIBRARY: "/nowhere/libnccl.so.2" } } },
      /^error: Cannot join the ranks' GPUs: on rank 1 \([^)]*\) GAPCAM_NCCL_LIBRARY names \/nowhere\/libnccl\.so\.2, which cannot be loaded/,
    ],
    [
      "a library that is no NCCL",
      { envOf: { 1: { GAPCAM_NCCL_LIBRARY: "libc.so.6" } } },
      /^error: Cannot join the ranks' GPUs: on rank 1 \([^)]*\) libc\.so\.6 has no function ncclGetVersion; a newer version is needed\n$/,
    ],
    [
      "two ranks with one GPU",
      {},
      /^error: Cannot join the ranks' GPUs: ranks 0 and 1 both have GPU 2 of [^,]+, expected one for each; start as many ranks on a host as it has GPUs\n$/,
      "--device-index=2",
    ],
    [
      "a rank without a GPU",
      { env: { CUDASIM_DEVICES: "1" } },
      /^error: Cannot go on with 2 ranks: rank 1 \([^)]*\) failed: Cannot open CUDA device 1: the driver finds 1, numbered from 0\n$/,
    ],
    [
      "a GPU on one rank alone",
      { env: { CUDASIM_DEVICES: "1" } },
      /^error: Cannot train on 2 ranks: rank 1 has cpu with f32 as device, rank 0 cuda with f32; start all with the same code, flags and data\n$/,
      "--device=auto",
    ],
    [
      "CPUs without MPI",
      {},
      /^error: Cannot train on the CPUs of several ranks without MPI, which sums their gradients; start them with mpirun, or use GPUs\n$/,
      "--device=cpu",
    ],
  ];
  for (const [what, options, expected, ...flags] of refusals) {
    await t.step(`${what}: refused in one sentence`, async () => {
      const [first, second] = await train(options, ...flags);
      assertEquals([first!.code, second!.code], [1, 1], first!.stdout);
      assertMatch(first!.stderr, expected);
      assertEquals(second!.stderr, "");
    });
  }
});
