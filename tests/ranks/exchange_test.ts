import { assertEquals, assertThrows } from "@std/assert";
import { openDevice } from "../../src/device/open_device.ts";
import { GapcamError } from "../../src/error.ts";
import { mpis, root, runRanks, withoutMpi } from "./_mpi.ts";

const run = [Deno.execPath(), "run", "-A"];

Deno.test({
  name:
    `a communicator of three ranks sends, gathers and sums in their order, refuses what it cannot and ends${withoutMpi}`,
  ignore: withoutMpi !== "",
  fn: async () => {
    for (const mpi of mpis) {
      const { code, stdout, stderr } = await runRanks(
        mpi,
        [...run, `${root}tests/ranks/_exchange.ts`],
        { ranks: 3 },
      );
      assertEquals(code, 0, stderr);
      assertEquals(stdout.match(/rank \d is content/g)?.length, 3, stdout);
    }
  },
});

Deno.test("a program without a communicator sums over no ranks", () => {
  using device = openDevice("cpu", { threads: 1 });
  using program = device.program();
  using tensor = device.tensor([8]);
  using settings = device.tensor([2]);
  assertThrows(
    () => program.allReduce([tensor]),
    GapcamError,
    "Cannot add all_reduce: the program has no communicator",
  );
  assertThrows(
    () => program.wholeBatch(tensor, { settings, metrics: tensor }),
    GapcamError,
    "Cannot add whole_batch: the program has no communicator",
  );
});

Deno.test("describeMpi() says what is wrong with a library that is none", async () => {
  const script = 'import { describeMpi } from "./src/device/mod.ts"; ' +
    "console.log(JSON.stringify(describeMpi()));";
  const found: Record<string, string> = {};
  for (const library of ["libc.so.6", "/nowhere/libmpi.so"]) {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", script],
      cwd: root,
      env: { GAPCAM_MPI_LIBRARY: library },
    }).output();
    found[library] = JSON.parse(new TextDecoder().decode(stdout)).problem;
  }
  assertEquals(found, {
    "libc.so.6":
      "libc.so.6 has no function MPI_Get_library_version: it is no MPI library",
    "/nowhere/libmpi.so":
      "GAPCAM_MPI_LIBRARY names /nowhere/libmpi.so, which cannot be loaded " +
      "(/nowhere/libmpi.so: cannot open shared object file: No such file or " +
      "directory)",
  });
});
