/** Whether there is a file or folder of that name that can be seen. */
export function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    // Not to be allowed to look is no answer.
    if (error instanceof Deno.errors.NotCapable) throw error;
    return false;
  }
}

/** What the system said, without its number and the path, which we say. */
export function osReason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  // "Read-only file system (os error 30): mkdir '...'" names the path again.
  return text.replace(/ \(os error \d+\).*$/s, "");
}
