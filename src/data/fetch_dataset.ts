import { GapcamError } from "../error.ts";
import { DATASET_SOURCES, type DatasetSource } from "./_dataset_sources.ts";
import { fetchSource } from "./_fetch_source.ts";
import type { TransferProgress } from "./_download.ts";

export type { TransferProgress } from "./_download.ts";

/** Options of {@linkcode fetchDataset}. */
export interface FetchDatasetOptions {
  /** Folder for the files. Default: `data/NAME` in the working folder. */
  dataDir?: string;
  /**
   * A mirror: the archive's address, or for MNIST and Fashion-MNIST what
   * comes before the names of the files.
   */
  url?: string;
  /** An archive that is there already, to unpack instead of fetching it. */
  file?: string;
  /**
   * Whether sizes and checksums must be the publisher's; turn it off for a
   * file of the same form with other images. Default: true.
   */
  verify?: boolean;
  /** Seconds without a byte after which a connection is given up. Default: 30. */
  stallSeconds?: number;
  /** Attempts in a row that may bring nothing new. Default: 5. */
  retries?: number;
  /** Seconds before the first retry; each further one waits twice as long. Default: 1. */
  backoffSeconds?: number;
  /** Called as bytes arrive. */
  onProgress?: (progress: TransferProgress) => void;
  /** Called with one line when a connection fails and will be tried again. */
  onRetry?: (message: string) => void;
  /** Ends the download; what has come is kept for the next one. */
  signal?: AbortSignal;
}

/** The data sets that {@linkcode fetchDataset} knows. */
export const FETCHABLE_DATASETS: readonly string[] = Object.keys(
  DATASET_SOURCES,
);

/**
 * Fetches a data set from its publisher: resumes what an earlier run left,
 * goes on after a cut, unpacks while it arrives, and shows a file under its
 * name only when it is complete and its checksum right. Until then nothing
 * takes the folder for the data set.
 *
 * @param name One of {@linkcode FETCHABLE_DATASETS}.
 * @param options Where to, where from, and what to call meanwhile.
 * @returns The folder, and whether anything had to be fetched.
 * @throws {GapcamError} If the data set is not known, the files cannot be
 * had, or they are not what they should be.
 *
 * @example Asking for a data set that nobody publishes
 * ```ts
 * import { fetchDataset } from "@gapcam/gapcam";
 *
 * let message = "";
 * await fetchDataset("shapes").catch((error) => message = error.message);
 * if (!message.includes("generated")) throw new Error(message);
 * ```
 */
export async function fetchDataset(
  name: string,
  options: FetchDatasetOptions = {},
): Promise<{ folder: string; fetched: boolean }> {
  const known = Object.hasOwn(DATASET_SOURCES, name)
    ? DATASET_SOURCES[name]
    : undefined;
  if (!known) {
    throw new GapcamError(
      "invalid-argument",
      name === "shapes"
        ? "Cannot fetch shapes: they are generated, nothing needs fetching"
        : `Cannot fetch ${JSON.stringify(name)}: expected one of ${
          FETCHABLE_DATASETS.join(", ")
        }`,
    );
  }
  const source: DatasetSource = {
    ...known,
    url: mirror(options.url, known),
    ...(options.verify === false && {
      archive: known.archive && {},
      files: known.files.map(({ bytes: _, md5: __, ...file }) => file),
    }),
  };
  const folder = options.dataDir ?? `data/${name}`;
  return {
    folder,
    fetched: await fetchSource(source, folder, { ...options, name }),
  };
}

function mirror(url: string | undefined, source: DatasetSource): string {
  if (url === undefined) return source.url;
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
    throw new GapcamError(
      "invalid-argument",
      `Cannot fetch from ${JSON.stringify(url)}: expected an address that ` +
        "starts with http:// or https://",
    );
  }
  return source.archive || url.endsWith("/") ? url : `${url}/`;
}
