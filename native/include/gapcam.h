/*
 * gapcam.h: the whole C interface of gapcam, the same for every backend.
 *
 * libgapcam_cpu and libgapcam_cuda export exactly these functions. A caller
 * opens a device, creates tensors on it, records a program (operations between
 * tensors), compiles it, and runs it as often as it likes. Nothing is allocated
 * after gapcam_program_compile.
 *
 * Status. Every function that can fail returns a gapcam_status as int32_t, 0
 * for success, and then, if `message` is not null, writes there one sentence
 * (NUL-terminated UTF-8, no trailing period): what was asked, what was found,
 * what to do. `message` is the caller's and holds GAPCAM_MESSAGE_BYTES bytes.
 * On failure no output parameter is written and nothing has changed.
 *
 * Handles. A handle is a number, never a pointer; 0 is never valid. A handle
 * that is stale, of another kind or invented gives GAPCAM_INVALID_HANDLE, never
 * a crash. Each create has a destroy, which takes 0 and does nothing then.
 * Closing a device destroys whatever is left on it.
 *
 * Threads. Every function may be called from any thread. Calls on one device
 * wait for each other, except gapcam_tensor_write to a staged tensor.
 *
 * Memory. All buffers are the caller's and are only used during the call.
 * Sizes are in bytes where the parameter is called `bytes` or `capacity`.
 *
 * Data. The host sees f32 and i32 tensors in row-major order of their logical
 * shape (feature maps: NCHW, convolution weights: OIHW, linear weights:
 * [outputs, inputs]) and u8 images as NHWC. Where and how a backend lays them
 * out is its own affair.
 */
#ifndef GAPCAM_H
#define GAPCAM_H

#include <stdint.h>

#include "gapcam_numbers.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define GAPCAM_API __attribute__((visibility("default")))
#else
#define GAPCAM_API
#endif

#define GAPCAM_ABI_VERSION 13
#define GAPCAM_MESSAGE_BYTES 1024
#define GAPCAM_MAX_RANK 4

typedef uint64_t gapcam_handle;

/* GAPCAM_ABI_VERSION of the library. A caller that was written for another must stop here. */
GAPCAM_API uint32_t gapcam_abi_version(void);

/* Bytes held by tensors and programs of all devices of this library, in this process. */
GAPCAM_API uint64_t gapcam_live_bytes(void);

/*
 * Descriptions. Each writes a JSON object to the `capacity` bytes at `json`,
 * NUL-terminated. If it does not fit, the status is GAPCAM_INVALID_ARGUMENT and
 * nothing is written there; `needed` (may be null) receives the bytes that it
 * takes always, so that the caller can ask again.
 */

/*
 * Describes the backend without opening a device, as a JSON object: `backend`
 * ("cpu" or "cuda"), `version` (one line for people), and what the backend
 * knows: libraries with their versions and paths or why they are missing,
 * instruction set, devices.
 */
GAPCAM_API int32_t gapcam_backend_describe(char *json, uint64_t capacity, uint64_t *needed,
                                           char *message);

/*
 * Opens device number `index`. `threads`: how many CPU threads to use, 0 for
 * all that the process may run on. `flags`: gapcam_device_flags.
 */
GAPCAM_API int32_t gapcam_device_open(int32_t index, int32_t precision, int32_t threads,
                                      uint32_t flags, gapcam_handle *device, char *message);
GAPCAM_API int32_t gapcam_device_close(gapcam_handle device, char *message);

/* As gapcam_backend_describe, with what the open device is and uses. */
GAPCAM_API int32_t gapcam_device_describe(gapcam_handle device, char *json, uint64_t capacity,
                                          uint64_t *needed, char *message);

/* Writes live bytes, peak bytes, live allocations and free bytes (0: unknown) to numbers[4]. */
GAPCAM_API int32_t gapcam_device_memory(gapcam_handle device, uint64_t *numbers, char *message);

