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
export const LAUNCHER_VARIABLES: readonly string[] = LAUNCHERS.flatMap(
  ({ size, rank, localRank }) => [size, rank, localRank],
);

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
    };
  }
  return undefined;
}

function wholeNumber(name: string, text: string, launcher: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new GapcamError(
    "bad-data",
    `Cannot join the ranks: ${name} is ${JSON.stringify(text)}, expected the ` +
      `whole number that ${launcher} sets; leave it unset`,
  );
}
