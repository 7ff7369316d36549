#include <algorithm>
#include <optional>
#include <unordered_map>
#include <vector>

#include "convolution.h"
#include "error.h"
#include "flush_denormals.h"
#include "onednn.h"
#include "onednn_engine.h"

namespace gapcam::cpu {

namespace {

using dnnl::memory;
using onednn::ConvolutionDescription;

memory::desc map_descriptor(const memory::dims &shape, Layout layout, memory::data_type type) {
  memory::format_tag tag = memory::format_tag::nchw;
  if (layout.block == 8) tag = memory::format_tag::nChw8c;
  if (layout.block == 16) tag = memory::format_tag::nChw16c;
  if (layout.block != 1 && layout.block == shape[1]) tag = memory::format_tag::nhwc;
  return memory::desc(shape, type, tag);
}

// 2 for a generated kernel, 1 for a matrix multiplication over copies, 0 for plain loops.
int rank(const std::string &implementation) {
  if (implementation.find("ref") != std::string::npos) return 0;
  return implementation.find("gemm") != std::string::npos &&
                 implementation.find("brg") == std::string::npos
             ? 1
             : 2;
}

// An operand of the primitive: what the program holds, what the primitive wants, and the reorder
// between the two where they differ.
struct Operand {
  memory::desc outside, inside;
  memory outside_memory, inside_memory;
  dnnl::reorder reorder;
  memory pad;  // its scratchpad
  bool differs = false;
  size_t offset = 0;  // of the inside copy in scratch
};

constexpr size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

class OnednnConvolution : public Convolution {
 public:
  // False: the library has nothing for it.
  bool create(const ConvolutionRequest &request) {
    request_ = request;
    const ConvolutionShape &s = request.shape;
    const auto f32 = memory::data_type::f32;
    // What bf16 multiplies: maps and weights that enter; what leaves stays f32.
    const auto low = request.bf16 ? memory::data_type::bf16 : f32;
    const Direction direction = request.direction;
    const auto source_type = direction == Direction::backward_data ? f32 : low;
    const auto weights_type = direction == Direction::backward_filter ? f32 : low;
    const auto destination_type = direction == Direction::forward ? f32 : low;

    // The program's layouts first; then what the library likes best, then plain, for shapes where
    // it has nothing better than loops.
    int best = -1;
    // What is added to lies in the program's layout, and is worth no slower kernel.
    const int attempts = request.adds ? 1 : 3;
    for (int attempt = 0; attempt < attempts && best < 2; attempt++) {
      const auto d = description(attempt, source_type, weights_type, destination_type);
      // The hint that backward needs has the types of a forward pass.
      const auto hint = description(attempt, low, low, f32);
      best = std::max(best, try_create(d, hint, best));
    }
    if (best < (request.adds ? 2 : 0)) return false;

    const auto plain =
        request.shape.groups == 1 ? memory::format_tag::oihw : memory::format_tag::goihw;
    source_.outside = map_descriptor({s.batch, s.inputs, s.height, s.width}, request.input, f32);
    destination_.outside =
        map_descriptor({s.batch, s.outputs, s.output_height, s.output_width}, request.output, f32);
    weights_.outside = memory::desc(weights_shape(), f32, plain);
    finish();
    return true;
  }

  std::string algorithm() const override {
    std::string name = std::string("onednn ") + implementation_;
    if (request_.bf16) name += " bf16";
    if (source_.differs || destination_.differs) name += ", reordered";
    return name;
  }
  size_t scratch_bytes() const override { return scratch_bytes_; }
  size_t weight_bytes() const override {
    return request_.direction == Direction::backward_filter ? 0 : weights_.inside.get_size();
  }

  void transform_weight(const float *plain, void *transformed, void *scratch) override {
    weights_.outside_memory.set_data_handle(const_cast<float *>(plain));
    weights_.inside_memory.set_data_handle(transformed);
    convert(weights_, weights_.outside_memory, weights_.inside_memory, scratch);
  }

