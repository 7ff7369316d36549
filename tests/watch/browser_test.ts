import { assertEquals } from "@std/assert";
import { chromiumPath } from "./_chromium.ts";

const browser = chromiumPath();
const reason = browser ? "" : " (skipped: there is no Chromium)";

Deno.test({
  name: `a person sees runs in a browser as they are${reason}`,
  ignore: !browser,
  fn: async () => {
    const here = (name: string) => new URL(name, import.meta.url).pathname;
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "test",
        "--allow-all",
        // Types were checked with all others.
        "--no-check",
        `--lock=${here("_browser.lock")}`,
        "--frozen",
        here("_browser_scenarios.ts"),
      ],
      env: { NO_COLOR: "1" },
      stdout: "piped",
      stderr: "piped",
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    assertEquals(code, 0, `${text(stdout)}${text(stderr)}`);
  },
});
