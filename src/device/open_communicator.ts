import { GapcamError } from "../error.ts";
import {
  check,
  libraryFolder,
  messageBuffer,
  openLibrary,
  readDescription,
} from "./_library.ts";
import { Communicator } from "./communicator.ts";
import type { MpiDescription } from "./communicator_description.ts";
import type { Launcher } from "./launcher.ts";

/**
 * Describes the MPI library that {@linkcode openCommunicator} would use,
 * without starting it.
 *
 * @param options `libraryFolder`, as for {@linkcode openDevice}.
 * @returns The library, or what is wrong.
 * @throws {GapcamError} If gapcam's own library is missing or of another version.
 *
 * @example
 * ```ts
 * import { describeMpi } from "@gapcam/gapcam/device";
 *
 * const mpi = describeMpi();
 * console.log("problem" in mpi ? mpi.problem : mpi.version);
 * ```
 */
export function describeMpi(
  options: { libraryFolder?: string } = {},
): MpiDescription {
  const symbols = openLibrary("cpu", options.libraryFolder);
  return readDescription(symbols.gapcam_mpi_describe);
}

/**
 * Starts MPI and joins the processes of a run, its ranks, once a process. Under
 * a launcher all of them must do so. Those that `torchrun` started meet over TCP,
 * at the address that it names.
 *
 * @param options `launcher`: what started the process, to hold what MPI says
 * against; `libraryFolder`, as for {@linkcode openDevice}.
 * @returns What joins them.
 * @throws {GapcamError} If no MPI can be used, it sees another number of
 * processes than the launcher started, or a rank cannot be reached.
 */
export async function openCommunicator(
  options: { launcher?: Launcher; libraryFolder?: string } = {},
): Promise<Communicator> {
  const symbols = openLibrary("cpu", options.libraryFolder);
  const message = messageBuffer();
  const created = new BigUint64Array(1);
  const { launcher } = options;
  const text = new TextEncoder();
  check(
    launcher?.meeting
      ? await symbols.gapcam_communicator_connect(
        text.encode(`${launcher.meeting.address}\0`),
        launcher.meeting.port,
        launcher.rank,
        launcher.size,
        text.encode(`${launcher.meeting.run}\0`),
        created,
        message,
      )
      : await symbols.gapcam_communicator_open(created, message),
    message,
  );
  const communicator = new Communicator(symbols, created[0]!, {
    library: `${libraryFolder(options.libraryFolder)}/libgapcam_cpu.so`,
  });
  const { size, library, version } = communicator.description;
  if (launcher && launcher.size !== size) {
    throw new GapcamError(
      "device-unavailable",
      `Cannot join the ranks: ${launcher.name} started ${launcher.size} ` +
        `processes, ${library} (${version}) sees ${size}; start them with the ` +
        "launcher of that library, or name the launcher's own library with " +
        "GAPCAM_MPI_LIBRARY",
    );
  }
  return communicator;
}