/*
 * Communicators: what joins the processes of one run, its ranks, through an MPI
 * library that is opened at run time. All ranks must call the functions that
 * exchange something, in the same order. Where another rank ends, fails or is
 * not heard of, these and runs of programs that communicate give
 * GAPCAM_RANK_FAILED, with a message that names it, instead of waiting for ever.
 */

/* Describes the MPI library that would be used, without starting it: `library`, `version`, `abi`
 * ("open-mpi", "mpich" or "standard"), or `problem`. */
GAPCAM_API int32_t gapcam_mpi_describe(char *json, uint64_t capacity, uint64_t *needed,
                                       char *message);

/* Starts MPI and joins the ranks; once a process and library. */
GAPCAM_API int32_t gapcam_communicator_open(gapcam_handle *communicator, char *message);

/* As gapcam_communicator_open, over TCP and without MPI, for GPUs, whose gradients NCCL sums: rank
 * 0 waits at `port` or at one of the 15 after it, where the others look for it at `address`. `run`
 * names the run. */
GAPCAM_API int32_t gapcam_communicator_connect(const char *address, int32_t port, int32_t rank,
                                               int32_t size, const char *run,
                                               gapcam_handle *communicator, char *message);

/* Joins the device to those of the other ranks: GPUs through NCCL. `library` is the file of the
 * library whose communicator `ranks` is. `joined` is what programs of the device take. All ranks
 * must call this; it is closed with gapcam_communicator_close, after its programs. */
GAPCAM_API int32_t gapcam_device_join(gapcam_handle device, const char *library,
                                      gapcam_handle ranks, gapcam_handle *joined, char *message);

/* Waits for all ranks, and ends MPI; without the wait after a failure. */
GAPCAM_API int32_t gapcam_communicator_close(gapcam_handle communicator, char *message);

/* As gapcam_mpi_describe, with `rank`, `size`, `localRank` and `localSize` (among the ranks of this
 * host), `host`, `hosts` (how many), and `threads`: this rank's share of the processors. */
GAPCAM_API int32_t gapcam_communicator_describe(gapcam_handle communicator, char *json,
                                                uint64_t capacity, uint64_t *needed, char *message);

/* Copies `bytes` of rank `root` to all others. */
GAPCAM_API int32_t gapcam_communicator_broadcast(gapcam_handle communicator, void *data,
                                                 uint64_t bytes, int32_t root, char *message);

/* `all` receives the `bytes` of every rank, one after the other. */
GAPCAM_API int32_t gapcam_communicator_all_gather(gapcam_handle communicator, const void *own,
                                                  void *all, uint64_t bytes, char *message);

/* Sums `count` f32 over the ranks, in place. `flags`: GAPCAM_FAST_SUM or 0. */
GAPCAM_API int32_t gapcam_communicator_all_reduce(gapcam_handle communicator, void *numbers,
                                                  uint64_t count, uint32_t flags, char *message);

/* Waits for all ranks. */
GAPCAM_API int32_t gapcam_communicator_barrier(gapcam_handle communicator, char *message);

/* Tells the other ranks that this one cannot go on; `reason` completes "rank 2 failed: ...". Waits
 * a moment until they know. */
GAPCAM_API int32_t gapcam_communicator_abort(gapcam_handle communicator, const char *reason,
                                             char *message);

/* Waits until the run cannot go on, which is GAPCAM_RANK_FAILED, or the communicator is closed. */
GAPCAM_API int32_t gapcam_communicator_watch(gapcam_handle communicator, char *message);

/*
 * Creates a tensor, filled with zeros. `shape` holds `rank` positive numbers,
 * 1 <= rank <= GAPCAM_MAX_RANK. A u8 tensor is a batch of images and its shape
 * is NHWC; all others are in logical order (NCHW, OIHW, ...).
 */
GAPCAM_API int32_t gapcam_tensor_create(gapcam_handle device, int32_t data_type, int32_t rank,
                                        const int64_t *shape, uint32_t flags, gapcam_handle *tensor,
                                        char *message);

