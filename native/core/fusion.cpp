#include "rewriter.h"

namespace gapcam {

namespace {

// An activation becomes the epilogue of the convolution or batch normalisation before it.
void activation_after(Rewriter &r, const Patterns &patterns) {
  r.each([&](Operation &o) -> const Operation * {
    const auto *unary = o.as<Unary>();
    if (!unary || !patterns.epilogue(unary->activation)) return nullptr;
    Operation *before = r.maker(o.inputs[0].value);
    if (!before || !r.passed_on(o.inputs[0].value)) return nullptr;
    Activation *activation = before->as<Conv2d>()        ? &before->as<Conv2d>()->activation
                             : before->as<BatchNorm2d>() ? &before->as<BatchNorm2d>()->activation
                                                         : nullptr;
    if (!activation || !activation->is_identity()) return nullptr;
    *activation = unary->activation;
    r.take_output(*before, o);
    return &o;
  });
}

// A batch normalisation whose statistics are fixed becomes part of the convolution before it.
void norm_into_convolution(Rewriter &r) {
  if (r.fused.graph.training) return;
  r.each([&](Operation &o) -> const Operation * {
    const auto *norm = o.as<BatchNorm2d>();
    if (!norm || r.fused.readers[at(o.outputs[1])] > 0) return nullptr;
    Operation *before = r.maker(o.inputs[0].value);
    auto *convolution = before ? before->as<Conv2d>() : nullptr;
    if (!convolution || !r.passed_on(o.inputs[0].value)) return nullptr;
    if (convolution->fold || !convolution->activation.is_identity()) return nullptr;
    for (const Operand &operand : o.inputs) {
      if (operand.role != Role::map && !r.fused.graph.value(operand.value).storage) return nullptr;
    }
    convolution->fold = true;
    convolution->epsilon = norm->epsilon;
    convolution->activation = norm->activation;
    before->inputs.insert(before->inputs.end(), o.inputs.begin() + 1, o.inputs.end());
    r.take_output(*before, o);
    return &o;
  });
}

// A sum, and the activation behind it, become part of what makes one of the summands, a convolution
// or a batch normalisation; that then runs where the sum did.
template <class Kind, class May>
void sum_into(Rewriter &r, const Patterns &patterns, const May &may) {
  r.each([&](Operation &o) -> Gone {
    const auto *binary = o.as<Binary>();
    if (!binary || binary->kind != GAPCAM_ADD || o.phase != GAPCAM_FORWARD) return {};
    Operation *after = r.only_reader(o.outputs[0]);
    const auto *unary = after ? after->as<Unary>() : nullptr;
    const bool activates = unary && patterns.epilogue(unary->activation);
    for (size_t i = 0; i < 2; i++) {
      const Operand &summand = o.inputs[i], &other = o.inputs[1 - i];
      Operation *before = r.maker(summand.value);
      if (!before || !r.passed_on(summand.value) || other.value == summand.value) continue;
      const auto *kind = before->as<Kind>();
      if (!kind || kind->adds || !kind->activation.is_identity()) continue;
      Operation whole = *before;
      whole.inputs.push_back(other);
      whole.as<Kind>()->adds = true;
      if (activates) whole.as<Kind>()->activation = unary->activation;
      whole.outputs[0] = activates ? after->outputs[0] : o.outputs[0];
      if (!may(whole)) continue;
      (activates ? *after : o) = whole;
      return {before, activates ? &o : nullptr};
    }
    return {};
  });
}

// The sum of two gradients of a map becomes part of the convolution's backward that makes one.
void sum_into_gradient(Rewriter &r) {
  r.each([&](Operation &o) -> Gone {
    const auto *binary = o.as<Binary>();
    if (!binary || binary->kind != GAPCAM_ADD || o.phase != GAPCAM_BACKWARD) return {};
    for (size_t i = 0; i < 2; i++) {
      const Operand &summand = o.inputs[i], &other = o.inputs[1 - i];
      Operation *before = r.maker(summand.value);
      const auto *data = before ? before->as<Conv2dBackwardData>() : nullptr;
      if (!data || data->adds || !r.passed_on(summand.value) || other.value == summand.value) {
        continue;
      }
      Operation whole = *before;
      whole.as<Conv2dBackwardData>()->adds = true;
      whole.inputs.push_back(other);
      whole.outputs[0] = o.outputs[0];
      o = whole;
      return {before};
    }
    return {};
  });
}

// A batch normalisation's backward takes the gradient after its activation: it computes again what
// the activation took.
void gradient_into_norm(Rewriter &r) {
  r.each([&](Operation &o) -> const Operation * {
    auto *backward = o.as<BatchNorm2dBackward>();
    if (!backward || !backward->activation.is_identity()) return nullptr;
    Operation *before = r.maker(o.inputs[0].value);
    const auto *unary = before ? before->as<UnaryBackward>() : nullptr;
    if (!unary || !r.passed_on(o.inputs[0].value)) return nullptr;
    const Operation *norm = r.maker(o.inputs[4].value);
    if (!norm->as<BatchNorm2d>() || norm->outputs[0] != before->inputs[1].value) return nullptr;
    // Others, such as SiLU, stand behind the normalisation and read what it made.
    if (norm->as<BatchNorm2d>()->activation.is_identity()) return nullptr;
    // What a sum makes cannot be computed again from one summand.
    if (norm->as<BatchNorm2d>()->adds) return nullptr;
    backward->activation = norm->as<BatchNorm2d>()->activation;
    o.inputs[0] = before->inputs[0];
    return before;
  });
}

// An activation that needs what it took becomes the epilogue of the batch normalisation that made
// that, where the only other reader is its gradient, and that goes to the normalisation's.
void norm_computes_again(Rewriter &r, const Patterns &patterns) {
  r.each([&](Operation &o) -> Gone {
    const auto *unary = o.as<Unary>();
    if (!unary || unary->activation.differentiates_from_output()) return {};
    if (!patterns.epilogue(unary->activation)) return {};
    const ValueId between = o.inputs[0].value;
    Operation *before = r.maker(between);
    auto *norm = before ? before->as<BatchNorm2d>() : nullptr;
    if (!norm || norm->adds || !norm->activation.is_identity()) return {};
    if (r.fused.readers[at(between)] != 2 || r.fused.kept(between)) return {};
    Operation &gradient =
        r.fused.graph.operations[static_cast<size_t>(r.fused.last_reader[at(between)])];
    if (!gradient.as<UnaryBackward>() || gradient.inputs[1].value != between) return {};
    Operation *then = r.only_reader(gradient.outputs[0]);
    auto *backward = then ? then->as<BatchNorm2dBackward>() : nullptr;
    if (!backward || then->inputs[4].value != before->outputs[1]) return {};
    norm->activation = backward->activation = unary->activation;
    then->inputs[0] = gradient.inputs[0];
    r.take_output(*before, o);
    return {&gradient, &o};
  });
}

// The gradient of an activation that made what a max pool took is taken of the pooled map, which is
// smaller: a maximum is the same before and after the pool. Only where the unpooled map is then not
// needed.
void activation_before_pool(Rewriter &r) {
  r.each([&](Operation &o) -> const Operation * {
    const auto *unary = o.as<UnaryBackward>();
    if (!unary || !unary->activation.differentiates_from_output()) return nullptr;
    Operation *pool = r.maker(o.inputs[0].value);
    if (!pool || !pool->as<MaxPool2dBackward>() || !r.passed_on(o.inputs[0].value)) return nullptr;
    const ValueId map = o.inputs[1].value, pooled = pool->as<MaxPool2dBackward>()->output;
    const Operation *convolution = r.maker(map);
    if (!convolution || !convolution->as<Conv2d>()) return nullptr;
    // Its readers are the pool and this operation.
    if (r.fused.readers[at(map)] != 2 || r.fused.kept(map)) return nullptr;
    if (r.maker(pooled)->inputs[0].value != map) return nullptr;
    // d -> unpooled -> before the activation, becomes d -> before it, pooled -> unpooled.
    const Operand d = pool->inputs[0];
    const ValueId between = o.inputs[0].value, made = o.outputs[0];
    r.fused.graph.value(between).shape = r.fused.graph.shape(pooled);
    r.fused.graph.value(between).like = pooled;
    Operation first = o, second = *pool;
    first.inputs = {d, {pooled, Role::map}};
    first.outputs = {between};
    second.inputs[0] = {between, Role::map};
    second.outputs = {made};
    *pool = first;
    o = second;
    r.fused.count_uses();
    return nullptr;
  });
}

// Says at a convolution and its backward what reads its map.
void mark_pools(Rewriter &r) {
  auto &operations = r.fused.graph.operations;
  std::vector<PoolAfter> after(r.fused.graph.values.size(), PoolAfter::none);
  for (const Operation &o : operations) {
    const auto *pool = o.as<MaxPool2d>();
    if (!pool || !r.passed_on(o.inputs[0].value)) continue;
    const Shape &in = r.fused.graph.shape(o.inputs[0].value),
                &out = r.fused.graph.shape(o.outputs[0]);
    const Operation *before = r.maker(o.inputs[0].value);
    // A convolution that adds does not pool.
    if (before && before->as<Conv2d>() && before->as<Conv2d>()->adds) continue;
    const bool down = out[2] == in[2] / 2 && out[3] == in[3] / 2;
    after[at(o.inputs[0].value)] =
        pool->window.is(2, 2, 0) && down ? PoolAfter::halving : PoolAfter::other;
  }
  for (Operation &o : operations) {
    if (auto *c = o.as<Conv2d>()) c->pool_after = after[at(o.outputs[0])];
    if (auto *c = o.as<Conv2dBackwardData>()) c->pool_after = after[at(c->output)];
    if (auto *c = o.as<Conv2dBackwardFilter>()) c->pool_after = after[at(c->output)];
  }
}

// Backward of activation and pool become part of the convolution's backward.
void gradient_into_convolution(Rewriter &r, const Patterns &patterns) {
  std::vector<bool> asked(r.fused.graph.values.size(), false);
  r.each([&](Operation &o) -> const Operation * {
    if (!gradient_of_convolution(o)) return nullptr;
    const ValueId arriving = o.inputs[0].value;
    if (asked[at(arriving)]) return nullptr;
    asked[at(arriving)] = true;
    std::vector<Operation *> directions;
    std::vector<const Operation *> wanting;
    for (Operation &other : r.fused.graph.operations) {
      if (!gradient_of_convolution(other) || other.inputs[0].value != arriving) continue;
      directions.push_back(&other);
      wanting.push_back(&other);
    }
    if (r.fused.readers[at(arriving)] != static_cast<int>(directions.size())) return nullptr;
    if (r.fused.kept(arriving)) return nullptr;
    // What is undone, from the convolution up.
    Operation *pool = r.maker(arriving), *activation = pool;
    if (!pool) return nullptr;
    if (pool->as<MaxPool2dBackward>()) {
      if (gradient_of_convolution(o)->pool_after != PoolAfter::halving) return nullptr;
      activation = r.maker(pool->inputs[0].value);
      if (activation && (!activation->as<UnaryBackward>() || !r.passed_on(pool->inputs[0].value) ||
                         activation->inputs[1].value != pool->as<MaxPool2dBackward>()->output)) {
        activation = nullptr;
      }
    } else {
      pool = nullptr;
    }
    if (activation && !activation->as<UnaryBackward>()) activation = nullptr;
    if (!pool &&
        (!activation || activation->inputs[1].value != gradient_of_convolution(o)->output)) {
      return nullptr;
    }
    if (activation && !patterns.epilogue(activation->as<UnaryBackward>()->activation)) {
      return nullptr;
    }
    if (!patterns.gradient_into_convolution(r.fused, wanting)) return nullptr;
    for (Operation *direction : directions) {
      direction->inputs[0] = activation ? activation->inputs[0] : pool->inputs[0];
      if (pool) direction->inputs[3] = pool->inputs[1];
      if (!activation) continue;
      direction->inputs[2] = activation->inputs[1];
      gradient_of_convolution(*direction)->activation = activation->as<UnaryBackward>()->activation;
    }
    // What nobody reads any more goes with all that is unused.
    r.fused.count_uses();
    return nullptr;
  });
}

void pool_into_convolution(Rewriter &r, const Patterns &patterns) {
  r.each([&](Operation &o) -> const Operation * {
    if (!o.as<MaxPool2d>()) return nullptr;
    Operation *before = r.maker(o.inputs[0].value);
    auto *convolution = before ? before->as<Conv2d>() : nullptr;
    if (!convolution || convolution->pool_after != PoolAfter::halving || convolution->pools) {
      return nullptr;
    }
    if (!patterns.pool_into_convolution(r.fused, *before)) return nullptr;
    convolution->pools = true;
    before->outputs = {before->outputs[0], o.outputs[0], o.outputs[1]};
    return &o;
  });
}

// The gradient of what an activation made, and of what it took, become one.
void activation_into_gradient(Rewriter &r, const Patterns &patterns) {
  r.each([&](Operation &o) -> const Operation * {
    const auto *unary = o.as<UnaryBackward>();
    if (!unary || !patterns.activation_into_gradient(unary->activation)) return nullptr;
    Operation *before = r.maker(o.inputs[0].value);
    if (!before || !r.passed_on(o.inputs[0].value)) return nullptr;
    if (auto *data = before->as<Conv2dBackwardData>()) {
      if (!data->input_activation.is_identity()) return nullptr;
      data->input_activation = unary->activation;
      before->inputs[4] = o.inputs[1];
    } else if (auto *pool = before->as<MaxPool2dBackward>()) {
      // The gradient may be that of a sum which was pooled: then the pooled sum tells nothing of
      // the activation before it.
      if (r.maker(pool->output)->inputs[0].value != o.inputs[1].value) return nullptr;
      if (!pool->input_activation.is_identity()) return nullptr;
      pool->input_activation = unary->activation;
      before->inputs[2] = {pool->output, Role::map};
    } else if (auto *average = before->as<GlobalAveragePoolBackward>()) {
      if (!average->input_activation.is_identity()) return nullptr;
      average->input_activation = unary->activation;
      before->inputs[1] = o.inputs[1];
    } else {
      return nullptr;
    }
    before->outputs[0] = o.outputs[0];
    return &o;
  });
}

// Gradients that nobody reads are not made, and neither is what only they needed. What forward
// makes runs, read or not.
void drop_unused(Rewriter &r) {
  r.each([&](Operation &o) -> const Operation * {
    bool used = o.phase != GAPCAM_BACKWARD;
    for (ValueId &made : o.outputs) {
      if (made == no_value) continue;
      if (r.fused.readers[at(made)] > 0 || r.fused.kept(made)) {
        used = true;
      } else if (&made != o.outputs.data() || o.phase == GAPCAM_BACKWARD) {
        made = no_value;
      }
    }
    return used ? nullptr : &o;
  });
}

}  // namespace

const Conv2dGradient *gradient_of_convolution(const Operation &o) {
  if (const auto *data = o.as<Conv2dBackwardData>()) return data;
  return o.as<Conv2dBackwardFilter>();
}

const Operation *FusedGraph::maker(ValueId value) const {
  const int index = value == no_value ? -1 : producer[at(value)];
  return index < 0 ? nullptr : &graph.operations[static_cast<size_t>(index)];
}

void FusedGraph::count_uses() {
  const size_t count = graph.values.size();
  producer.assign(count, -1);
  last_reader.assign(count, -1);
  readers.assign(count, 0);
  for (size_t i = 0; i < graph.operations.size(); i++) {
    const Operation &operation = graph.operations[i];
    for (size_t j = 0; j < operation.inputs.size(); j++) {
      const ValueId input = operation.inputs[j].value;
      if (input == no_value) continue;
      last_reader[at(input)] = static_cast<int>(i);
      bool again = false;  // an operation that reads a value twice is one reader
      for (size_t k = 0; k < j; k++) again = again || operation.inputs[k].value == input;
      if (!again) readers[at(input)]++;
    }
    for (const ValueId made : operation.outputs) {
      if (made != no_value) producer[at(made)] = static_cast<int>(i);
    }
  }
}

FusedGraph fuse(const Graph &graph, const Patterns &patterns) {
  Rewriter r(graph);
  activation_after(r, patterns);
  norm_into_convolution(r);
  if (patterns.sum_into_convolution && !graph.has_phase(GAPCAM_BACKWARD)) {
    sum_into<Conv2d>(r, patterns, [&](const Operation &whole) {
      return patterns.sum_into_convolution(r.fused, whole);
    });
  }
  if (patterns.norm_computes_again) norm_computes_again(r, patterns);
  if (patterns.sum_into_norm) {
    sum_into<BatchNorm2d>(r, patterns, [](const Operation &) { return true; });
  }
  gradient_into_norm(r);
  if (patterns.sum_into_gradient) sum_into_gradient(r);
  if (patterns.activation_into_gradient) activation_into_gradient(r, patterns);
  if (patterns.gradient_into_convolution) activation_before_pool(r);
  mark_pools(r);
  if (patterns.gradient_into_convolution) gradient_into_convolution(r, patterns);
  drop_unused(r);
  if (patterns.pool_into_convolution) pool_into_convolution(r, patterns);
  return std::move(r.fused);
}

}  // namespace gapcam