  void run(const ConvolutionArguments &a) override {
    void *scratch = a.scratch;
    std::unordered_map<int, memory> arguments;
    scratchpad_memory_.set_data_handle(scratch);
    arguments.emplace(DNNL_ARG_SCRATCHPAD, scratchpad_memory_);
    switch (request_.direction) {
      case Direction::forward:
        enter(source_, a.input, scratch);
        leave(destination_, a.output, scratch);
        weights_.inside_memory.set_data_handle(const_cast<void *>(a.weight));
        arguments.emplace(DNNL_ARG_SRC, source_.inside_memory);
        arguments.emplace(DNNL_ARG_WEIGHTS, weights_.inside_memory);
        arguments.emplace(DNNL_ARG_DST, destination_.inside_memory);
        if (request_.bias) {
          bias_memory_.set_data_handle(const_cast<float *>(a.bias));
          arguments.emplace(DNNL_ARG_BIAS, bias_memory_);
        }
        run_forward(arguments);
        left(destination_, scratch);
        break;
      case Direction::backward_data:
        enter(destination_, a.d_output, scratch);
        leave(source_, a.d_input, scratch);
        weights_.inside_memory.set_data_handle(const_cast<void *>(a.weight));
        arguments.emplace(DNNL_ARG_DIFF_DST, destination_.inside_memory);
        arguments.emplace(DNNL_ARG_WEIGHTS, weights_.inside_memory);
        arguments.emplace(DNNL_ARG_DIFF_SRC, source_.inside_memory);
        primitive_.execute(onednn::stream(), arguments);
        left(source_, scratch);
        break;
      case Direction::backward_filter:
        enter(source_, a.input, scratch);
        enter(destination_, a.d_output, scratch);
        leave(weights_, a.d_weight, scratch);
        arguments.emplace(DNNL_ARG_SRC, source_.inside_memory);
        arguments.emplace(DNNL_ARG_DIFF_DST, destination_.inside_memory);
        arguments.emplace(DNNL_ARG_DIFF_WEIGHTS, weights_.inside_memory);
        if (request_.bias) {
          bias_memory_.set_data_handle(a.d_bias);
          arguments.emplace(DNNL_ARG_DIFF_BIAS, bias_memory_);
        }
        primitive_.execute(onednn::stream(), arguments);
        left(weights_, scratch);
        break;
    }
  }

 private:
  memory::dims weights_shape() const {
    const ConvolutionShape &s = request_.shape;
    if (s.groups == 1) return {s.outputs, s.inputs, s.kernel_height, s.kernel_width};
    return {s.groups, s.outputs / s.groups, s.inputs / s.groups, s.kernel_height, s.kernel_width};
  }

  ConvolutionDescription description(int attempt, memory::data_type source,
                                     memory::data_type weights,
                                     memory::data_type destination) const {
    const ConvolutionShape &s = request_.shape;
    const auto any = memory::format_tag::any;
    const auto map = [&](Layout wanted, const memory::dims &shape, memory::data_type type) {
      if (attempt == 1) return memory::desc(shape, type, any);
      return map_descriptor(shape, attempt == 2 ? Layout{} : wanted, type);
    };
    ConvolutionDescription d;
    d.source = map(request_.input, {s.batch, s.inputs, s.height, s.width}, source);
    d.destination =
        map(request_.output, {s.batch, s.outputs, s.output_height, s.output_width}, destination);
    d.weights = memory::desc(weights_shape(), weights, any);
    d.has_bias = has_bias();
    if (d.has_bias) {
      d.bias = memory::desc({s.outputs}, memory::data_type::f32, memory::format_tag::x);
    }
    d.strides = {s.stride_height, s.stride_width};
    d.dilation = {s.dilation_height - 1, s.dilation_width - 1};
    d.padding_low = {s.padding_height, s.padding_width};
    d.padding_high = {s.padding_bottom, s.padding_right};
    return d;
  }

  // See onednn::append_leaky_relu.
  void run_forward(const std::unordered_map<int, memory> &arguments) {
    std::optional<FlushDenormals> flush;
    if (request_.negative_slope == 0.0f) flush.emplace();
    primitive_.execute(onednn::stream(), arguments);
  }

  bool has_bias() const { return request_.bias && request_.direction != Direction::backward_data; }

  // The rank of the implementation that the library has for the description, kept if above
  // `best`; -1: none.
  int try_create(const ConvolutionDescription &d, const ConvolutionDescription &forward, int best) {
    const dnnl::engine &engine = onednn::engine();
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    dnnl::primitive_attr hint_attributes = attributes;
    if (request_.direction == Direction::forward) {
      dnnl::post_ops operations;
      if (request_.adds) operations.append_sum(1.0f);
      if (request_.negative_slope != 1.0f) {
        onednn::append_leaky_relu(operations, request_.negative_slope);
      }
      attributes.set_post_ops(operations);
    }
    try {
      if (request_.direction == Direction::forward) {
        const auto pd = onednn::convolution_forward(engine, d, attributes);
        if (!pd) return -1;
        const int found = rank(pd.impl_info_str());
        if (found <= best) return found;
        implementation_ = pd.impl_info_str();
        source_.inside = pd.src_desc();
        weights_.inside = pd.weights_desc();
        destination_.inside = pd.dst_desc();
        scratchpad_ = pd.scratchpad_desc();
        primitive_ = dnnl::convolution_forward(pd);
        return found;
      }
      const auto hint = onednn::convolution_forward(engine, forward, hint_attributes);
      if (!hint) return -1;
      if (request_.direction == Direction::backward_data) {
        const auto pd = onednn::convolution_backward_data(engine, d, hint, attributes);
        if (!pd) return -1;
        const int found = rank(pd.impl_info_str());
        if (found <= best) return found;
        implementation_ = pd.impl_info_str();
        source_.inside = pd.diff_src_desc();
        weights_.inside = pd.weights_desc();
        destination_.inside = pd.diff_dst_desc();
        scratchpad_ = pd.scratchpad_desc();
        primitive_ = dnnl::convolution_backward_data(pd);
        return found;
      }
      const auto pd = onednn::convolution_backward_weights(engine, d, hint, attributes);
      if (!pd) return -1;
      const int found = rank(pd.impl_info_str());
      if (found <= best) return found;
      implementation_ = pd.impl_info_str();
      source_.inside = pd.src_desc();
      weights_.inside = pd.diff_weights_desc();
      destination_.inside = pd.diff_dst_desc();
      scratchpad_ = pd.scratchpad_desc();
      primitive_ = dnnl::convolution_backward_weights(pd);
      return found;
    } catch (const dnnl::error &error) {
      // 2.x throws for what it does not have.
      if (error.status == dnnl_unimplemented || error.status == dnnl_invalid_arguments) return -1;
      throw;
    }
  }

