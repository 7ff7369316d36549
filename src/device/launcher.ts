import { GapcamError } from "../error.ts";

/** What started this process as one of several; see {@linkcode findLauncher}. */
export interface Launcher {
  /** Its name for people, such as `mpirun of Open MPI`. */
  readonly name: string;
  /** Number of this process, from 0. */
  readonly rank: number;
  /** How many processes there are. */
  readonly size: number;
  /** Number of this process among those of its host, where the launcher says. */
  readonly localRank?: number;
  /** Where the processes find each other without MPI, under `torchrun`. */
  readonly meeting?: Meeting;
}

/** Where processes find each other over TCP. */
export interface Meeting {
  /** Name or number of the first one's host. */
  readonly address: string;
  /** Its port, or the first of a few. */
  readonly port: number;
  /** Names the run, so that it is not mistaken for another. */
  readonly run: string;
}

/** Variables by which launchers tell: the number of processes, rank, local rank. */
const LAUNCHERS: readonly {
  name: string;
  size: string;
  rank: string;
  localRank: string;
}[] = [
  {
    name: "mpirun of Open MPI",
    size: "OMPI_COMM_WORLD_SIZE",
    rank: "OMPI_COMM_WORLD_RANK",
    localRank: "OMPI_COMM_WORLD_LOCAL_RANK",
  },
  {
    name: "mpiexec of MPICH or Intel MPI",
    size: "PMI_SIZE",
    rank: "PMI_RANK",
    localRank: "MPI_LOCALRANKID",
  },
  // Of a step: a batch script has Slurm's other variables and is one process.
  {
    name: "srun",
    size: "SLURM_STEP_NUM_TASKS",
    rank: "SLURM_PROCID",
    localRank: "SLURM_LOCALID",
  },
  {
    name: "torchrun",
    size: "WORLD_SIZE",
    rank: "RANK",
    localRank: "LOCAL_RANK",
  },
];

/** The variables that {@linkcode findLauncher} reads. */
export const LAUNCHER_VARIABLES: readonly string[] = [
  ...LAUNCHERS.flatMap(({ size, rank, localRank }) => [size, rank, localRank]),
  ...["MASTER_ADDR", "MASTER_PORT"],
  ...["TORCHELASTIC_RUN_ID", "TORCHELASTIC_USE_AGENT_STORE"],
];

/**
 * What started this process, by the variables that `mpirun`, `mpiexec`, `srun`
 * and `torchrun` set.
 *
 * @param variable Gives a variable of the environment. Default: `Deno.env.get`,
 * which needs the permission to read those.
 * @returns The first that is recognised; undefined if the process runs alone.
 * @throws {GapcamError} If the variables are no numbers, or do not fit.
 *
 * @example
 * ```ts
 * import { findLauncher } from "@gapcam/gapcam/device";
 *
 * const variables = new Map([["PMI_SIZE", "4"], ["PMI_RANK", "3"]]);
 * const launcher = findLauncher((name) => variables.get(name));
 * if (launcher?.rank !== 3 || launcher.size !== 4) throw new Error();
 * ```
 */
export function findLauncher(
  variable: (name: string) => string | undefined = (name) => Deno.env.get(name),
): Launcher | undefined {
  for (const { name, ...names } of LAUNCHERS) {
    const [size, rank, localRank] = [names.size, names.rank, names.localRank]
      .map((one) => {
        const text = variable(one);
        return text ? wholeNumber(one, text, name) : undefined;
      });
    if (size === undefined || rank === undefined) continue;
    if (size < 1 || rank >= size) {
      throw new GapcamError(
        "bad-data",
        `Cannot join the ranks: ${name} says that this is rank ${rank} of ` +
          `${size}; start anew`,
      );
    }
    return {
      name,
      rank,
      size,
      ...(localRank === undefined ? {} : { localRank }),
      ...(name === "torchrun" && size > 1
        ? { meeting: findMeeting(variable) }
        : {}),
    };
  }
  return undefined;
}

function findMeeting(
  variable: (name: string) => string | undefined,
): Meeting {
  const address = variable("MASTER_ADDR"), port = variable("MASTER_PORT");
  if (!address || !port) {
    throw new GapcamError(
      "bad-data",
      "Cannot join the ranks: torchrun's RANK and WORLD_SIZE are set, and not " +
        "both MASTER_ADDR and MASTER_PORT; start them with torchrun, or unset " +
        "these",
    );
  }
  // Torchrun itself listens at the port where it keeps a store of its own.
  const taken = variable("TORCHELASTIC_USE_AGENT_STORE") === "True";
  return {
    address,
    port: wholeNumber("MASTER_PORT", port, "torchrun") + (taken ? 1 : 0),
    run: variable("TORCHELASTIC_RUN_ID") ?? "run",
  };
}

function wholeNumber(name: string, text: string, launcher: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new GapcamError(
    "bad-data",
    `Cannot join the ranks: ${name} is ${JSON.stringify(text)}, expected the ` +
      `whole number that ${launcher} sets; leave it unset`,
  );
}
