import { assertEquals, assertMatch } from "@std/assert";
import { mpis, root, runRanks } from "./_mpi.ts";

const mpich = mpis.find(({ name }) => name === "MPICH");

/** MPICH as it is, but for an end from which it does not come back. */
const STUCK = `
#include <unistd.h>
int MPI_Finalize(void) { for (;;) pause(); }
`;

Deno.test({
  name:
    `ranks end, and their launcher with 0, where MPICH does not come back from its own end${
      mpich ? "" : " (skipped: there is no MPICH)"
    }`,
  ignore: mpich === undefined,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      const library = `${folder}/libstuck.so`;
      await Deno.writeTextFile(`${folder}/stuck.c`, STUCK);
      const { success, stderr } = await new Deno.Command("cc", {
        args: [
          ...["-shared", "-fPIC", "-o", library, `${folder}/stuck.c`],
          ...["-Wl,--no-as-needed", "-l:libmpich.so.12"],
        ],
      }).output();
      assertEquals(success, true, new TextDecoder().decode(stderr));
      // As it comes, MPICH's launcher ends all once one is gone.
      for (const flags of [[], mpich!.flags]) {
        const start = performance.now();
        const ended = await runRanks({ ...mpich!, flags }, [
          ...[Deno.execPath(), "run", "-A", `${root}tests/ranks/_steps.ts`],
        ], { ranks: 2, env: { GAPCAM_MPI_LIBRARY: library } });
        assertEquals([ended.code, ended.stderr], [0, ""]);
        assertMatch(ended.stdout, /^\{"size":2,.*\}\n$/);
        assertEquals(performance.now() - start < 60_000, true);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
