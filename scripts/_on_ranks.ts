/**
 * A command as one of several processes that a launcher started, its ranks.
 *
 * @module
 */

import type { Communicator } from "../src/device/communicator.ts";
import { findLauncher } from "../src/device/launcher.ts";
import { openCommunicator } from "../src/device/open_communicator.ts";
import { GapcamError } from "../src/error.ts";

/** Time that rank 0 has to say what happened before its launcher ends it. */
const LAST_WORD_MS = 1500;

/** Time that a rank has to fail by itself once it is told that another did. */
const OWN_WORD_MS = 500;

/**
 * Runs a command, joined with the other ranks where a launcher started several.
 * Whatever ends one ends all: rank 0 says why, or rank 1 if that is what ended.
 *
 * @param main What the command does; it is given what joins the ranks.
 * @returns Its exit code.
 */
export async function onRanks(
  main: (communicator: Communicator | undefined) => Promise<number>,
): Promise<number> {
  const launcher = findLauncher();
  if (!launcher || launcher.size === 1) return await main(undefined);
  let communicator: Communicator;
  try {
    communicator = await openCommunicator({ launcher });
  } catch (error) {
    // Most often all fail alike, and then one says so.
    if (launcher.rank > 0) await pause(LAST_WORD_MS);
    throw error;
  }
  try {
    const code = await Promise.race([main(communicator), failed(communicator)]);
    await communicator.close();
    return code;
  } catch (error) {
    await giveUp(communicator, error);
    throw error;
  }
}

/** Fails once another rank has, and this one had time to say what it knows. */
async function failed(communicator: Communicator): Promise<never> {
  const failure = await communicator.failure();
  if (!failure) return await new Promise<never>(() => {});
  // A launcher ends who is left within a moment.
  if (!speaksForFirst(communicator.rank, failure)) await pause(OWN_WORD_MS);
  throw failure;
}

/** Tells the others; returns on the rank that is to tell the user. */
async function giveUp(
  communicator: Communicator,
  error: unknown,
): Promise<void> {
  const { rank } = communicator;
  const reason = error instanceof Error ? error.message : String(error);
  const another = error instanceof GapcamError && error.code === "rank-failed";
  try {
    if (!another) await communicator.abort(reason);
  } catch {
    // They know already.
  }
  if (rank === 0) return;
  if (speaksForFirst(rank, error)) return;
  await pause(LAST_WORD_MS);
  Deno.exit(1);
}

/** Whether a rank is to tell the user, since the first rank cannot. */
function speaksForFirst(rank: number, error: unknown): boolean {
  return rank === 1 && error instanceof GapcamError &&
    error.code === "rank-failed" &&
    / ranks: rank 0 \([^)]*\) (ended|has not)/.test(error.message);
}

async function pause(milliseconds: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
}
