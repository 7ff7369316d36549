import type { Ended } from "./_mpi.ts";
import { ended, root } from "./_mpi.ts";

/** How ranks are started as `torchrun` does. */
export interface TorchrunOptions {
  ranks: number;
  env?: Record<string, string>;
  /** Of one rank alone. */
  envOf?: Record<number, Record<string, string>>;
  /** In place of the command's, of one rank alone. */
  commandOf?: Record<number, readonly string[]>;
}

/** A command on several ranks, by the variables that `torchrun` sets. */
export async function torchrun(
  command: readonly string[],
  options: TorchrunOptions,
): Promise<Ended[]> {
  const listener = Deno.listen({ port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  const { ranks, env, envOf = {}, commandOf = {} } = options;
  const outputs = Array.from({ length: ranks }, (_, rank) => {
    const [name, ...args] = commandOf[rank] ?? command;
    return new Deno.Command(name!, {
      args,
      cwd: root,
      env: {
        NO_COLOR: "1",
        OMP_WAIT_POLICY: "passive",
        RANK: String(rank),
        WORLD_SIZE: String(ranks),
        LOCAL_RANK: String(rank),
        MASTER_ADDR: "127.0.0.1",
        MASTER_PORT: String(port),
        TORCHELASTIC_RUN_ID: `test ${Deno.pid}`,
        ...env,
        ...envOf[rank],
      },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
  });
  return (await Promise.all(outputs)).map(ended);
}
