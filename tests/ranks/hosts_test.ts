import { assert, assertEquals, assertMatch } from "@std/assert";
import { type Mpi, mpis } from "./_mpi.ts";

/**
 * Two hosts on one machine: network namespaces with names of their own, joined
 * by a cable (a pair of virtual interfaces) of 1 Gbit/s.
 */
class TwoHosts implements AsyncDisposable {
  readonly names: readonly [string, string];
  readonly addresses: readonly [string, string];
  readonly #links: readonly [string, string];
  readonly folder = Deno.makeTempDirSync();

  constructor() {
    const id = Deno.pid % 10000;
    const net = `10.${77 + id % 100}.${id % 250}`;
    this.names = [`gc${id}a`, `gc${id}b`];
    this.#links = [`gv${id}a`, `gv${id}b`];
    this.addresses = [`${net}.1`, `${net}.2`];
  }

  async build(): Promise<void> {
    const { names, addresses } = this;
    for (const name of names) await ip("netns", "add", name);
    const [first, second] = this.#links;
    await ip("link", "add", first, "type", "veth", "peer", "name", second);
    for (const i of [0, 1] as const) {
      const [name, link] = [names[i], this.#links[i]];
      await ip("link", "set", link, "netns", name);
      await ip("-n", name, "addr", "add", `${addresses[i]}/24`, "dev", link);
      await ip("-n", name, "link", "set", link, "up");
      await ip("-n", name, "link", "set", "lo", "up");
      const limits = [
        ["netem", "delay", "0.1ms", "rate", "1gbit"],
        // Where the kernel has no netem: the rate alone.
        ["tbf", "rate", "1gbit", "burst", "64kb", "latency", "50ms"],
      ];
      for (const limit of limits) {
        const tc = ["tc", "-n", name, "qdisc", "add", "dev", link, "root"];
        if (await succeeds([...tc, ...limit])) break;
      }
    }
    const agent = `${this.folder}/agent.sh`;
    await Deno.writeTextFile(
      agent,
      `#!/bin/sh
# Stands for ssh: [-OPTION...] HOST COMMAND...
while case $1 in -*) true ;; *) false ;; esac; do shift; done
host=$1; shift
case $host in ${addresses[0]}) name=${names[0]} ;; *) name=${names[1]} ;; esac
command="$*"
exec ip netns exec $name unshare --uts sh -c 'hostname "$0"; exec sh -c "$1"' $name "$command"
`,
      { mode: 0o755 },
    );
  }

  /** A command with one rank on each host, started on the first. */
  command(mpi: Mpi, args: readonly string[]): Deno.Command {
    const [name] = this.names;
    const agent = `${this.folder}/agent.sh`;
    const net = `${this.addresses[0].replace(/\d+$/, "0")}/24`;
    const launcher = mpi.name === "Open MPI"
      ? [
        ...["--mca", "plm_rsh_agent", agent],
        ...["--mca", "btl", "tcp,self", "--mca", "btl_tcp_if_include", net],
        ...["--mca", "oob_tcp_if_include", net],
        ...["--host", this.addresses.map((one) => `${one}:1`).join()],
      ]
      : [
        ...["-launcher", "ssh", "-launcher-exec", agent],
        ...["-hosts", this.addresses.join()],
      ];
    return new Deno.Command("ip", {
      args: [
        ...["netns", "exec", name, "unshare", "--uts", "sh", "-c"],
        ...['hostname "$0"; exec "$@"', name, mpi.launcher, ...mpi.flags],
        ...[...launcher, "-n", "2", ...args],
      ],
      env: {
        NO_COLOR: "1",
        OMP_WAIT_POLICY: "passive",
        // MPICH's transports see that the hosts are one machine, and would pass
        // the cable by through its memory.
        MPIR_CVAR_NOLOCAL: "1",
        UCX_TLS: "tcp,self",
        FI_PROVIDER: "tcp",
      },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
  }

  /** Cuts the cable. */
  async cut(): Promise<void> {
    await ip("-n", this.names[1], "link", "set", this.#links[1], "down");
  }

  /** Joins its ends again. */
  async mend(): Promise<void> {
    await ip("-n", this.names[1], "link", "set", this.#links[1], "up");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of this.names) await succeeds(["ip", "netns", "del", name]);
    await Deno.remove(this.folder, { recursive: true });
  }
}

async function succeeds(command: readonly string[]): Promise<boolean> {
  try {
    const [name, ...args] = command;
    return (await new Deno.Command(name!, { args, stderr: "null" }).output())
      .success;
  } catch {
    return false;
  }
}

async function ip(...args: string[]): Promise<void> {
  assert(await succeeds(["ip", ...args]), `ip ${args.join(" ")}`);
}

/** Whether this machine lets hosts be made. */
async function allowsHosts(): Promise<boolean> {
  const name = `gc${Deno.pid}`;
  const made = await succeeds(["ip", "netns", "add", name]) &&
    await succeeds(["ip", "netns", "exec", name, "unshare", "--uts", "true"]);
  await succeeds(["ip", "netns", "del", name]);
  return made;
}

const skipped = mpis.length === 0
  ? " (skipped: there is no MPI)"
  : await allowsHosts()
  ? ""
  : " (skipped: no network namespaces may be made)";

const SMALL = [
  Deno.execPath(),
  ...["task", "--quiet", "train", "--dataset=shapes", "--train-limit=160"],
  ...["--test-limit=20", "--model=8,M,16,M,16", "--image-size=32"],
  ...["--batch-size=32", "--device=cpu", "--threads=1", "--no-film"],
];

for (
  const mpi of mpis.length > 0 ? mpis : [
    { name: "Open MPI", launcher: "", flags: [] } as const,
  ]
) {
  Deno.test({
    name:
      `${mpi.name}: a run over two hosts ends with a sentence when the cable between them is cut, and goes on to the same bytes${skipped}`,
    ignore: skipped !== "",
    fn: async () => {
      await using hosts = new TwoHosts();
      await hosts.build();
      const { folder } = hosts;
      const text = new TextDecoder();
      const whole = await hosts.command(mpi, [
        ...SMALL,
        ...["--epochs=100", `--out=${folder}/whole`],
      ]).output();
      assertEquals(whole.code, 0, text.decode(whole.stderr));
      const child = hosts.command(mpi, [
        ...SMALL,
        ...["--epochs=100", `--out=${folder}/cut`],
      ]).spawn();
      const log = `${folder}/cut/log.jsonl`;
      for (let i = 0; i < 600; i++) {
        const lines = await Deno.readTextFile(log).catch(() => "");
        if (lines.split("\n").length > 8) break;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await hosts.cut();
      const start = performance.now();
      let said = "";
      const kill = () => {
        try {
          child.kill("SIGKILL");
        } catch {
          // It ended.
        }
      };
      // Where nothing is said the launcher would wait for its own connection.
      const deadline = setTimeout(kill, 60_000);
      for await (const part of child.stderr) {
        said += text.decode(part);
        if (/error: .*resumed/.test(said)) break;
      }
      clearTimeout(deadline);
      kill();
      assert(performance.now() - start < 12_000, said);
      assertMatch(
        said,
        /error: Cannot go on with 2 ranks: rank 1 \(process \d+ on gc\d+b\) has not been heard of for 8 seconds: .* and can be resumed/,
      );
      await child.stdout.cancel();
      await child.status;
      await hosts.mend();
      const resumed = await hosts.command(mpi, [
        ...SMALL,
        ...["--epochs=100", `--resume=${folder}/cut`],
      ]).output();
      assertEquals(resumed.code, 0, text.decode(resumed.stderr));
      assertEquals(
        await Deno.readFile(`${folder}/cut/checkpoint.safetensors`),
        await Deno.readFile(`${folder}/whole/checkpoint.safetensors`),
      );
    },
  });
}
