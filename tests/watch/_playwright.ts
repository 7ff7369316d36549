/**
 * What we use of Playwright, which is not to be in the module graph: what
 * deno.lock names, every command of the project would download first.
 *
 * @module
 */

import { chromiumPath } from "./_chromium.ts";

/** A page of a browser. */
export interface Page {
  goto(url: string): Promise<unknown>;
  reload(): Promise<unknown>;
  evaluate<Result>(script: string): Promise<Result>;
  click(selector: string): Promise<void>;
  check(selector: string): Promise<void>;
  focus(selector: string): Promise<void>;
  textContent(selector: string): Promise<string | null>;
  setViewportSize(size: { width: number; height: number }): Promise<void>;
  emulateMedia(media: { colorScheme: "light" | "dark" }): Promise<void>;
  screenshot(options: { path: string; fullPage?: boolean }): Promise<unknown>;
  keyboard: { press(key: string): Promise<void> };
  on(event: "request", listener: (request: { url(): string }) => void): void;
  on(event: "pageerror", listener: (error: Error) => void): void;
  on(
    event: "console",
    listener: (message: { type(): string; text(): string }) => void,
  ): void;
}

interface Browser {
  newPage(options: Record<string, unknown>): Promise<Page>;
  close(): Promise<void>;
}

const PACKAGE = "npm:playwright-core@1.65.1";
const AXE = "npm:axe-core@4.14.1/axe.min.js";

/**
 * What keeps somebody who uses keys, a screen reader or sees little from using a
 * page, as axe finds it.
 */
export async function hindrances(page: Page): Promise<string[]> {
  const { default: axe } = await import(AXE, { with: { type: "text" } }) as {
    default: string;
  };
  await page.evaluate(axe);
  return await page.evaluate(
    `axe.run().then(({ violations }) => violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, any }) => [id, any[0]?.message, html].join(": "))))`,
  );
}

/** Opens a page in a browser that is closed in the end. */
export async function withPage(
  test: (page: Page) => Promise<void>,
): Promise<void> {
  const { chromium } = await import(PACKAGE) as {
    chromium: { launch(options: unknown): Promise<Browser> };
  };
  const browser = await chromium.launch({
    executablePath: chromiumPath()!,
    // Tests may run as root, where Chromium has no sandbox.
    args: ["--no-sandbox", "--disable-gpu"],
  });
  try {
    await test(
      await browser.newPage({ viewport: { width: 1280, height: 900 } }),
    );
  } finally {
    await browser.close();
  }
}
