import { fileURLToPath } from "node:url";

/** The project's folder. */
export const root = fileURLToPath(new URL("../..", import.meta.url));

/** An MPI that this machine has. */
export interface Mpi {
  name: "Open MPI" | "MPICH";
  /** Its launcher, and what it takes before the command. */
  launcher: string;
  flags: readonly string[];
}

/** Who starts processes, and by what each is known. */
const LAUNCHERS: readonly (Mpi & { says: RegExp; names: string[] })[] = [
  {
    name: "Open MPI",
    launcher: "",
    // More ranks than cores, by whoever runs the tests.
    flags: ["--allow-run-as-root", "--oversubscribe", "--bind-to", "none"],
    says: /Open MPI|Open RTE/,
    names: ["mpirun.openmpi", "mpirun"],
  },
  {
    name: "MPICH",
    launcher: "",
    // Else it ends all before one of them can say a word.
    flags: ["-disable-auto-cleanup"],
    says: /HYDRA|MPICH/,
    names: ["mpirun.mpich", "mpiexec.hydra", "mpirun"],
  },
];

/** Every MPI that is here. */
export const mpis: readonly Mpi[] = (await Promise.all(
  LAUNCHERS.map(async ({ says, names, ...mpi }) => {
    for (const launcher of names) {
      try {
        const { stdout } = await new Deno.Command(launcher, {
          args: ["--version"],
        }).output();
        if (says.test(new TextDecoder().decode(stdout))) {
          return [{ ...mpi, launcher }];
        }
      } catch {
        // The next name, then.
      }
    }
    return [];
  }),
)).flat();

/** Ends the name of a test that needs an MPI: empty, or why it is skipped. */
export const withoutMpi = mpis.length > 0
  ? ""
  : " (skipped: there is neither Open MPI nor MPICH)";

/** Ends the name of a test that needs both. */
export const withoutBoth = mpis.length === 2
  ? ""
  : " (skipped: there are not both Open MPI and MPICH)";

/** What ranks printed, and how their launcher ended. */
export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** How ranks are started. */
export interface RankOptions {
  ranks: number;
  env?: Record<string, string>;
  cwd?: string;
}

/** A command on several ranks, ready to be started. */
export function onRanks(
  mpi: Mpi,
  command: readonly string[],
  options: RankOptions,
): Deno.Command {
  return new Deno.Command(mpi.launcher, {
    args: [...mpi.flags, "-n", String(options.ranks), ...command],
    cwd: options.cwd ?? root,
    env: {
      NO_COLOR: "1",
      // Waiting threads that spin would take the cores from working ones.
      OMP_WAIT_POLICY: "passive",
      OMPI_MCA_mpi_yield_when_idle: "1",
      // Containers do not let one process read another's memory.
      OMPI_MCA_btl_vader_single_copy_mechanism: "none",
      ...options.env,
    },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** Runs a command on several ranks. */
export async function runRanks(
  mpi: Mpi,
  command: readonly string[],
  options: RankOptions,
): Promise<Ended> {
  return ended(await onRanks(mpi, command, options).output());
}

/** What a command printed, as text. */
export function ended(output: Deno.CommandOutput): Ended {
  const text = new TextDecoder();
  return {
    code: output.code,
    stdout: text.decode(output.stdout),
    stderr: text.decode(output.stderr),
  };
}
