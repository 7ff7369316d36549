/** What keeps other sites and what is shown from doing more than be looked at. */
export const SECURITY_HEADERS: readonly (readonly [string, string])[] = [
  [
    "content-security-policy",
    "default-src 'none'; script-src 'self'; style-src 'self'; " +
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; " +
    "form-action 'none'; frame-ancestors 'none'",
  ],
  ["cross-origin-resource-policy", "same-origin"],
  ["referrer-policy", "no-referrer"],
  ["x-content-type-options", "nosniff"],
];

/** An answer that is no good, in a sentence. */
export function failed(status: number, error: string): Response {
  return new Response(JSON.stringify({ error }), {
    status,
    headers: JSON_HEADERS,
  });
}

const JSON_HEADERS = {
  "content-type": "application/json",
  "cache-control": "no-store",
} as const;

/** A value for programs. */
export function json(value: unknown): Response {
  return new Response(JSON.stringify(value), { headers: JSON_HEADERS });
}

/**
 * A value that is sent only to those who do not have it.
 *
 * @param tag Changes with the value.
 */
export function tagged(
  request: Request,
  tag: string,
  valueOf: () => unknown,
): Response {
  const etag = `"${tag}"`;
  const headers = {
    "content-type": "application/json",
    "cache-control": "no-cache",
    etag,
  };
  if (request.headers.get("if-none-match") === etag) {
    return new Response(null, { status: 304, headers });
  }
  return new Response(JSON.stringify(valueOf()), { headers });
}
