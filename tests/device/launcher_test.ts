import { assertEquals, assertThrows } from "@std/assert";
import { findLauncher } from "../../src/device/launcher.ts";
import { GapcamError } from "../../src/error.ts";

function found(variables: Record<string, string>) {
  return findLauncher((name) => variables[name]);
}

Deno.test("findLauncher() recognises each launcher by its variables", () => {
  assertEquals(found({}), undefined);
  assertEquals(
    found({
      OMPI_COMM_WORLD_SIZE: "4",
      OMPI_COMM_WORLD_RANK: "2",
      OMPI_COMM_WORLD_LOCAL_RANK: "0",
    }),
    { name: "mpirun of Open MPI", rank: 2, size: 4, localRank: 0 },
  );
  assertEquals(found({ PMI_SIZE: "2", PMI_RANK: "1" }), {
    name: "mpiexec of MPICH or Intel MPI",
    rank: 1,
    size: 2,
  });
  assertEquals(
    found({
      WORLD_SIZE: "8",
      RANK: "5",
      LOCAL_RANK: "1",
      MASTER_ADDR: "a",
      MASTER_PORT: "29500",
    }),
    {
      name: "torchrun",
      rank: 5,
      size: 8,
      localRank: 1,
      meeting: { address: "a", port: 29500, run: "run" },
    },
  );
});

Deno.test("findLauncher() says where ranks that torchrun started meet", () => {
  const variables = { WORLD_SIZE: "2", RANK: "0", MASTER_ADDR: "host" };
  // Where torchrun keeps a store, its port is taken.
  assertEquals(
    found({
      ...variables,
      MASTER_PORT: "29500",
      TORCHELASTIC_USE_AGENT_STORE: "True",
      TORCHELASTIC_RUN_ID: "mine",
    })?.meeting,
    { address: "host", port: 29501, run: "mine" },
  );
  assertThrows(
    () => found(variables),
    GapcamError,
    "Cannot join the ranks: torchrun's RANK and WORLD_SIZE are set, and not " +
      "both MASTER_ADDR and MASTER_PORT; start them with torchrun, or unset these",
  );
});

Deno.test("findLauncher() takes a step of Slurm, not its batch script", () => {
  const batch = { SLURM_NTASKS: "4", SLURM_PROCID: "0", SLURM_LOCALID: "0" };
  assertEquals(found(batch), undefined);
  assertEquals(found({ ...batch, SLURM_STEP_NUM_TASKS: "4" }), {
    name: "srun",
    rank: 0,
    size: 4,
    localRank: 0,
  });
  // mpirun within an allocation says more.
  assertEquals(
    found({ ...batch, OMPI_COMM_WORLD_SIZE: "2", OMPI_COMM_WORLD_RANK: "1" })
      ?.name,
    "mpirun of Open MPI",
  );
});

Deno.test("findLauncher() refuses variables that are no numbers or do not fit", () => {
  assertThrows(
    () => found({ PMI_SIZE: "two", PMI_RANK: "0" }),
    GapcamError,
    'Cannot join the ranks: PMI_SIZE is "two", expected the whole number that ' +
      "mpiexec of MPICH or Intel MPI sets; leave it unset",
  );
  assertThrows(
    () => found({ WORLD_SIZE: "2", RANK: "2" }),
    GapcamError,
    "torchrun says that this is rank 2 of 2; start anew",
  );
});
