/** An MPI library, or why none can be used. */
export type MpiDescription =
  | {
    /** The file that was loaded. */
    readonly library: string;
    /** What the library says of itself. */
    readonly version: string;
    /** Its binary interface: Open MPI's, MPICH's (Intel's too), that of MPI 5. */
    readonly abi: "open-mpi" | "mpich" | "standard";
  }
  | {
    /** What is wrong. */
    readonly problem: string;
  };

/** What a {@linkcode Communicator} joins. */
export interface CommunicatorDescription {
  /** Number of this process, from 0. */
  readonly rank: number;
  /** How many processes there are. */
  readonly size: number;
  /** Number of this process among those of its host, from 0. */
  readonly localRank: number;
  /** How many of the processes run on this host. */
  readonly localSize: number;
  /** This host's name. */
  readonly host: string;
  /** How many hosts there are. */
  readonly hosts: number;
  /**
   * This process's share of the processors: those that the launcher bound it
   * to, or an equal part of those that several share.
   */
  readonly threads: number;
  /** The MPI library; `TCP` without one. */
  readonly library: string;
  /** What it says of itself. */
  readonly version: string;
  /** Its binary interface; `tcp` without one. */
  readonly abi: "open-mpi" | "mpich" | "standard" | "tcp";
}
