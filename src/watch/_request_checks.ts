/** Names that lead to this machine alone, whatever a name server says. */
const LOOPBACK = ["127.0.0.1", "localhost", "[::1]"];

/** Who may ask. */
export interface Admission {
  /** The name that the server listens under. */
  hostname: string;
  /** What whoever asks must know; nothing if undefined. */
  token: string | undefined;
  /** Name of the cookie that holds it. */
  cookie: string;
}

/** Whether a name leads to this machine alone. */
export function isLoopback(hostname: string): boolean {
  return [...LOOPBACK, "::1"].includes(hostname);
}

/**
 * Why a request is refused, if it is: a page of another site asks, or a name was
 * made to lead here (DNS rebinding), or it does not know the token.
 */
export function refusalOf(
  request: Request,
  { hostname, token, cookie }: Admission,
): string | undefined {
  const host = request.headers.get("host");
  const name = nameOf(host);
  const known = name !== undefined &&
    (LOOPBACK.includes(name) ||
      token !== undefined && (name === hostname || isAddress(name)));
  if (!known) return "it was asked for under another name";
  const origin = request.headers.get("origin");
  if (origin !== null && origin !== `http://${host}`) {
    return "another site asks";
  }
  const site = request.headers.get("sec-fetch-site");
  const opens = request.headers.get("sec-fetch-mode") === "navigate" &&
    request.method === "GET";
  if (site !== null && !["same-origin", "none"].includes(site) && !opens) {
    return "another site asks";
  }
  if (token === undefined) return undefined;
  const url = new URL(request.url);
  const given = url.searchParams.get("token") ??
    cookieOf(request.headers.get("cookie"), cookie);
  if (given !== undefined && sameText(given, token)) return undefined;
  return "it needs the token of the address that was printed";
}

/** The host without its port. */
function nameOf(host: string | null): string | undefined {
  return /^(\[[0-9a-f:.]+\]|[^:[\]]+)(:\d+)?$/i.exec(host ?? "")?.[1]
    ?.toLowerCase();
}

/** Numbers ask no name server. */
function isAddress(name: string): boolean {
  return name.startsWith("[") || /^\d+(\.\d+){3}$/.test(name);
}

function cookieOf(header: string | null, name: string): string | undefined {
  return (header ?? "").split(/;\s*/)
    .find((part) => part.startsWith(`${name}=`))
    ?.slice(name.length + 1);
}

/** Compares without telling by its time how much is right. */
function sameText(one: string, other: string): boolean {
  let different = one.length ^ other.length;
  for (let i = 0; i < other.length; i++) {
    different |= one.charCodeAt(i % Math.max(1, one.length)) ^
      other.charCodeAt(i);
  }
  return different === 0;
}
