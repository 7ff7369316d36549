import { assert, assertEquals } from "@std/assert";

Deno.test("memory is flat from step 20 to step 200 of a 64 x 64 run: less than 4 MiB resident, 0 native bytes", async () => {
  const folder = await Deno.makeTempDir();
  // A process of its own: what other tests left would hide a leak.
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--allow-all",
      "--quiet",
      new URL("./_resident_memory.ts", import.meta.url).pathname,
      folder,
    ],
  }).output();
  await Deno.remove(folder, { recursive: true });
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  const { resident, live } = JSON.parse(new TextDecoder().decode(stdout));
  assertEquals(resident.length, 10);
  assertEquals(new Set(live).size, 1);
  // A leak of one batch of images a step would be 9 MB; the runtime's own heap
  // moves by one or two.
  // The least of each half: single moves of the heap are no leak.
  const growth = Math.min(...resident.slice(5)) -
    Math.min(...resident.slice(0, 5));
  assert(growth < 4 * 2 ** 20, `${growth} bytes: ${resident}`);
});
