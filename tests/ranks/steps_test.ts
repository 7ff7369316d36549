import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { mpis, root, runRanks, withoutBoth, withoutMpi } from "./_mpi.ts";

/** What _steps.ts prints. */
interface Steps {
  size: number;
  kind: string;
  abi?: string;
  digests: string[];
  losses: number[];
  parameters: Record<string, number[]>;
}

const program = [Deno.execPath(), "run", "-A", `${root}tests/ranks/_steps.ts`];

async function alone(...args: string[]): Promise<Steps> {
  const { stdout } = await new Deno.Command(program[0]!, {
    args: [...program.slice(1), ...args],
  }).output();
  return JSON.parse(new TextDecoder().decode(stdout));
}

async function together(
  mpi: typeof mpis[number],
  ranks: number,
  ...args: string[]
): Promise<Steps> {
  const { code, stdout, stderr } = await runRanks(mpi, [...program, ...args], {
    ranks,
  });
  assertEquals(code, 0, stderr);
  return JSON.parse(stdout);
}

/** The largest distance of two runs' parameters, and of their losses. */
function distance(a: Steps, b: Steps): number {
  let largest = 0;
  const visit = (x: readonly number[], y: readonly number[]) => {
    assertEquals(x.length, y.length);
    x.forEach((value, i) => {
      const apart = Math.abs(value - y[i]!);
      assert(!Number.isNaN(apart));
      largest = Math.max(largest, apart);
    });
  };
  assertEquals(Object.keys(a.parameters), Object.keys(b.parameters));
  for (const [name, values] of Object.entries(a.parameters)) {
    visit(values, b.parameters[name]!);
  }
  // Of batches that are added up each has other images.
  if (a.kind !== "accumulated") visit(a.losses, b.losses);
  return largest;
}

for (const mpi of mpis) {
  for (const kind of ["plain", "norm", "dropout", "accumulated"]) {
    Deno.test(`${mpi.name}: ten steps on 2 and 4 ranks are those of one, of a network that is ${kind}`, async () => {
      const one = await alone(kind);
      for (const ranks of [2, 4]) {
        const several = await together(mpi, ranks, kind);
        assertEquals(several.size, ranks);
        assertEquals(
          several.abi,
          mpi.name === "MPICH" ? "mpich" : "open-mpi",
        );
        assertEquals(new Set(several.digests).size, 1, "ranks differ");
        assert(distance(one, several) < 1e-6, `${distance(one, several)}`);
      }
    });
  }

  Deno.test(`${mpi.name}: without synchronised statistics all ranks keep the same ones, of their parts`, async () => {
    const several = await together(mpi, 2, "own-norm");
    assertEquals(new Set(several.digests).size, 1);
    const apart = distance(await alone("own-norm"), several);
    assert(apart > 1e-4 && apart < 0.2, `${apart}`);
  });

  Deno.test(`${mpi.name}: one rank is no MPI, to the byte`, async () => {
    const [one, launched] = [await alone(), await together(mpi, 1)];
    assertEquals(launched.digests, one.digests);
    assertEquals(launched.losses, one.losses);
  });

  Deno.test(`${mpi.name}: the library's own sums agree, and are alike on all ranks`, async () => {
    const fast = await together(mpi, 4, "plain", "fast");
    assertEquals(new Set(fast.digests).size, 1);
    assert(distance(await alone(), fast) < 1e-6);
  });
}

Deno.test({
  name:
    `the same ranks give the same bytes, again and with another MPI${withoutBoth}`,
  ignore: withoutBoth !== "",
  fn: async () => {
    for (const kind of ["plain", "norm", "own-norm"]) {
      const [first, other] = [
        await together(mpis[0]!, 4, kind),
        await together(mpis[1]!, 4, kind),
      ];
      assertEquals(other.digests, first.digests);
      assertEquals((await together(mpis[0]!, 4, kind)).digests, first.digests);
      assertNotEquals(first.digests, (await alone(kind)).digests);
    }
  },
});

Deno.test({
  name: `several ranks train as one${withoutMpi}`,
  ignore: withoutMpi !== "",
  fn: () => assert(mpis.length > 0),
});

const python = Deno.env.get("GAPCAM_PYTHON");

Deno.test({
  name:
    `losses of ten steps on 2 ranks are those of PyTorch's DistributedDataParallel over Gloo (needs GAPCAM_PYTHON, a Python with torch)${withoutMpi}`,
  ignore: !python || withoutMpi !== "",
  fn: async () => {
    const file = await Deno.makeTempFile();
    try {
      for (const kind of ["plain", "own-norm"]) {
        await new Deno.Command(program[0]!, {
          args: [...program.slice(1), kind],
          env: { STEPS_FILE: file },
        }).output();
        const { stdout, stderr, success } = await new Deno.Command(python!, {
          args: [`${root}tests/ranks/_ddp.py`, file],
          env: { OMP_NUM_THREADS: "1" },
        }).output();
        assert(success, new TextDecoder().decode(stderr));
        const theirs = JSON.parse(new TextDecoder().decode(stdout)) as number[];
        const { losses } = await together(mpis[0]!, 2, kind);
        assertEquals(theirs.length, losses.length);
        const apart = Math.max(
          ...theirs.map((loss, i) => Math.abs(loss - losses[i]!)),
        );
        assert(apart < 1e-5, `${kind}: ${apart}`);
      }
    } finally {
      await Deno.remove(file);
    }
  },
});
