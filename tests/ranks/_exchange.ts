/** Calls each function of a communicator on every rank; run by mpirun. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { findLauncher } from "../../src/device/launcher.ts";
import { openCommunicator } from "../../src/device/open_communicator.ts";
import { GapcamError } from "../../src/error.ts";

const communicator = await openCommunicator({ launcher: findLauncher()! });
const { rank, size } = communicator;
const { localRank, localSize, hosts } = communicator.description;
assertEquals([localRank, localSize, hosts], [rank, size, 1]);
await assertRejects(
  () => openCommunicator(),
  GapcamError,
  "Cannot join the ranks twice",
);

const bytes = Uint8Array.of(rank, 7);
await communicator.broadcast(bytes, { root: 1 });
assertEquals([...bytes], [1, 7]);
await assertRejects(
  () => communicator.broadcast(bytes, { root: size }),
  GapcamError,
  `Cannot send from rank ${size}: there are ${size}, numbered from 0`,
);
const all = await communicator.gather(Float64Array.of(rank, -rank));
assertEquals(
  all.map((numbers) => [...numbers]),
  [[0, -0], [1, -1], [2, -2]],
);
const lists = await communicator.gatherLists(
  new Float64Array(rank).fill(rank),
);
assertEquals(lists.map((list) => [...list]), [[], [1], [2, 2]]);
assertEquals(await communicator.shareValue({ rank }, { root: 2 }), { rank: 2 });
assertEquals(await communicator.gatherValues(`r${rank}`), ["r0", "r1", "r2"]);
assertEquals(await communicator.shareValue<undefined>(undefined), undefined);

// As many as do not divide; in the order of ranks (1e8 + 1) + -1e8 is 0 in f32.
for (const length of [1, 2, 7, 100_001]) {
  const numbers = new Float32Array(length).fill([1e8, 1, -1e8][rank]!);
  await communicator.allReduce(numbers);
  assert(numbers.every((number) => number === 0));
  const fast = new Float32Array(length).fill(rank);
  await communicator.allReduce(fast, { order: "fast" });
  assert(fast.every((number) => number === 3));
}
await communicator.allReduce(new Float32Array(0));
await communicator.barrier();

const failure = communicator.failure();
await communicator.close();
assertEquals(await failure, undefined);
await assertRejects(
  () => communicator.barrier(),
  GapcamError,
  "Cannot use a communicator: it was closed",
);
console.log(`rank ${rank} is content`);
