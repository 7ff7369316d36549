// What the C interface refuses before a backend sees it: sizes that no number holds, and values
// that are not there yet. Over a backend without memory, so that tensors of any size can be made.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "gapcam.h"

namespace {

constexpr int32_t int_max = INT32_MAX;
constexpr int64_t big = int64_t{1} << 31;

// One device and one program to record in.
struct Bench {
  gapcam_handle device = 0, program = 0, out = 0;
  char message[GAPCAM_MESSAGE_BYTES] = "";

  Bench() {
    gapcam_device_open(0, 0, 1, 0, &device, message);
    gapcam_program_create(device, 0, &program, message);
  }
  ~Bench() { gapcam_device_close(device, nullptr); }

  int32_t create(const std::vector<int64_t> &shape, int32_t type = GAPCAM_F32) {
    return gapcam_tensor_create(device, type, static_cast<int32_t>(shape.size()), shape.data(), 0,
                                &out, message);
  }
  gapcam_handle tensor(const std::vector<int64_t> &shape, int32_t type = GAPCAM_F32) {
    create(shape, type);
    return out;
  }
  int32_t conv2d(const std::vector<int64_t> &x, const std::vector<int64_t> &weight, int stride,
                 int padding) {
    const gapcam_handle input = tensor(x), kernel = tensor(weight);
    return gapcam_program_conv2d(program, input, kernel, 0, stride, stride, padding, padding,
                                 padding, padding, 1, 1, 1, GAPCAM_IDENTITY, 0.0f, 0.0f, &out,
                                 message);
  }
  int32_t dilated_conv2d(int64_t size, int64_t kernel, int bottom, int dilation) {
    const gapcam_handle input = tensor({1, 1, size, size}), weight = tensor({1, 1, kernel, kernel});
    return gapcam_program_conv2d(program, input, weight, 0, 1, 1, 0, 0, bottom, 0, dilation,
                                 dilation, 1, GAPCAM_IDENTITY, 0.0f, 0.0f, &out, message);
  }
  int32_t grouped_conv2d(int64_t inputs, const std::vector<int64_t> &weight, int groups) {
    const gapcam_handle input = tensor({1, inputs, 4, 4}), kernel = tensor(weight);
    return gapcam_program_conv2d(program, input, kernel, 0, 1, 1, 0, 0, 0, 0, 1, 1, groups,
                                 GAPCAM_IDENTITY, 0.0f, 0.0f, &out, message);
  }
  int32_t max_pool2d(int64_t size, int kernel, int stride, int padding) {
    const gapcam_handle input = tensor({1, 1, size, size});
    return gapcam_program_pool2d(program, GAPCAM_MAX_POOL, input, kernel, kernel, stride, stride,
                                 padding, padding, padding, padding, 0, 0, &out, message);
  }
  int32_t linear(const std::vector<int64_t> &x, const std::vector<int64_t> &weight) {
    const gapcam_handle input = tensor(x), matrix = tensor(weight);
    return gapcam_program_linear(program, input, matrix, 0, &out, message);
  }
  int32_t prepare_images(const std::vector<int64_t> &images, int64_t height, int64_t width) {
    const float ones[] = {1, 1, 1, 1};
    const gapcam_handle input = tensor(images, GAPCAM_U8);
    return gapcam_program_prepare_images(program, input, height, width, ones, ones, &out, message);
  }
  // Reads with a buffer of one byte, for what the message says of the bytes expected.
  int32_t read_byte(gapcam_handle handle) {
    char byte = 0;
    return gapcam_tensor_read(handle, &byte, 1, message);
  }
  // The gradient of the sum of leaky_relu(x), recorded.
  gapcam_handle gradient() {
    const gapcam_handle x = tensor({1});
    gapcam_handle y = 0, made = 0;
    gapcam_program_unary(program, x, GAPCAM_LEAKY_RELU, 0.5f, 0.0f, &y, message);
    gapcam_program_backward(program, y, 0, &x, 1, &made, message);
    return made;
  }
};

struct Case {
  const char *name;
  std::function<int32_t(Bench &)> call;
  int32_t status;
  const char *part;  // of the message
};

const Case cases[] = {
    {"a tensor of 2^40 elements",
     [](Bench &b) {
       return b.create({1 << 20, 1 << 20});
     },
     GAPCAM_OK, ""},
    {"a tensor of 2^40 + 1", [](Bench &b) { return b.create({(int64_t{1} << 40) + 1}); },
     GAPCAM_INVALID_ARGUMENT, "tensor of shape [1099511627777]: expected"},
    {"a tensor whose product is 2^64",
     [](Bench &b) {
       return b.create({big, big, 4});
     },
     GAPCAM_INVALID_ARGUMENT, "[2147483648, 2147483648, 4]: expected dimensions of 1 or more"},
    {"a tensor whose product is 2^63",
     [](Bench &b) {
       return b.create({INT64_MAX, INT64_MAX});
     },
     GAPCAM_INVALID_ARGUMENT, "at most 2^40 elements in all"},
    {"a tensor of two negative dimensions",
     [](Bench &b) {
       return b.create({-2, -2});
     },
     GAPCAM_INVALID_ARGUMENT, "[-2, -2]: expected dimensions of 1 or more"},
    {"bytes of 2^40 floats",
     [](Bench &b) {
       return b.read_byte(b.tensor({1 << 20, 1 << 20}));
     },
     GAPCAM_SHAPE_MISMATCH, "got a buffer of 1 bytes, expected 4398046511104"},
    {"a convolution whose output has 2^64 elements",
     [](Bench &b) {
       return b.conv2d({1 << 19, 1, 1, 1}, {1 << 19, 1, 2, 2}, 1, 4096);
     },
     GAPCAM_INVALID_ARGUMENT, "its output [524288, 524288, 8192, 8192] has more than 2^40"},
    {"a kernel of 2^32 + 1 rows",
     [](Bench &b) {
       return b.conv2d({1, 1, 8, 8}, {1, 1, (int64_t{1} << 32) + 1, 1}, 1, 0);
     },
     GAPCAM_INVALID_ARGUMENT, "its weight [1, 1, 4294967297, 1] has a dimension above 2^30"},
    {"a kernel of 2^30 rows",
     [](Bench &b) {
       return b.conv2d({1, 1, 8, 8}, {1, 1, 1 << 30, 1}, 1, 0);
     },
     GAPCAM_INVALID_ARGUMENT, "at most 4096 (padding may be 0), found 1073741824, 1 and 0"},
    {"a padding of 2^31 - 1",
     [](Bench &b) {
       return b.conv2d({1, 1, 8, 8}, {1, 1, 1, 1}, 1, int_max);
     },
     GAPCAM_INVALID_ARGUMENT, "found 1, 1 and 2147483647"},
    {"a stride of 0",
     [](Bench &b) {
       return b.conv2d({1, 1, 8, 8}, {1, 1, 1, 1}, 0, 0);
     },
     GAPCAM_INVALID_ARGUMENT, "found 1, 0 and 0"},
    {"a dilation of 0", [](Bench &b) { return b.dilated_conv2d(8, 3, 0, 0); },
     GAPCAM_INVALID_ARGUMENT,
     "kernel, stride, dilation and padding must be positive and at most "
     "4096 (padding may be 0), found 3, 1, 0 and 0"},
    {"a dilation of 2^31 - 1", [](Bench &b) { return b.dilated_conv2d(8, 3, 0, int_max); },
     GAPCAM_INVALID_ARGUMENT, "found 3, 1, 2147483647 and 0"},
    {"a padding of -1 below", [](Bench &b) { return b.dilated_conv2d(8, 3, -1, 1); },
     GAPCAM_INVALID_ARGUMENT, "found 3, 1 and 0 and -1"},
    {"a kernel that is dilated beyond its input",
     [](Bench &b) { return b.dilated_conv2d(8, 3, 1, 5); }, GAPCAM_SHAPE_MISMATCH,
     "a kernel of 3, dilated by 5, does not fit an input height of 8 with padding 0 and 1"},
    {"groups of no channels",
     [](Bench &b) {
       return b.grouped_conv2d(4, {4, 1, 1, 1}, 0);
     },
     GAPCAM_INVALID_ARGUMENT, "its groups must divide its 4 channels and its 4 outputs, found 0"},
    {"groups that do not divide the channels",
     [](Bench &b) {
       return b.grouped_conv2d(4, {6, 1, 1, 1}, 3);
     },
     GAPCAM_INVALID_ARGUMENT, "its groups must divide its 4 channels and its 6 outputs, found 3"},
    {"a weight of other groups",
     [](Bench &b) {
       return b.grouped_conv2d(4, {4, 4, 1, 1}, 2);
     },
     GAPCAM_SHAPE_MISMATCH,
     "its weight [4, 4, 1, 1] takes 8 channels, the input [1, 4, 4, 4] has 4"},
    {"more channels than an int holds",
     [](Bench &b) {
       return b.conv2d({1, 1, 1, 1}, {big, 1, 1, 1}, 1, 0);
     },
     GAPCAM_INVALID_ARGUMENT, "its weight [2147483648, 1, 1, 1] has a dimension above 2^30"},
    {"an image higher than an int holds",
     [](Bench &b) {
       return b.prepare_images({1, big, 1, 1}, 1, 1);
     },
     GAPCAM_INVALID_ARGUMENT, "its image batch [1, 2147483648, 1, 1] has a dimension above 2^30"},
    {"images whose prepared batch has 2^64 elements",
     [](Bench &b) {
       return b.prepare_images({1 << 30, 1, 1, 4}, 65536, 65536);
     },
     GAPCAM_INVALID_ARGUMENT, "its output [1073741824, 4, 65536, 65536] has more than 2^40"},
    {"a pool's padding of 2^31 - 1", [](Bench &b) { return b.max_pool2d(8, 2, 2, int_max); },
     GAPCAM_INVALID_ARGUMENT, "found 2, 2 and 2147483647"},
    {"a pool's kernel of 2^31 - 1", [](Bench &b) { return b.max_pool2d(8, int_max, 2, 0); },
     GAPCAM_INVALID_ARGUMENT, "found 2147483647, 2 and 0"},
    {"a linear layer whose output has 2^63 elements",
     [](Bench &b) {
       return b.linear({big, 1}, {2 * big, 1});
     },
     GAPCAM_INVALID_ARGUMENT, "its input [2147483648, 1] has a dimension above 2^30"},
    {"a linear layer whose output has 2^60 elements",
     [](Bench &b) {
       return b.linear({1 << 30, 1}, {1 << 30, 1});
     },
     GAPCAM_INVALID_ARGUMENT, "its output [1073741824, 1073741824] has more than 2^40"},
    {"a linear layer whose output has 2^40 elements",
     [](Bench &b) {
       return b.linear({1 << 20, 1}, {1 << 20, 1});
     },
     GAPCAM_OK, ""},
    {"a flattened map of 2^40 features",
     [](Bench &b) {
       return gapcam_program_flatten(b.program, b.tensor({1, 1 << 20, 1 << 20, 1}), &b.out,
                                     b.message);
     },
     GAPCAM_INVALID_ARGUMENT, "would have a dimension above 2^30, found [1, 1048576, 1048576, 1]"},
    {"channels from and to where no number goes",
     [](Bench &b) {
       return gapcam_program_slice_channels(b.program, b.tensor({1, 4, 2, 2}), INT64_MIN, INT64_MAX,
                                            &b.out, b.message);
     },
     GAPCAM_INVALID_ARGUMENT, "at most at the input's 4 channels, found -9223372036854775808 to"},
    {"a shuffle of -2^31 groups",
     [](Bench &b) {
       return gapcam_program_channel_shuffle(b.program, b.tensor({1, 4, 2, 2}), INT32_MIN, &b.out,
                                             b.message);
     },
     GAPCAM_INVALID_ARGUMENT, "its groups must divide the input's 4 channels, found -2147483648"},
    {"dropout with a probability that is not a number",
     [](Bench &b) {
       return gapcam_program_dropout(b.program, b.tensor({1, 4}), b.tensor({3}, GAPCAM_I32),
                                     std::nanf(""), 0, &b.out, b.message);
     },
     GAPCAM_INVALID_ARGUMENT, "its probability must be between 0 and 1, found nan"},
    {"an activation beyond the last",
     [](Bench &b) {
       return gapcam_program_unary(b.program, b.tensor({1}), GAPCAM_GELU + 1, 0.0f, 0.0f, &b.out,
                                   b.message);
     },
     GAPCAM_INVALID_ARGUMENT, "its activation must be 0 to 7, found 8"},
    {"two operands of an unknown kind",
     [](Bench &b) {
       const gapcam_handle x = b.tensor({1});
       return gapcam_program_binary(b.program, 3, x, x, &b.out, b.message);
     },
     GAPCAM_INVALID_ARGUMENT, "its kind must be 0 (add), 1 (multiply) or 2 (divide), found 3"},
    {"an operation on a gradient, which is taken",
     [](Bench &b) {
       const gapcam_handle gradient = b.gradient();
       return gapcam_program_unary(b.program, gradient, GAPCAM_LEAKY_RELU, 0.5f, 0.0f, &b.out,
                                   b.message);
     },
     GAPCAM_OK, ""},
};

// What a description of `length` says of a buffer of `capacity` bytes.
bool describes(const std::function<int32_t(char *, uint64_t, uint64_t *)> &describe,
               uint64_t length) {
  std::vector<char> json(length + 2, '?');
  uint64_t needed = 0;
  if (describe(json.data(), length, &needed) != GAPCAM_INVALID_ARGUMENT) return false;
  if (needed != length + 1 || json[0] != '?') return false;
  return describe(json.data(), needed, &needed) == GAPCAM_OK && needed == length + 1 &&
         json[length] == '\0' && json[length + 1] == '?' &&
         describe(json.data(), needed, nullptr) == GAPCAM_OK;
}

}  // namespace

int main() {
  int failures = 0;
  Bench described;
  if (!describes(
          [&](char *json, uint64_t capacity, uint64_t *needed) {
            return gapcam_device_describe(described.device, json, capacity, needed, nullptr);
          },
          100'000) ||
      !describes(
          [](char *json, uint64_t capacity, uint64_t *needed) {
            return gapcam_backend_describe(json, capacity, needed, nullptr);
          },
          70'000)) {
    failures++;
    std::printf("FAILED: a description tells how many bytes it takes\n");
  }
  for (const Case &one : cases) {
    Bench bench;
    bench.message[0] = '\0';
    const int32_t status = one.call(bench);
    const std::string message = status == GAPCAM_OK ? "" : bench.message;
    if (status == one.status && message.find(one.part) != std::string::npos) continue;
    failures++;
    std::printf("FAILED: %s: found status %d, \"%s\", expected %d with \"%s\"\n", one.name, status,
                message.c_str(), one.status, one.part);
  }
  std::printf("%s: %zu cases, %d failures\n", failures ? "failed" : "passed", std::size(cases),
              failures);
  return failures ? 1 : 0;
}
