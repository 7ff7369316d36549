import { assertEquals } from "@std/assert";
import {
  MULTIPROCESSORS,
  occupancy,
  parseKernelLog,
} from "../../scripts/gpu/_occupancy.ts";

const LOG = `ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'norm_f32' for 'sm_90'
ptxas info    : Function properties for norm_f32
ptxas         .     8 bytes stack frame, 16 bytes spill stores, 12 bytes spill loads
ptxas info    : Used 99 registers, used 1 barriers, 16384 bytes smem
ptxas info    : Compile time = 122.398 ms
ptxas info    : Compiling entry function 'adam' for 'sm_90'
ptxas info    : Function properties for adam
ptxas         .     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 32 registers, used 0 barriers
`;

Deno.test("what ptxas says of kernels is read, whatever they lack", () => {
  assertEquals(parseKernelLog(LOG), [
    { name: "adam", registers: 32, spilled: 0, stack: 0, shared: 0 },
    { name: "norm_f32", registers: 99, spilled: 16, stack: 8, shared: 16384 },
  ]);
});

Deno.test("occupancy is that of NVIDIA's calculator, and names what limits it", () => {
  const kernel = { name: "", registers: 32, spilled: 0, stack: 0, shared: 0 };
  const of = (registers: number, shared: number, architecture = "90") =>
    occupancy(
      { ...kernel, registers, shared },
      MULTIPROCESSORS[architecture]!,
      256,
    );
  assertEquals(of(32, 0), { share: 1, limit: "threads" });
  assertEquals(of(33, 0), { share: 0.75, limit: "registers" });
  assertEquals(of(40, 0), { share: 0.75, limit: "registers" });
  assertEquals(of(64, 0), { share: 0.5, limit: "registers" });
  assertEquals(of(65, 0), { share: 0.375, limit: "registers" });
  assertEquals(of(255, 0), { share: 0.125, limit: "registers" });
  assertEquals(of(32, 48 * 1024), { share: 0.5, limit: "shared" });
  assertEquals(of(32, 48 * 1024, "80"), { share: 0.375, limit: "shared" });
});
