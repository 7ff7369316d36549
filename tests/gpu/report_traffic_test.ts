import { assertEquals, assertMatch } from "@std/assert";
import { run } from "../native/_build.ts";

Deno.test("report_traffic.sh counts kernels and bytes of a step beside the least", async () => {
  const { code, output } = await run("sh", [
    "scripts/gpu/report_traffic.sh",
    ..."--models resnet18 --size 32 --batch 2".split(" "),
  ], { NO_COLOR: "1" });
  assertEquals(code, 0, output);
  const heads = output.match(/^resnet18, (inference|training), bf16.*$/gm)!;
  assertEquals(heads.length, 2, output);
  // 20 convolutions, a pool, the images, the mean, and the head with its bias.
  assertMatch(heads[0]!, /: 25 launches, .* the least 23 launches, /);
  // Sums and activations are part of other steps.
  assertEquals(/^\| (add|leaky_relu)/m.test(output), false, output);
  assertMatch(output, /^\| batch_norm2d backward \| 20 \| 60 \| /m);
});