/* A program that uses the tensor keeps its memory until the program is destroyed. */
GAPCAM_API int32_t gapcam_tensor_destroy(gapcam_handle tensor, char *message);

/* Writes the data type, the rank and shape[GAPCAM_MAX_RANK]. */
GAPCAM_API int32_t gapcam_tensor_shape(gapcam_handle tensor, int32_t *data_type, int32_t *rank,
                                       int64_t *shape, char *message);

/* Copies the whole tensor in or out; `bytes` must be its exact size in host order.
 * Of a program's own tensors, those marked by gapcam_program_output and
 * gradients can be read, once the program is compiled. */
GAPCAM_API int32_t gapcam_tensor_write(gapcam_handle tensor, const void *data, uint64_t bytes,
                                       char *message);
GAPCAM_API int32_t gapcam_tensor_read(gapcam_handle tensor, void *data, uint64_t bytes,
                                      char *message);

/* Starts recording a program. `flags`: gapcam_program_flags. */
GAPCAM_API int32_t gapcam_program_create(gapcam_handle device, uint32_t flags,
                                         gapcam_handle *program, char *message);
/* Destroys the program and the tensors that its operations made. */
GAPCAM_API int32_t gapcam_program_destroy(gapcam_handle program, char *message);

/*
 * Makes the program, which is still empty, one that runs alike on every rank,
 * each with its part of a batch. `flags`: gapcam_communication_flags.
 */
GAPCAM_API int32_t gapcam_program_communicate(gapcam_handle program, gapcam_handle communicator,
                                              uint32_t flags, char *message);

/*
 * Recording. Each function appends one operation and writes the handle of the
 * tensor that it makes, which belongs to the program. Inputs are tensors of the
 * device or tensors made earlier in the same program.
 */

/*
 * u8 images [N, H, W, C] -> f32 [N, C, height, width]: resized as Pillow's
 * BILINEAR does (half-pixel centres, edges clamped, support widened when
 * shrinking, 8-bit rounding after each direction), then
 * (x / 255 - mean[c]) / deviation[c]. `mean` and `deviation` hold C values.
 */
GAPCAM_API int32_t gapcam_program_prepare_images(gapcam_handle program, gapcam_handle images,
                                                 int64_t height, int64_t width, const float *mean,
                                                 const float *deviation, gapcam_handle *output,
                                                 char *message);

/*
 * Cross-correlation of input [N, I, H, W] with weight [O, I / groups, kernel
 * height, kernel width], plus bias [O] (0: none), then an activation
 * (gapcam_activation). Output channel o sees the I / groups channels of group
 * o / (O / groups). A dilation is the step from one row or column of the
 * kernel to the next (1: they touch).
 */
GAPCAM_API int32_t gapcam_program_conv2d(
    gapcam_handle program, gapcam_handle input, gapcam_handle weight, gapcam_handle bias,
    int32_t stride_height, int32_t stride_width, int32_t padding_top, int32_t padding_left,
    int32_t padding_bottom, int32_t padding_right, int32_t dilation_height, int32_t dilation_width,
    int32_t groups, int32_t activation, float a, float b, gapcam_handle *output, char *message);

/* An activation (gapcam_activation) by itself. */
GAPCAM_API int32_t gapcam_program_unary(gapcam_handle program, gapcam_handle input,
                                        int32_t activation, float a, float b, gapcam_handle *output,
                                        char *message);

/* Element by element of two tensors of one shape: `kind` is a gapcam_binary. The second factor of a
 * map [N, C, H, W] may also be a gate [N, C, 1, 1]. A quotient is 0 where the second operand is,
 * and has no gradient. */
GAPCAM_API int32_t gapcam_program_binary(gapcam_handle program, int32_t kind, gapcam_handle first,
                                         gapcam_handle second, gapcam_handle *output,
                                         char *message);

