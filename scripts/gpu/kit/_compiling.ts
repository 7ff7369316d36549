import { VGG_CONFIGURATIONS } from "../../../mod.ts";

/**
 * Has torch.compile fill its cache for the benchmark's networks while other
 * steps run: nothing but speed must be measured alone.
 */
export function startCompiling(python: string): Deno.ChildProcess {
  const requests = ["resnet50", "vgg16", "efficientnet_lite0"].flatMap((
    model,
  ) => [
    {
      model: model === "vgg16" ? VGG_CONFIGURATIONS.vgg16 : model,
      ...{ classes: model === "vgg16" ? 10 : 1000, size: 224, batch: 256 },
      ...{ threads: 4, device: "cuda" },
    },
    {
      measure: "train",
      ...{ steps: 1, channelsLast: true, bf16: true, compile: true },
    },
  ]);
  const child = new Deno.Command(python, {
    args: ["scripts/bench/pytorch.py"],
    stdin: "piped",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const lines = requests.map((one) => `${JSON.stringify(one)}\n`).join("");
  // It may have ended already, without what it needs.
  new Response(lines).body!.pipeTo(child.stdin).catch(() => undefined);
  return child;
}

/** Waits until all is compiled, but not for long, and ends it. */
export async function endCompiling(
  compiling: Deno.ChildProcess,
  { seconds }: { seconds: number },
): Promise<void> {
  const timer = setTimeout(() => compiling.kill("SIGKILL"), 1000 * seconds);
  await compiling.status;
  clearTimeout(timer);
}