  void finish() {
    size_t used = aligned(scratchpad_.get_size());
    scratchpad_memory_ = memory(scratchpad_, onednn::engine(), nullptr);
    size_t reorder_scratch = 0;
    const Direction direction = request_.direction;
    const auto prepare = [&](Operand &operand, bool enters, bool in_scratch) {
      operand.outside_memory = memory(operand.outside, onednn::engine(), nullptr);
      operand.inside_memory = memory(operand.inside, onednn::engine(), nullptr);
      operand.differs = operand.outside != operand.inside;
      if (!operand.differs && in_scratch) return;
      const memory::desc &from = enters ? operand.outside : operand.inside;
      const memory::desc &to = enters ? operand.inside : operand.outside;
      dnnl::primitive_attr attributes;
      attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
      const dnnl::reorder::primitive_desc pd(onednn::engine(), from, onednn::engine(), to,
                                             attributes);
      operand.reorder = dnnl::reorder(pd);
      operand.pad = memory(pd.scratchpad_desc(), onednn::engine(), nullptr);
      reorder_scratch = std::max<size_t>(reorder_scratch, pd.scratchpad_desc().get_size());
      if (in_scratch) {
        operand.offset = used;
        used += aligned(operand.inside.get_size());
      }
    };
    prepare(source_, direction != Direction::backward_data, true);
    prepare(destination_, direction != Direction::forward, true);
    prepare(weights_, direction != Direction::backward_filter,
            direction == Direction::backward_filter);
    if (has_bias()) {
      const memory::desc desc({request_.shape.outputs}, memory::data_type::f32,
                              memory::format_tag::x);
      bias_memory_ = memory(desc, onednn::engine(), nullptr);
    }
    // Reorders and the primitive never run at the same time and share the front of the scratch.
    const size_t front = aligned(scratchpad_.get_size());
    if (reorder_scratch > front) {
      const size_t shift = aligned(reorder_scratch) - front;
      for (Operand *operand : {&source_, &destination_, &weights_}) operand->offset += shift;
      used += shift;
    }
    scratch_bytes_ = used;
  }

  static void convert(Operand &operand, memory &from, memory &to, void *scratch) {
    operand.pad.set_data_handle(scratch);
    operand.reorder.execute(
        onednn::stream(),
        {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}, {DNNL_ARG_SCRATCHPAD, operand.pad}});
  }

  static void *inside(const Operand &operand, void *scratch) {
    return static_cast<char *>(scratch) + operand.offset;
  }

  static void enter(Operand &operand, const float *data, void *scratch) {
    operand.outside_memory.set_data_handle(const_cast<float *>(data));
    if (!operand.differs) {
      operand.inside_memory.set_data_handle(const_cast<float *>(data));
      return;
    }
    operand.inside_memory.set_data_handle(inside(operand, scratch));
    convert(operand, operand.outside_memory, operand.inside_memory, scratch);
  }

  static void leave(Operand &operand, float *data, void *scratch) {
    operand.outside_memory.set_data_handle(data);
    operand.inside_memory.set_data_handle(operand.differs ? inside(operand, scratch) : data);
  }

  static void left(Operand &operand, void *scratch) {
    if (operand.differs) {
      convert(operand, operand.inside_memory, operand.outside_memory, scratch);
    }
  }

  ConvolutionRequest request_;
  std::string implementation_;
  dnnl::primitive primitive_;
  Operand source_, weights_, destination_;
  memory::desc scratchpad_;
  memory scratchpad_memory_, bias_memory_;
  size_t scratch_bytes_ = 0;
};

}  // namespace

std::unique_ptr<Convolution> create_onednn_convolution(const ConvolutionRequest &request) {
  auto convolution = std::make_unique<OnednnConvolution>();
  if (!convolution->create(request)) return nullptr;
  return convolution;
}

}  // namespace gapcam::cpu