/* `count` maps of one size, one after the other along channels. */
GAPCAM_API int32_t gapcam_program_concatenate(gapcam_handle program, const gapcam_handle *inputs,
                                              int32_t count, gapcam_handle *output, char *message);

/* The channels of [N, C, H, W] from `start` to before `end`. */
GAPCAM_API int32_t gapcam_program_slice_channels(gapcam_handle program, gapcam_handle input,
                                                 int64_t start, int64_t end, gapcam_handle *output,
                                                 char *message);

/* Channel i * groups + g of the output is channel g * (C / groups) + i of the input. */
GAPCAM_API int32_t gapcam_program_channel_shuffle(gapcam_handle program, gapcam_handle input,
                                                  int32_t groups, gapcam_handle *output,
                                                  char *message);

/*
 * Multiplies each element by 0 with a probability, and by 1 / (1 - probability)
 * otherwise; with `whole_images` all elements of an image alike. For programs
 * that train. `settings` is an i32 [3] tensor that the caller writes before each
 * forward run and leaves until its backward has run; its slots are
 * gapcam_dropout_setting. What is dropped is a function of those, of how many
 * dropouts the program had before this one and of the element's place in the
 * host's order, the same on every backend.
 */
GAPCAM_API int32_t gapcam_program_dropout(gapcam_handle program, gapcam_handle input,
                                          gapcam_handle settings, float probability,
                                          int32_t whole_images, gapcam_handle *output,
                                          char *message);

/*
 * Batch normalisation over N, H, W, then an activation. weight, bias,
 * running_mean and running_variance are [C]. A training program uses the
 * batch's statistics and updates the running ones, as PyTorch does (unbiased
 * variance); another uses the running ones.
 */
GAPCAM_API int32_t gapcam_program_batch_norm2d(gapcam_handle program, gapcam_handle input,
                                               gapcam_handle weight, gapcam_handle bias,
                                               gapcam_handle running_mean,
                                               gapcam_handle running_variance, float epsilon,
                                               float momentum, int32_t activation, float a, float b,
                                               gapcam_handle *output, char *message);

/*
 * A pool (gapcam_pool) over windows; each must hold at least one pixel. Of the
 * maximum, padding counts as minus infinity, and of equal values the first in
 * row-major order receives the gradient. An average divides by the pixels of
 * the window, padding included if `count_include_pad`. `ceil_mode`: whether a
 * last window may reach beyond the padding. Both are 0 or 1, as in PyTorch.
 */
GAPCAM_API int32_t gapcam_program_pool2d(gapcam_handle program, int32_t kind, gapcam_handle input,
                                         int32_t kernel_height, int32_t kernel_width,
                                         int32_t stride_height, int32_t stride_width,
                                         int32_t padding_top, int32_t padding_left,
                                         int32_t padding_bottom, int32_t padding_right,
                                         int32_t ceil_mode, int32_t count_include_pad,
                                         gapcam_handle *output, char *message);

/* [N, C, H, W] -> [N, C], or [N, C, 1, 1] if `keep_dimensions`: the mean over H and W. */
GAPCAM_API int32_t gapcam_program_global_average_pool(gapcam_handle program, gapcam_handle input,
                                                      int32_t keep_dimensions,
                                                      gapcam_handle *output, char *message);

/* [N, C, H, W] -> [N, C * H * W], in that order. */
GAPCAM_API int32_t gapcam_program_flatten(gapcam_handle program, gapcam_handle input,
                                          gapcam_handle *output, char *message);

/* [N, C, H, W] -> [N, C], the sum over H and W of weights [H, W] times the input. It has no
 * gradient. */
GAPCAM_API int32_t gapcam_program_spatial_sum(gapcam_handle program, gapcam_handle input,
                                              gapcam_handle weights, gapcam_handle *output,
                                              char *message);

