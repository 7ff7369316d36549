/**
 * The C interface of native/include/gapcam.h as Deno's FFI sees it. A test
 * compares this table with the header.
 *
 * Handles are numbers, so they travel as `u64`; everything else that is not a
 * scalar is a caller-owned buffer. No pointer is ever made or read here, which
 * is why a scoped `--allow-ffi=FOLDER` suffices.
 */

/** `GAPCAM_ABI_VERSION` that this table was written for. */
export const ABI_VERSION = 13;

/** `GAPCAM_MESSAGE_BYTES`. */
export const MESSAGE_BYTES = 1024;

/** `GAPCAM_MAX_RANK`. */
export const MAX_RANK = 4;

const HANDLE = "u64";
const BUFFER = "buffer";

/** Parameters and results, by C name unless `name` gives that. */
export const SYMBOLS = {
  gapcam_abi_version: { parameters: [], result: "u32" },
  gapcam_live_bytes: { parameters: [], result: "u64" },
  gapcam_backend_describe: {
    parameters: [BUFFER, "u64", BUFFER, BUFFER],
    result: "i32",
  },
  gapcam_device_open: {
    parameters: ["i32", "i32", "i32", "u32", BUFFER, BUFFER],
    result: "i32",
  },
  gapcam_device_close: { parameters: [HANDLE, BUFFER], result: "i32" },
  gapcam_device_describe: {
    parameters: [HANDLE, BUFFER, "u64", BUFFER, BUFFER],
    result: "i32",
  },
  gapcam_device_memory: {
    parameters: [HANDLE, BUFFER, BUFFER],
    result: "i32",
  },
  gapcam_mpi_describe: {
    parameters: [BUFFER, "u64", BUFFER, BUFFER],
    result: "i32",
  },
  gapcam_communicator_open: {
    parameters: [BUFFER, BUFFER],
    result: "i32",
    nonblocking: true,
  },
  gapcam_communicator_connect: {
    parameters: [BUFFER, "i32", "i32", "i32", BUFFER, BUFFER, BUFFER],
    result: "i32",
    nonblocking: true,
  },
  gapcam_device_join: {
    parameters: [HANDLE, BUFFER, HANDLE, BUFFER, BUFFER],
    result: "i32",
    nonblocking: true,
  },
  gapcam_communicator_close: {
    parameters: [HANDLE, BUFFER],
    result: "i32",
    nonblocking: true,
  },
  gapcam_communicator_describe: {
    parameters: [HANDLE, BUFFER, "u64", BUFFER, BUFFER],
    result: "i32",
  },
  gapcam_communicator_broadcast: {
    parameters: [HANDLE, BUFFER, "u64", "i32", BUFFER],
    result: "i32",
    nonblocking: true,
  },
  gapcam_communicator_all_gather: {
    parameters: [HANDLE, BUFFER, BUFFER, "u64", BUFFER],
    result: "i32",
    nonblocking: true,
  },
  gapcam_communicator_all_reduce: {
    parameters: [HANDLE, BUFFER, "u64", "u32", BUFFER],
    result: "i32",
    nonblocking: true,
  },
  gapcam_communicator_barrier: {
    parameters: [HANDLE, BUFFER],
    result: "i32",
    nonblocking: true,
  },
  gapcam_communicator_abort: {
    parameters: [HANDLE, BUFFER, BUFFER],
    result: "i32",
    nonblocking: true,
  },
  gapcam_communicator_watch: {
    parameters: [HANDLE, BUFFER],
    result: "i32",
    nonblocking: true,
  },
  gapcam_tensor_create: {
    parameters: [HANDLE, "i32", "i32", BUFFER, "u32", BUFFER, BUFFER],
    result: "i32",
  },
  gapcam_tensor_destroy: { parameters: [HANDLE, BUFFER], result: "i32" },
  gapcam_tensor_shape: {
    parameters: [HANDLE, BUFFER, BUFFER, BUFFER, BUFFER],
    result: "i32",
  },
  gapcam_tensor_write: {
    parameters: [HANDLE, BUFFER, "u64", BUFFER],
    result: "i32",
  },
  gapcam_tensor_read: {
    parameters: [HANDLE, BUFFER, "u64", BUFFER],
    result: "i32",
  },
  gapcam_program_create: {
    parameters: [HANDLE, "u32", BUFFER, BUFFER],
    result: "i32",
  },
  gapcam_program_destroy: { parameters: [HANDLE, BUFFER], result: "i32" },
  gapcam_program_prepare_images: {
    parameters: [HANDLE, HANDLE, "i64", "i64", BUFFER, BUFFER, BUFFER, BUFFER],
    result: "i32",
  },
  gapcam_program_communicate: {
    parameters: [HANDLE, HANDLE, "u32", BUFFER],
    result: "i32",
  },
  gapcam_program_conv2d: {
    parameters: [
      HANDLE,
      HANDLE,
      HANDLE,
      HANDLE,
      "i32",
      "i32",
      "i32",
      "i32",
      "i32",
      "i32",
      "i32",
      "i32",
      "i32",
      "i32",
      "f32",
      "f32",
      BUFFER,
      BUFFER,
    ],
    result: "i32",
  },
  gapcam_program_unary: {
    parameters: [HANDLE, HANDLE, "i32", "f32", "f32", BUFFER, BUFFER],
    result: "i32",
  },
  gapcam_program_binary: {
    parameters: [HANDLE, "i32", HANDLE, HANDLE, BUFFER, BUFFER],
    result: "i32",
  },
  gapcam_program_concatenate: {
    parameters: [HANDLE, BUFFER, "i32", BUFFER, BUFFER],
    result: "i32",
  },
  gapcam_program_slice_channels: {
    parameters: [HANDLE, HANDLE, "i64", "i64", BUFFER, BUFFER],
    result: "i32",
  },
  gapcam_program_channel_shuffle: {
    parameters: [HANDLE, HANDLE, "i32", BUFFER, BUFFER],
    result: "i32",
  },
  gapcam_program_dropout: {
    parameters: [HANDLE, HANDLE, HANDLE, "f32", "i32", BUFFER, BUFFER],
    result: "i32",
  },
  gapcam_program_batch_norm2d: {
    parameters: [
      HANDLE,
      HANDLE,
      HANDLE,
      HANDLE,
      HANDLE,
      HANDLE,
      "f32",
      "f32",
      "i32",
      "f32",
      "f32",
      BUFFER,
      BUFFER,
    ],
    result: "i32",
  },
  gapcam_program_pool2d: {
    parameters: [
      HANDLE,
      "i32",
      HANDLE,
      "i32",
      "i32",
      "i32",
      "i32",
      "i32",
      "i32",
      "i32",
      "i32",
      "i32",
      "i32",
      BUFFER,
      BUFFER,
    ],
    result: "i32",
  },
  gapcam_program_global_average_pool: {
    parameters: [HANDLE, HANDLE, "i32", BUFFER, BUFFER],
    result: "i32",
  },
  gapcam_program_flatten: {
    parameters: [HANDLE, HANDLE, BUFFER, BUFFER],
    result: "i32",
  },
  gapcam_program_spatial_sum: {
    parameters: [HANDLE, HANDLE, HANDLE, BUFFER, BUFFER],
    result: "i32",
  },
  gapcam_program_resample: {
    parameters: [HANDLE, HANDLE, HANDLE, HANDLE, BUFFER, BUFFER],
    result: "i32",
  },
  gapcam_program_linear: {
    parameters: [HANDLE, HANDLE, HANDLE, HANDLE, BUFFER, BUFFER],
    result: "i32",
  },
  gapcam_program_loss: {
    parameters: [
      HANDLE,
      "i32",
      HANDLE,
      HANDLE,
      HANDLE,
      HANDLE,
      "f32",
      HANDLE,
      BUFFER,
      BUFFER,
    ],
    result: "i32",
  },
  gapcam_program_output: {
    parameters: [HANDLE, HANDLE, BUFFER],
    result: "i32",
  },
  gapcam_program_backward: {
    parameters: [HANDLE, HANDLE, HANDLE, BUFFER, "i32", BUFFER, BUFFER],
    result: "i32",
  },
  gapcam_program_whole_batch: {
    parameters: [HANDLE, HANDLE, HANDLE, HANDLE, BUFFER, BUFFER],
    result: "i32",
  },
  gapcam_program_all_reduce: {
    parameters: [HANDLE, "i32", BUFFER, "i32", BUFFER, BUFFER],
    result: "i32",
  },
  gapcam_program_gradient_norm: {
    parameters: [HANDLE, "i32", BUFFER, "f32", BUFFER, BUFFER, BUFFER],
    result: "i32",
  },
  gapcam_program_blend: {
    parameters: [HANDLE, "i32", BUFFER, BUFFER, HANDLE, BUFFER],
    result: "i32",
  },
  gapcam_program_adam: {
    parameters: [
      HANDLE,
      "i32",
      BUFFER,
      BUFFER,
      BUFFER,
      BUFFER,
      HANDLE,
      HANDLE,
      BUFFER,
    ],
    result: "i32",
  },
  gapcam_program_sgd: {
    parameters: [
      HANDLE,
      "i32",
      BUFFER,
      BUFFER,
      BUFFER,
      HANDLE,
      HANDLE,
      BUFFER,
    ],
    result: "i32",
  },
  gapcam_program_compile: {
    parameters: [HANDLE, BUFFER],
    result: "i32",
    nonblocking: true,
  },
  gapcam_program_run: {
    parameters: [HANDLE, "u32", BUFFER],
    result: "i32",
    nonblocking: true,
  },
  // The same function again, for a caller that wants to wait.
  gapcam_program_run_blocking: {
    name: "gapcam_program_run",
    parameters: [HANDLE, "u32", BUFFER],
    result: "i32",
  },
  gapcam_program_describe: {
    parameters: [HANDLE, BUFFER, "u64", BUFFER, BUFFER],
    result: "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** The functions of an opened library. */
export type Symbols = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];
