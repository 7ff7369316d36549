import { GapcamError } from "../error.ts";
import { bad } from "./_pickle_values.ts";
import type { ZipArchive } from "./_zip_read.ts";

/** Where an archive keeps texts of ours; PyTorch looks at names that it knows. */
export const METADATA_ENTRY = "extra/gapcam.json";

/** The texts of an archive that gapcam wrote; none in another. */
export function readMetadata(
  archive: ZipArchive,
  folder: string,
): Record<string, string> {
  const name = `${folder}${METADATA_ENTRY}`;
  if (!archive.has(name)) return {};
  let found: unknown;
  try {
    found = JSON.parse(new TextDecoder().decode(archive.read(name)));
  } catch (error) {
    if (error instanceof GapcamError) throw error;
  }
  if (
    typeof found !== "object" || found === null ||
    !Object.values(found).every((text) => typeof text === "string")
  ) bad(`its ${METADATA_ENTRY} holds no texts by name`);
  return Object.assign(Object.create(null), found);
}