/* [N, C, h, w] -> [N, C, H, W]: each plane between rows [H, h] and columns [w, W], rows * plane *
 * columns: enlarged, shrunk or blurred as the two say. It has no gradient. */
GAPCAM_API int32_t gapcam_program_resample(gapcam_handle program, gapcam_handle input,
                                           gapcam_handle rows, gapcam_handle columns,
                                           gapcam_handle *output, char *message);

/* input [N, I] -> [N, O]: input * weight^T + bias, weight [O, I], bias [O] (0: none). */
GAPCAM_API int32_t gapcam_program_linear(gapcam_handle program, gapcam_handle input,
                                         gapcam_handle weight, gapcam_handle bias,
                                         gapcam_handle *output, char *message);

/*
 * A loss (gapcam_loss) of logits [N, classes] -> f32 [1], a mean.
 *
 * GAPCAM_CROSS_ENTROPY takes one of `labels`, i32 [N], and `targets`, f32 [N,
 * classes], the probability of each class (0: the other). A row counts nowhere
 * whose label, or whose first target, is -1. `weights` [classes] (0: ones) are
 * factors on each class's part; with labels the mean is weighted by them, as
 * PyTorch's is. Label smoothing s makes of a target t (1 - s) t + s / classes.
 *
 * GAPCAM_BINARY_CROSS_ENTROPY takes targets alone, in [0, 1]: whether each
 * class is in the image, by a sigmoid each. A target of -1 counts nowhere; the
 * mean is over those that count. `weights` are factors on the part of what is
 * there (PyTorch's pos_weight). Smoothing makes (1 - s) t + s / 2.
 *
 * `metrics` (0: none) is an f32 [8] tensor of the caller's, added to at each
 * forward run; its slots are gapcam_metric. The caller zeroes it by writing it.
 * A label outside [-1, classes) counts as a run whose loss is not finite.
 */
GAPCAM_API int32_t gapcam_program_loss(gapcam_handle program, int32_t kind, gapcam_handle logits,
                                       gapcam_handle labels, gapcam_handle targets,
                                       gapcam_handle weights, float label_smoothing,
                                       gapcam_handle metrics, gapcam_handle *loss, char *message);

/* Marks a tensor of the program to be kept and readable after a forward run. */
GAPCAM_API int32_t gapcam_program_output(gapcam_handle program, gapcam_handle tensor,
                                         char *message);

/*
 * Records the backward pass, once a program: the gradient of `output` with
 * respect to each of the `count` tensors in `targets` (tensors of the device
 * that the program uses, or tensors that it makes), into `gradients`. A tensor
 * that is used several times has the sum of its uses' gradients.
 * `output_gradient` has the shape of `output`; 0 stands for ones and needs an
 * output of one element. What lies below the lowest target is not
 * differentiated. Operations that read a gradient run in the backward phase,
 * behind it.
 */
GAPCAM_API int32_t gapcam_program_backward(gapcam_handle program, gapcam_handle output,
                                           gapcam_handle output_gradient,
                                           const gapcam_handle *targets, int32_t count,
                                           gapcam_handle *gradients, char *message);

/*
 * Of a program that communicates: from what each rank's loss came to, to that of
 * the whole batch. `own` is the f32 [8] tensor of gapcam_program_loss, which is
 * zeroed, so that it holds one run. `settings` is an f32 [2] tensor that the
 * caller writes before each run: what this rank's loss is divided by, and 1 if
 * it wishes that all stop. `metrics`, f32 [8], is added to as if one rank had run
 * the whole batch, alike on all ranks; to its slot GAPCAM_METRIC_STOPS the
 * wishes are added. `share` is f32 [1]: this rank's share of what the whole
 * batch's loss is divided by. As output_gradient of its loss it makes the sum of
 * the ranks' gradients that of the whole batch.
 */
GAPCAM_API int32_t gapcam_program_whole_batch(gapcam_handle program, gapcam_handle own,
                                              gapcam_handle settings, gapcam_handle metrics,
                                              gapcam_handle *share, char *message);

