import { assertEquals } from "@std/assert";
import { KeptPrograms } from "../../src/nn/_kept_programs.ts";

Deno.test("KeptPrograms compiles once a size, keeps few, and frees all", async () => {
  const log: string[] = [];
  {
    using programs = new KeptPrograms((size) => {
      log.push(`compile ${size.height}`);
      return Promise.resolve({
        [Symbol.dispose]: () => log.push(`free ${size.height}`),
      });
    }, 2);
    for (const height of [1, 2, 1, 3, 1, 2]) {
      await programs.at({ height, width: 1 });
    }
  }
  assertEquals(log, [
    ...["compile 1", "compile 2"],
    // The one that was used longest ago goes first, before the new one comes.
    ...["free 2", "compile 3", "free 3", "compile 2"],
    ...["free 1", "free 2"],
  ]);
});