/*
 * Updates. A program may consist of them alone: what they read and change are
 * tensors of the device, and gradients any tensors of the right shape.
 */

/*
 * Of a program that communicates: sums `count` tensors over the ranks, and takes
 * the mean of `mean_count` others, in place; gradients of the program, or tensors
 * of the device. Updates that follow see the sums.
 */
GAPCAM_API int32_t gapcam_program_all_reduce(gapcam_handle program, int32_t count,
                                             const gapcam_handle *tensors, int32_t mean_count,
                                             const gapcam_handle *means, char *message);

/*
 * The norm [1] of all elements of `count` gradients together, and the factor [1]
 * that they are to be multiplied with so that it is at most `max_norm`:
 * min(1, max_norm / (norm + 1e-6)), as PyTorch's clip_grad_norm_.
 */
GAPCAM_API int32_t gapcam_program_gradient_norm(gapcam_handle program, int32_t count,
                                                const gapcam_handle *gradients, float max_norm,
                                                gapcam_handle *norm, gapcam_handle *factor,
                                                char *message);

/*
 * For each of `count` pairs target = s0 * target + s1 * source, where `settings`
 * is an f32 [2] tensor that the caller writes before; with s0 = 0 the target's
 * old value counts for nothing, even if it is not finite. Sums gradients of
 * several batches, or keeps a moving average.
 */
GAPCAM_API int32_t gapcam_program_blend(gapcam_handle program, int32_t count,
                                        const gapcam_handle *targets, const gapcam_handle *sources,
                                        gapcam_handle settings, char *message);

/*
 * Records one optimiser step over `count` parameters, all in one pass. Each
 * parameter has a gradient and a tensor in each moment list of its own shape.
 * Gradients are multiplied with `factor` [1] (0: none) first. `settings` is an
 * f32 [8] tensor that the caller writes before each update; its slots s0 to s7
 * are gapcam_adam_setting.
 * parameter -= s6 * m / (sqrt(v) / s7 + s3)   (Kingma & Ba 2015)
 */
GAPCAM_API int32_t gapcam_program_adam(gapcam_handle program, int32_t count,
                                       const gapcam_handle *parameters,
                                       const gapcam_handle *gradients,
                                       const gapcam_handle *first_moments,
                                       const gapcam_handle *second_moments, gapcam_handle factor,
                                       gapcam_handle settings, char *message);

/*
 * As gapcam_program_adam, for stochastic gradient descent as PyTorch's SGD.
 * The slots of settings, f32 [8], are gapcam_sgd_setting.
 */
GAPCAM_API int32_t gapcam_program_sgd(gapcam_handle program, int32_t count,
                                      const gapcam_handle *parameters,
                                      const gapcam_handle *gradients,
                                      const gapcam_handle *momentum_buffers, gapcam_handle factor,
                                      gapcam_handle settings, char *message);

/* Ends recording: chooses layouts and algorithms (timing candidates) and allocates everything.
 * Tensors keep the values that they have. */
GAPCAM_API int32_t gapcam_program_compile(gapcam_handle program, char *message);

/*
 * Runs the phases named in `phases` (gapcam_phase, or-ed), in the order
 * forward, backward, update. BACKWARD uses what the last FORWARD left.
 */
GAPCAM_API int32_t gapcam_program_run(gapcam_handle program, uint32_t phases, char *message);

/*
 * Describes a compiled program as JSON: `bytes` held, and `steps`, an array of
 * {"phase", "operation", "name", "algorithm", "flops", "bytes", "runs",
 * "milliseconds" (sum over runs; 0 without GAPCAM_PROGRAM_PROFILE)}.
 */
GAPCAM_API int32_t gapcam_program_describe(gapcam_handle program, char *json, uint64_t capacity,
                                           uint64_t *needed, char *message);

#ifdef __cplusplus
}
#endif

#endif /* GAPCAM_H */
